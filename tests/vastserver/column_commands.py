"""Columns of a table: list, add, drop, rename."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pyarrow as pa

from vastserver.changes import PutTable
from vastserver.database import Column, Definition
from vastserver.listing import page
from vastserver.request import Reply, Request, S3Error, invalid
from vastserver.rowids import ROW_ID_COLUMN
from vastserver.service import Service, find_table, taken
from vastserver.table_commands import new_columns, read_schema

LARGEST_REPLY = 5 << 20
END_OF_STREAM = b"\xff\xff\xff\xff\0\0\0\0"


def list_columns(service: Service, request: Request) -> Reply:
    columns = find_table(service.read(request), request).definition.columns
    if request.flag("tabular-only-column-names") and service.version.lists_only_names:
        fields = [pa.field(column.name, pa.null()) for column in columns]
    else:
        fields = [column.field.with_metadata(_metadata(column)) for column in columns]
    return schema_reply(columns, request, fields)


def _metadata(column: Column) -> dict[str, str]:
    """How a column is sorted. Guess: that releases before 5.5 say so, too; no client looks."""
    if column.sort_index is None:
        return {"VAST:sort_type": "Unsorted"}
    return {"VAST:sort_type": "Sorted", "VAST:sort_index": str(column.sort_index)}


def list_sorted(service: Service, request: Request) -> Reply:
    key = find_table(service.read(request), request).definition.sorting_key
    if not key:
        raise invalid("Listing sorted columns of a table without elysium enabled")
    return schema_reply(key, request, [column.field for column in key], by_id=False)


def schema_reply(
    columns: Sequence[Column], request: Request, fields: Sequence[Any], *, by_id: bool = True
) -> Reply:
    """A page of columns, as an Arrow stream that holds a schema only."""
    items = list(zip(columns, fields, range(1, len(columns) + 1), strict=True))
    found = page(
        items, request, lambda item: item[0].name, lambda item: item[0].id if by_id else item[2]
    )
    body = pa.schema([field for _, field, _ in found.items]).serialize().to_pybytes()
    if len(body) > LARGEST_REPLY:
        raise invalid(f"list column result size {len(body)} is too long")
    return Reply(body + END_OF_STREAM, found.headers)


def add(service: Service, request: Request) -> Reply:
    columns = new_columns(service, request)
    with service.writing(request) as transaction:
        definition = find_table(transaction.database, request).definition
        for column in columns:
            if column.name in definition.by_name:
                raise taken(f"the column {column.name}")
        service.store.claim(transaction, ("table", definition.id), alone=True)
        changed = replace(definition, columns=(*definition.columns, *columns))
        service.store.change(transaction, PutTable(changed))
    return Reply()


def drop(service: Service, request: Request) -> Reply:
    names = [field.name for field in read_schema(request.body)]
    with service.writing(request) as transaction:
        definition = find_table(transaction.database, request).definition
        doomed = {find_column(definition, name).id for name in names}
        if definition.fixed_columns.intersection(names):
            raise invalid("a column of the sorting key or the vector index cannot be dropped")
        if len(doomed) == len(definition.columns):
            raise invalid("a table needs a column")  # Guess.
        if any(doomed & {*p.sorted, *p.unsorted} for p in definition.projections):
            raise invalid("a column of a projection cannot be dropped")  # Guess.
        service.store.claim(transaction, ("table", definition.id), alone=True)
        kept = tuple(column for column in definition.columns if column.id not in doomed)
        service.store.change(transaction, PutTable(replace(definition, columns=kept)))
    return Reply()


def rename(service: Service, request: Request) -> Reply:
    """Another name for a column. Guess: fields inside of a column cannot be renamed."""
    name = request.argument("tabular-column-name")
    new_name = request.argument("tabular-new-column-name")
    if ROW_ID_COLUMN in (name, new_name):
        raise invalid(f"{ROW_ID_COLUMN} keeps its name, and no other column takes it")  # Guess.
    with service.writing(request) as transaction:
        definition = find_table(transaction.database, request).definition
        column = find_column(definition, name)
        if new_name in definition.by_name:
            raise taken(f"the column {new_name}")
        service.store.claim(transaction, ("table", definition.id), alone=True)
        renamed = replace(column, field=column.field.with_name(new_name))
        columns = tuple(renamed if other is column else other for other in definition.columns)
        service.store.change(transaction, PutTable(replace(definition, columns=columns)))
    return Reply()


def find_column(definition: Definition, name: str) -> Column:
    column = definition.by_name.get(name)
    if column is None:
        # Guess: the status.
        raise S3Error(404, "TabularMismatchColumnName", f"there is no column {name}")
    return column
