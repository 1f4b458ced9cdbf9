"""Tables: list, create, rename, sort, drop; and their statistics."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pyarrow as pa

from vastserver.changes import PutTable, RemoveTable
from vastserver.columns import check_new, without_zone
from vastserver.database import Column, Database, Definition, Table, VectorIndex
from vastserver.flatbuffer import Node, Scalar, build
from vastserver.listing import SORTING_DONE, details, page
from vastserver.request import Reply, Request, S3Error, invalid
from vastserver.rowids import ROW_ID_COLUMN
from vastserver.service import Service, find_schema, find_table, taken
from vastserver.version import Version

# Distance metrics and the SQL functions that compute them.
# Guess: the function for "ip"; the one for "l2sq" stands in the SDK's tests.
_METRICS = {"l2sq": "array_distance", "ip": "array_negative_inner_product"}
_QUANTIZATIONS = ("scalar_8bit", "none")
_SORTED_COLUMN = re.compile(r"tabular-sorted-column-(\d+)")


def list_tables(service: Service, request: Request) -> Reply:
    database = service.read(request)
    tables = database.tables_in(find_schema(database, request))
    found = page(tables, request, lambda t: t.definition.name, lambda t: t.definition.id)
    listed = [_details(table) for table in found.items]
    return Reply(build({0: request.bucket, 1: request.schema, 2: listed}), found.headers)


def _details(table: Table) -> Node:
    definition = table.definition
    return details(
        definition.id,
        definition.name,
        num_rows=table.num_rows,
        size=table.size,
        is_sorted=bool(definition.sorting_key),
    )


def read_schema(body: bytes) -> list[Any]:
    """The fields of an Arrow schema message."""
    try:
        return list(pa.ipc.read_schema(pa.py_buffer(body)))
    except (pa.ArrowInvalid, OSError) as error:
        raise invalid(f"not an Arrow schema: {error}") from None


def new_columns(service: Service, request: Request) -> list[Column]:
    """The columns that a request describes, as this release stores them."""
    fields = read_schema(request.body)
    check_new(fields)
    if not service.version.has_zones:
        fields = [field.with_type(without_zone(field.type)) for field in fields]
    plain = [field.remove_metadata() for field in fields]
    ids = service.store.new_ids(len(plain))
    return [Column(number, field) for number, field in zip(ids, plain, strict=True)]


def create(service: Service, request: Request) -> Reply:
    if "sub-table" in request.arguments:
        raise S3Error(501, "NotImplemented", "the table of imported objects")
    if b"VAST:table:partition-key-" in request.body:
        raise S3Error(501, "NotImplemented", "partitioned tables")
    columns = new_columns(service, request)
    columns = _sorted_by(columns, _sorting_key(request), service.version)
    gives_ids = request.flag("use-external-row-ids-alloc")
    # Guess: that such a table must have the column.
    if gives_ids and not any(column.name == ROW_ID_COLUMN for column in columns):
        raise invalid(f"row ids from outside need a column {ROW_ID_COLUMN}")
    index = _vector_index(columns, request) if service.version.has_vectors else None
    with service.writing(request) as transaction:
        database = transaction.database
        schema_id = find_schema(database, request)
        _check_free(database, schema_id, request.table)
        service.store.claim(transaction, ("schema", schema_id), alone=False)
        service.store.claim(transaction, ("table name", schema_id, request.table), alone=True)
        definition = Definition(
            service.store.new_id(), schema_id, request.table, tuple(columns), index, (), gives_ids
        )
        service.store.change(transaction, PutTable(definition))
    return Reply()


def _sorting_key(request: Request) -> list[int]:
    found = (
        (int(match[1]), request.number(name))
        for name in request.headers
        if (match := _SORTED_COLUMN.fullmatch(name))
    )
    return [column for _, column in sorted(found)]


def _sorted_by(columns: list[Column], key: list[int], version: Version) -> list[Column]:
    """The columns with a sorting key, given by positions. Guess: old releases ignore it."""
    if not version.has_sorting:
        return columns
    if len(set(key)) < len(key) or not all(0 <= place < len(columns) for place in key):
        if version.names_bad_sorting_keys:
            raise invalid("the sorting key names columns that do not exist, or one twice")
        raise S3Error(500, "InternalError", "We encountered an internal error")
    return [
        replace(column, sort_index=key.index(place) if place in key else None)
        for place, column in enumerate(columns)
    ]


def _vector_index(columns: list[Column], request: Request) -> VectorIndex | None:
    prefix = "tabular-vector-index-"
    name = request.headers.get(f"{prefix}column")
    if name is None:
        return None
    metric = request.headers.get(f"{prefix}distance-metric", "")
    cluster = request.headers.get(f"{prefix}cluster-quantization", _QUANTIZATIONS[0])
    search = request.headers.get(f"{prefix}search-quantization", _QUANTIZATIONS[0])
    column = next((column for column in columns if column.name == name), None)
    if column is None or not pa.types.is_fixed_size_list(column.field.type):
        raise invalid(f"invalid vector indexed column name {name}")
    if metric not in _METRICS:
        raise invalid(
            f"invalid vector index distance metric {metric}, supported metrics: 'l2sq', 'ip'"
        )
    if not {cluster, search} <= set(_QUANTIZATIONS) or (cluster, search) == _QUANTIZATIONS:
        raise invalid(f"invalid vector index quantizations {cluster} and {search}")
    return VectorIndex(column.id, metric, _METRICS[metric], cluster, search)


def alter(service: Service, request: Request) -> Reply:
    """Another name, perhaps in another schema, or a sorting key."""
    new_path = request.arguments.get("tabular-new-table-name", "")
    key = _sorting_key(request)
    with service.writing(request) as transaction:
        database = transaction.database
        definition = find_table(database, request).definition
        service.store.claim(transaction, ("table", definition.id), alone=True)
        if new_path:
            schema_path, _, name = new_path.rpartition("/")
            schema_id = database.schema(database.buckets[request.bucket], schema_path)
            if schema_id is None:
                raise S3Error(404, "NoSuchKey", f"there is no schema {schema_path}")
            _check_free(database, schema_id, name)
            old_place = ("table name", definition.schema_id, definition.name)
            new_place = ("table name", schema_id, name)
            service.store.claim(transaction, old_place, new_place, alone=True)
            service.store.claim(transaction, ("schema", schema_id), alone=False)
            definition = replace(definition, schema_id=schema_id, name=name)
        if key:
            definition = _with_sorting_key(definition, key, service.version)
        service.store.change(transaction, PutTable(definition))
    return Reply()


def _with_sorting_key(definition: Definition, key: list[int], version: Version) -> Definition:
    if definition.sorting_key:
        raise invalid(f"the table {definition.name} has a sorting key already")
    columns = _sorted_by(list(definition.columns), key, version)
    return replace(definition, columns=tuple(columns))


def drop(service: Service, request: Request) -> Reply:
    with service.writing(request) as transaction:
        definition = find_table(transaction.database, request).definition
        place = ("table name", definition.schema_id, definition.name)
        service.store.claim(transaction, ("table", definition.id), place, alone=True)
        service.store.claim(transaction, ("schema", definition.schema_id), alone=False)
        service.store.change(transaction, RemoveTable(definition.id))
    return Reply()


def stats(service: Service, request: Request) -> Reply:
    """Numbers of rows and bytes, exact; no VIPs, so that clients use the endpoint they know."""
    table = find_table(service.read(request), request)
    definition = table.definition
    is_sorted = bool(definition.sorting_key)
    return Reply(
        build(
            {
                0: Scalar("q", table.num_rows),
                1: Scalar("q", table.size),
                2: Scalar("?", bool(table.gives_ids)),
                5: Scalar("?", is_sorted),
                6: Scalar("q", SORTING_DONE if is_sorted else 0),
                9: _index_stats(definition),
            }
        )
    )


def _index_stats(definition: Definition) -> Node | None:
    index = definition.vector_index
    if index is None:
        return None
    name = next(column.name for column in definition.columns if column.id == index.column_id)
    return {
        0: name,
        1: index.metric,
        2: index.function,
        3: index.cluster_quantization,
        4: index.search_quantization,
    }


def _check_free(database: Database, schema_id: int, name: str) -> None:
    if not name or "/" in name:
        raise invalid(f"not a name for a table: {name}")
    if database.table(schema_id, name) is not None:
        raise taken(f"the table {name}")
