"""Runs SQL with DuckDB: a database in memory for every query, which copies nothing.

Tables are Arrow data of a transaction's snapshot, named as VAST's SQL names them:
``"bucket/schema".table``. Queries can read nothing else, files least of all.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from vastserver.database import Bucket, Database, Table
from vastserver.selection import BlockRows, Recent

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "enable_external_access": "false",
    "python_enable_replacements": "false",
    "threads": "2",
}
_READING = (duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN)
_ROWS_PER_BATCH = 1 << 16

TableName = tuple[str, str]


class RunningQuery:
    """A query from its start until its client lets go of it; it runs in a thread."""

    def __init__(self, sql: str, tables: Mapping[TableName, Any]) -> None:
        self.batches: Sequence[Any] = ()
        self.error: duckdb.Error | None = None
        self._connection = duckdb.connect(config=_CONFIG)
        try:
            relation = self._prepare(sql, tables)
            self.schema = relation.limit(0).to_arrow_table().schema
        except duckdb.Error:
            self._connection.close()
            raise
        self._thread = threading.Thread(target=self._run, args=(relation,), daemon=True)
        self._thread.start()

    def _prepare(self, sql: str, tables: Mapping[TableName, Any]) -> duckdb.DuckDBPyRelation:
        for number, ((schema, name), data) in enumerate(tables.items()):
            self._connection.register(f"arrow_{number}", data)
            self._connection.execute(f"CREATE SCHEMA IF NOT EXISTS {_quoted(schema)}")
            self._connection.execute(
                f"CREATE VIEW {_quoted(schema)}.{_quoted(name)} AS FROM arrow_{number}"
            )
        kinds = [statement.type for statement in self._connection.extract_statements(sql)]
        if len(kinds) != 1 or kinds[0] not in _READING:
            raise duckdb.NotImplementedException("this test server runs one query at a time")
        return self._connection.sql(sql)

    def wait(self, seconds: float) -> bool:
        """Whether the query has ended, after a while."""
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def stop(self) -> None:
        """Interrupt the query if it still runs, and free what it holds."""
        self._connection.interrupt()
        self._thread.join()
        self._connection.close()

    def _run(self, relation: duckdb.DuckDBPyRelation) -> None:
        try:
            self.batches = relation.to_arrow_table().to_batches(max_chunksize=_ROWS_PER_BATCH)
        except duckdb.Error as error:
            self.error = error


class QueryEngine:
    """The queries that clients hold."""

    def __init__(self, recent: Recent) -> None:
        self._recent = recent
        self._lock = threading.Lock()
        self._queries: dict[int, RunningQuery] = {}
        self._last = 0

    def start(self, sql: str, database: Database, buckets: Sequence[Bucket]) -> int:
        """Start a query that may read these buckets; an error in it is raised here."""
        tables = {
            (schema, table.definition.name): self._data(table)
            for schema, table in _tables(database, buckets)
            if _is_named(sql, schema) and _is_named(sql, table.definition.name)
        }
        query = RunningQuery(sql, tables)
        with self._lock:
            self._last += 1
            self._queries[self._last] = query
            return self._last

    def _data(self, table: Table) -> Any:
        data = self._recent.get(table, "SQL")
        if data is None:
            data = _read(table)
            self._recent.keep(table, "SQL", data)
        return data

    def get(self, number: int) -> RunningQuery | None:
        with self._lock:
            return self._queries.get(number)

    def finish(self, number: int) -> None:
        with self._lock:
            query = self._queries.pop(number, None)
        if query is not None:
            query.stop()

    def close(self) -> None:
        for number in list(self._queries):
            self.finish(number)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _is_named(sql: str, name: str) -> bool:
    """Whether a statement may mean this name. Guess: case does not matter."""
    return name.lower() in sql.lower()


def _tables(database: Database, buckets: Sequence[Bucket]) -> Iterator[tuple[str, Table]]:
    """All tables of some buckets, with the paths of their schemas."""
    for bucket in buckets:
        below = [(bucket.name, bucket.root)]
        while below:
            path, schema_id = below.pop()
            yield from ((path, table) for table in database.tables_in(schema_id))
            below += [(f"{path}/{s.name}", s.id) for s in database.schemas_in(schema_id)]


def _read(table: Table) -> Any:
    """The rows of a table as Arrow data, without copying blocks that have no deleted rows."""
    fields = [column.field for column in table.definition.columns]
    columns: list[list[Any]] = [[] for _ in fields]
    for block in table.blocks:
        rows = BlockRows(block, table.definition, fields)
        for number in range(len(fields)):
            values = rows.column(number)
            alive = values if block.dead is None else values.filter(pa.array(~block.dead))
            columns[number].append(_readable(alive))
    kinds = [_readable(pa.array([], field.type)).type for field in fields]
    arrays = [pa.chunked_array(parts, kind) for parts, kind in zip(columns, kinds, strict=True)]
    return pa.table(arrays, names=[field.name for field in fields])


def _readable(values: Any) -> Any:
    """DuckDB has no half floats."""
    return pc.cast(values, pa.float32()) if pa.types.is_float16(values.type) else values
