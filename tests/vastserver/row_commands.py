"""Rows: insert, update, delete. Every body is an Arrow stream with one batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from vastserver.changes import DeleteRows, InsertRows, UpdateRows
from vastserver.column_commands import END_OF_STREAM, find_column
from vastserver.columns import fitting, without_zone
from vastserver.database import Definition, Table
from vastserver.request import Reply, Request, invalid
from vastserver.rowids import (
    ROW_ID,
    ROW_ID_COLUMN,
    RowIds,
    check_ascending,
    from_wire,
    to_wire,
    wire_type,
)
from vastserver.service import Service, find_table


@dataclass
class _Values:
    """What a batch gives: columns to be stored, by id, and row ids if it has any."""

    columns: dict[int, Any]
    given_ids: RowIds | None = None


def insert(service: Service, request: Request) -> Reply:
    batch = _batch(request)
    with service.writing(request) as transaction:
        table = find_table(transaction.database, request)
        definition = table.definition
        values = _values(batch, definition, service.version.has_zones)
        missing = definition.fixed_columns.difference(batch.schema.names)
        if missing:
            raise invalid(f"every insert needs the columns {', '.join(sorted(missing))}")
        gives_ids = _check_origin(table, values, batch.num_rows)
        service.store.claim(transaction, ("table", definition.id), alone=False)
        if values.given_ids is None:
            row_ids = service.store.new_row_ids(definition.id, batch.num_rows)
        else:
            row_ids = values.given_ids
            # Guess: that two transactions cannot put rows in one place.
            service.store.claim_rows(transaction, definition.id, row_ids)
        change = InsertRows(definition.id, row_ids, values.columns, gives_ids)
        service.store.change(transaction, change)
    return _row_ids_reply(row_ids, definition.has_wide_ids)


def update(service: Service, request: Request) -> Reply:
    batch = _batch(request)
    with service.writing(request) as transaction:
        table = find_table(transaction.database, request)
        definition = table.definition
        row_ids = _row_ids(batch, table)
        values = _values(
            batch.select(batch.schema.names[1:]), definition, service.version.has_zones
        )
        fixed = definition.fixed_columns.intersection(batch.schema.names)
        if fixed or values.given_ids is not None:
            raise invalid("row ids and columns of a sorting key or vector index stay as they are")
        service.store.claim(transaction, ("table", definition.id), alone=False)
        service.store.claim_rows(transaction, definition.id, row_ids)
        service.store.change(transaction, UpdateRows(definition.id, row_ids, values.columns))
    return Reply()


def delete(service: Service, request: Request) -> Reply:
    batch = _batch(request)
    with service.writing(request) as transaction:
        table = find_table(transaction.database, request)
        if batch.num_columns != 1:
            raise invalid(f"a delete takes the column {ROW_ID} only")
        row_ids = _row_ids(batch, table)
        service.store.claim(transaction, ("table", table.definition.id), alone=False)
        service.store.claim_rows(transaction, table.definition.id, row_ids)
        service.store.change(transaction, DeleteRows(table.definition.id, row_ids))
    return Reply()


def _batch(request: Request) -> Any:
    try:
        with pa.ipc.open_stream(request.body) as reader:
            batches = list(reader)
    except (pa.ArrowInvalid, OSError) as error:
        raise invalid(f"not an Arrow stream: {error}") from None
    if len(batches) != 1:
        raise invalid(f"expected one record batch, not {len(batches)}")
    return batches[0]


def _values(batch: Any, definition: Definition, has_zones: bool) -> _Values:
    names = batch.schema.names
    if len(set(names)) < len(names):
        raise invalid("the batch has two columns of one name")
    values = _Values({})
    for sent, array in zip(batch.schema, batch.columns, strict=True):
        column = find_column(definition, sent.name)
        if not has_zones:
            sent = sent.with_type(without_zone(sent.type))
        fitted = fitting(array, sent, column.field)
        if not column.is_row_id:
            values.columns[column.id] = fitted
            continue
        if array.null_count:
            raise invalid(f"{ROW_ID_COLUMN} cannot be null")
        values.given_ids = array.to_numpy()
        check_ascending(values.given_ids)
    return values


def _check_origin(table: Table, values: _Values, rows: int) -> bool:
    """Whether this insert gives its row ids; a table's inserts all do or all do not."""
    gives_ids = values.given_ids is not None
    if table.gives_ids not in (None, gives_ids) and rows:
        raise invalid(f"{ROW_ID_COLUMN} must be in every insert or in none")
    # Guess: that there can be no second row in a row's place.
    if values.given_ids is not None and table.missing(values.given_ids) < rows:
        raise invalid("there are rows with these row ids already")
    return gives_ids


def _row_ids(batch: Any, table: Table) -> RowIds:
    """The rows that an update or a delete names in its first column."""
    if not batch.num_columns or batch.schema.names[0] != ROW_ID:
        raise invalid(f"the first column must be {ROW_ID}")
    row_ids = from_wire(batch.column(0), table.definition.has_wide_ids)
    missing = table.missing(row_ids)
    if missing:
        # Guess: that rows which are not there are an error.
        raise invalid(f"{missing} of {len(row_ids)} rows do not exist")
    return row_ids


def _row_ids_reply(row_ids: RowIds, wide: bool) -> Reply:
    schema = pa.schema([pa.field(ROW_ID, wire_type(wide))])
    batch = pa.record_batch([to_wire(np.asarray(row_ids), wide)], schema=schema)
    body = schema.serialize().to_pybytes() + batch.serialize().to_pybytes() + END_OF_STREAM
    return Reply(body)
