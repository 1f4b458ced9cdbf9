"""How the contract's tables lie in a catalog: rows refer to vectors, each of which stands once.

Frames of a sequence share their vectors. So ``files`` and ``channels`` are views, over rows that
name a vector by its digest and over one table for each length of vector. That saves most of the
bytes of a file, nearly all of the work of a search, and half of that of writing rows. What the
views look at stands in a schema of its own.
"""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import duckdb
import numpy as np
import pyarrow as pa

from exrindex.model import CHANNEL_DIMS, METADATA_DIMS
from exrindex.store.conform import dense_vectors
from exrindex.tables import ID_COLUMNS, TABLES, content_uuid, is_vector

# The tables of vectors, by length.
_VECTORS = {METADATA_DIMS: "stored.embeddings", CHANNEL_DIMS: "stored.fingerprints"}
# The tables whose rows have vectors → where their rows stand.
_ROWS = {"files": "stored.files", "channels": "stored.channels"}
_VECTOR_COLUMNS = {field.name for table in _ROWS for field in TABLES[table] if is_vector(field)}

_TYPES: dict[pa.DataType, str] = {
    pa.string(): "VARCHAR",
    pa.int64(): "BIGINT",
    pa.float64(): "DOUBLE",
    pa.bool_(): "BOOLEAN",
    pa.timestamp("us", tz="UTC"): "TIMESTAMP WITH TIME ZONE",
}

# Headers as JSON: half the size and a third of the time of what DuckDB picks by itself for them.
_COMPRESSION = {"raw_output": "USING COMPRESSION zstd"}


class Column(NamedTuple):
    """The type of a column, and what else its definition says."""

    kind: str
    more: str = "NOT NULL"


def rows_table(table: str) -> str:
    """Where the rows of a table of the contract stand, to be changed."""
    return _ROWS.get(table, table)


def _reference(column: str) -> str:
    return f"{column}_id"


@cache
def stored_tables() -> dict[str, dict[str, Column]]:
    """Every table of a catalog → its columns."""
    tables = {}
    for table, schema in TABLES.items():
        columns = {}
        for field in schema:
            more = f"{_COMPRESSION.get(field.name, '')} {'' if field.nullable else 'NOT NULL'}"
            if is_vector(field):
                columns[_reference(field.name)] = Column("UUID", more)
            else:
                columns[field.name] = Column(column_type(field), more)
        tables[rows_table(table)] = columns
    for dims, name in _VECTORS.items():
        tables[name] = {"id": Column("UUID"), "vector": Column(f"FLOAT[{dims}]")}
    return tables


def column_type(field: pa.Field) -> str:
    """The DuckDB type of a column of the contract, as its reader sees it."""
    if field.name in ID_COLUMNS:
        return "UUID"
    if is_vector(field):
        return f"FLOAT[{field.type.list_size}]"
    return _TYPES[field.type]


@cache
def views() -> dict[str, str]:
    """The contract's tables that are views → their queries."""
    return {table: _view(table, rows) for table, rows in _ROWS.items()}


def _view(table: str, rows: str, column: str | None = None, join: str = "") -> str:
    """The query of a view, with one more column from one more join if that is given."""
    columns, joins = ([] if column is None else [column]), []
    for field in TABLES[table]:
        name = field.name
        if not is_vector(field):
            columns.append(f'r."{name}"')
            continue
        columns.append(f'"{name}".vector AS "{name}"')
        vectors = _VECTORS[field.type.list_size]
        joins.append(f'LEFT JOIN {vectors} "{name}" ON "{name}".id = r.{_reference(name)}')
    return f"SELECT {', '.join(columns)} FROM {rows} r {' '.join(joins)} {join}"


def files_with_distance(column: str, distance: str) -> str:
    """The rows of ``files`` with a further column ``$distance``, computed once for each vector.

    ``distance`` is an expression of ``vector``.
    """
    vectors = _VECTORS[TABLES["files"].field(column).type.list_size]
    measured = f'(SELECT id, {distance} AS "$distance" FROM {vectors}) measured'
    join = f"JOIN {measured} ON measured.id = r.{_reference(column)}"
    return _view("files", _ROWS["files"], 'measured."$distance"', join)


def insert(connection: duckdb.DuckDBPyConnection, table: str, rows: pa.Table) -> None:
    """Insert rows of a table of the contract, and the vectors that are new."""
    for index, field in enumerate(rows.schema):
        if field.name in _VECTOR_COLUMNS:
            references = _insert_vectors(connection, rows.column(index))
            rows = rows.set_column(index, _reference(field.name), references)
    connection.register("fresh", rows)
    connection.execute(f"INSERT INTO {rows_table(table)} BY NAME SELECT * FROM fresh")


def _insert_vectors(connection: duckdb.DuckDBPyConnection, column: pa.ChunkedArray) -> pa.Array:
    """Put vectors where they are kept; the id of each one's, null where there is none."""
    numbers: dict[bytes, int] = {}
    rows = pa.concat_arrays(
        [pa.array([], pa.int64()), *(_numbered(chunk, numbers) for chunk in column.chunks)]
    )
    ids = pa.array([content_uuid(vector) for vector in numbers], pa.string())
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    flat = pa.array(np.frombuffer(b"".join(numbers), np.float32))
    distinct = pa.FixedSizeListArray.from_arrays(flat, kind.list_size)
    connection.register("fresh_vectors", pa.table({"id": ids, "vector": distinct}))
    table = _VECTORS[kind.list_size]
    connection.execute(
        f"INSERT INTO {table} SELECT id::UUID, vector FROM fresh_vectors"
        f" WHERE id::UUID NOT IN (SELECT id FROM {table})"
    )
    return ids.take(rows)


def _numbered(vectors: pa.Array, numbers: dict[bytes, int]) -> pa.Int64Array:
    """The number of each vector among the distinct ones, which ``numbers`` gathers."""
    if isinstance(vectors, pa.DictionaryArray):
        return _numbered(vectors.dictionary, numbers).take(vectors.indices)
    given = [numbers.setdefault(each.tobytes(), len(numbers)) for each in dense_vectors(vectors)]
    is_valid = vectors.is_valid().to_numpy(zero_copy_only=False)
    rows = np.zeros(len(vectors), np.int64)
    rows[is_valid] = given
    return pa.array(rows, mask=~is_valid)
