"""The embedded catalog: a DuckDB file."""

from __future__ import annotations

import datetime as dt
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TypeVar

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from exrindex.errors import SchemaMismatch, StoreError, UsageError
from exrindex.model import EMBEDDING_VERSION
from exrindex.store import duckexam, duckmove, duckschema
from exrindex.store.base import (
    PLAIN,
    Description,
    Finding,
    Layout,
    Problem,
    SchemaState,
    Slice,
    Upserted,
    VectorColumn,
)
from exrindex.store.checks import row_problems
from exrindex.store.duckfile import DuckFile, require_single, require_text
from exrindex.store.ducklayout import files_with_distance, insert, rows_table
from exrindex.store.nearest import nearest_query
from exrindex.store.upsert import (
    EXISTING_FILES,
    OPEN_FAILURES,
    REPEATED,
    TOUCHED,
    plan_upsert,
    require_places_once,
)
from exrindex.tables import CHILD_TABLES, TABLES, Batch

T = TypeVar("T")

_KNOWN = """
SELECT directory, file_path, file_path_normalized, size_bytes, mtime, integrity, last_inspected,
       file_path_normalized IN
           (SELECT file_path_normalized FROM failures WHERE resolved_at IS NULL) AS has_failure
FROM stored.files
WHERE retired_at IS NULL AND directory IN (SELECT directory FROM wanted)
"""

_EXISTING = f"""
SELECT {", ".join(EXISTING_FILES)} FROM stored.files
WHERE directory IN (SELECT directory FROM incoming)
  AND file_path_normalized IN (SELECT file_path_normalized FROM incoming)
"""

_FAILING = f"""
SELECT {", ".join(OPEN_FAILURES)} FROM failures
WHERE resolved_at IS NULL
  AND file_path_normalized IN (SELECT file_path_normalized FROM incoming)
"""

_TOUCH = f"""
UPDATE stored.files SET inspection_count = inspection_count + 1, retired_at = NULL,
                 {", ".join(f"{name} = t.{name}" for name in TOUCHED)}
FROM touched t WHERE files.file_id = t.file_id::UUID
"""

_RETIRE = """
UPDATE stored.files SET retired_at = r.at
FROM replaced r WHERE files.file_id = r.file_id::UUID AND files.retired_at IS NULL
"""

_RESOLVE_FAILURES = """
UPDATE failures SET resolved_at = r.at
FROM resolved r WHERE failures.file_path_normalized = r.place AND resolved_at IS NULL
"""

_REPEAT_FAILURES = f"""
UPDATE failures SET attempts = failures.attempts + 1,
                    {", ".join(f'"{name}" = f."{name}"' for name in REPEATED)}
FROM repeated f
WHERE failures.file_path_normalized = f.file_path_normalized AND failures.resolved_at IS NULL
"""

_BELOW = "({column} = $root OR starts_with({column}, rtrim($root, '/') || '/'))"

# A directory that could not be listed says nothing about what is below it.
_STALE_FAILURES = f"""
SELECT file_path, file_path_normalized, stage, code FROM failures
WHERE resolved_at IS NULL AND last_seen < $before
  AND {_BELOW.format(column="file_path_normalized")}
  AND NOT EXISTS (
    FROM failures AS unlisted
    WHERE unlisted.stage = 'list' AND unlisted.resolved_at IS NULL AND unlisted.last_seen >= $before
      AND starts_with(
          failures.file_path_normalized, rtrim(unlisted.file_path_normalized, '/') || '/'))
"""


class DuckStore:
    """A ``Store`` in one DuckDB file. The file is made by ``create``, its folder is not."""

    def __init__(self, path: Path, *, wait_seconds: float = 60.0) -> None:
        self._file = DuckFile(path, wait_seconds)

    @property
    def url(self) -> str:
        return f"duckdb://{self._file.path}"

    @property
    def place(self) -> str:
        return str(self._file.path.resolve())

    def state(self) -> SchemaState:
        if not self._file.exists():
            return SchemaState.NEW
        return self._read(duckschema.schema_state)

    def create(self, layout: Layout = PLAIN) -> bool:
        if layout != PLAIN:
            raise UsageError(
                "sorted tables and vector indexes are for VAST; a catalog has one layout"
            )
        folder = self._file.path.parent
        if not os.path.isdir(folder):
            raise StoreError(f"{folder} is not a directory; create it or name another with --store")
        self._file.make()
        with self._file.writing() as connection:
            return self._named(lambda: duckschema.create_tables(connection))

    def require(self) -> None:
        self._read(lambda connection: self._named(lambda: duckschema.require_ready(connection)))

    def check(self) -> list[Problem]:
        if not self._file.exists():
            return [Problem(f"no catalog at {self._file.path} yet", "exrindex scan PATH")]
        try:
            self.require()
        except SchemaMismatch as error:
            mends = duckschema.CREATE if duckschema.CREATE in str(error) else duckschema.RENEW
            return [Problem(str(error), mends)]
        return self._read(
            lambda connection: row_problems(
                lambda query: connection.sql(query).to_arrow_table(), duckschema.RENEW
            )
        )

    def describe(self) -> Description:
        return Description(f"DuckDB {duckdb.__version__}", {})

    def examine(self, *, write: bool) -> Iterator[Finding]:
        return duckexam.examine(self._file, self.require, write=write)

    def row_counts(self) -> dict[str, int]:
        def count(connection: duckdb.DuckDBPyConnection) -> dict[str, int]:
            return {
                table: connection.sql(f"SELECT count(*) FROM {rows_table(table)}").fetchall()[0][0]
                for table in TABLES
            }

        return self._read(count)

    def known(self, directories: Sequence[str]) -> pa.Table:
        def read(connection: duckdb.DuckDBPyConnection) -> pa.Table:
            wanted = pa.table({"directory": pa.array(directories, pa.string())})
            connection.register("wanted", wanted)
            return connection.sql(_KNOWN).to_arrow_table()

        return self._read(read)

    def directories(self, root: str) -> list[str]:
        below = _BELOW.format(column="directory")
        query = f"SELECT DISTINCT directory FROM stored.files WHERE retired_at IS NULL AND {below}"

        def read(connection: duckdb.DuckDBPyConnection) -> list[str]:
            rows = connection.sql(query, params={"root": root}).fetchall()
            return sorted(directory for (directory,) in rows)

        return self._read(read)

    def upsert(self, batch: Batch) -> Upserted:
        with self._file.writing() as connection:
            return _upsert(connection, batch)

    def retire(self, places: Sequence[str], at: dt.datetime) -> int:
        with self._file.writing() as connection:
            _close_failures(connection, places, at)
            return _run(
                connection,
                "UPDATE stored.files SET retired_at = $at WHERE retired_at IS NULL"
                " AND file_path_normalized IN (SELECT place FROM gone)",
                {"at": at},
            )

    def stale_failures(self, root: str, before: dt.datetime) -> pa.Table:
        def read(connection: duckdb.DuckDBPyConnection) -> pa.Table:
            params = {"root": root, "before": before}
            return connection.sql(_STALE_FAILURES, params=params).to_arrow_table()

        return self._read(read)

    def close_failures(self, places: Sequence[str], at: dt.datetime) -> int:
        with self._file.writing() as connection:
            return _close_failures(connection, places, at)

    def record_scan(self, row: pa.Table, *, patient: bool = True) -> None:
        with self._file.writing(patient=patient) as connection:
            connection.register("run", row)
            _run(connection, "DELETE FROM scans WHERE scan_id IN (SELECT scan_id::UUID FROM run)")
            _run(connection, "INSERT INTO scans BY NAME SELECT * FROM run")

    def rows_of(self, part: Slice) -> Batch:
        return self._read(lambda connection: duckmove.rows_of(connection, part))

    def child_counts(self, part: Slice) -> pa.Table:
        return self._read(lambda connection: duckmove.child_counts(connection, part))

    def add_rows(self, batch: Batch) -> int:
        with self._file.writing() as connection:
            return duckmove.add_rows(connection, batch)

    def add_scans(self, rows: pa.Table) -> int:
        with self._file.writing() as connection:
            return duckmove.add_scans(connection, rows)

    def nearest(
        self,
        vector: NDArray[np.float32],
        column: VectorColumn,
        *,
        limit: int,
        where: str | None,
        by_sequence: bool,
    ) -> pa.Table:
        query = nearest_query(
            column.value, len(vector), where, by_sequence=by_sequence, files=files_with_distance
        )
        params = {"vector": vector.tolist(), "version": EMBEDDING_VERSION, "k": limit}

        def read(connection: duckdb.DuckDBPyConnection) -> pa.Table:
            if where is not None:
                require_text(where)
                # Refuses what would slip past the brackets that the condition is put in.
                duckdb.SQLExpression(where)
            return connection.sql(query, params=params).to_arrow_table()

        return self._read(read, users_sql=where is not None)

    def sql(self, statement: str) -> pa.Table:
        def read(connection: duckdb.DuckDBPyConnection) -> pa.Table:
            require_single(connection, statement)
            relation = connection.sql(statement)
            if relation is None:
                raise UsageError("the statement returns no rows; give a SELECT")
            return relation.to_arrow_table()

        return self._read(read, users_sql=True)

    def close(self) -> None:
        """Nothing is held open between calls."""

    def _read(
        self, work: Callable[[duckdb.DuckDBPyConnection], T], *, users_sql: bool = False
    ) -> T:
        with self._reading(users_sql) as connection:
            return work(connection)

    def _reading(self, users_sql: bool) -> AbstractContextManager[duckdb.DuckDBPyConnection]:
        if not self._file.exists():
            raise SchemaMismatch(f"no catalog at {self._file.path} yet; run: exrindex scan PATH")
        return self._file.reading(users_sql=users_sql)

    def _named(self, work: Callable[[], T]) -> T:
        """Say in a schema error which file it is about."""
        try:
            return work()
        except SchemaMismatch as error:
            raise SchemaMismatch(f"{self._file.path}: {error}") from None


def _upsert(connection: duckdb.DuckDBPyConnection, batch: Batch) -> Upserted:
    require_places_once(batch)
    names = ["file_path_normalized", "directory"]
    incoming = pa.concat_tables([batch[table].select(names) for table in ("files", "failures")])
    connection.register("incoming", incoming)
    plan = plan_upsert(
        batch,
        connection.sql(_EXISTING).to_arrow_table(),
        connection.sql(_FAILING).to_arrow_table(),
        dt.datetime.now(dt.UTC),
    )
    if plan.insert:
        _insert(connection, batch, plan.insert)
    for name, rows, statement in (
        ("touched", plan.touch, _TOUCH),
        ("replaced", plan.retire, _RETIRE),
        ("resolved", plan.resolve, _RESOLVE_FAILURES),
        ("repeated", plan.repeat, _REPEAT_FAILURES),
        ("failing", plan.fail, "INSERT INTO failures BY NAME SELECT * FROM failing"),
    ):
        if rows.num_rows:
            connection.register(name, rows)
            _run(connection, statement)
    return plan.counts


def _close_failures(
    connection: duckdb.DuckDBPyConnection, places: Sequence[str], at: dt.datetime
) -> int:
    """Close open failures and leave the places registered as ``gone``."""
    connection.register("gone", pa.table({"place": pa.array(places, pa.string())}))
    return _run(
        connection,
        "UPDATE failures SET resolved_at = $at WHERE resolved_at IS NULL"
        " AND file_path_normalized IN (SELECT place FROM gone)",
        {"at": at},
    )


def _insert(connection: duckdb.DuckDBPyConnection, batch: Batch, file_ids: list[str]) -> None:
    """Insert the rows of these files into ``files`` and its children."""
    everything = len(file_ids) == batch["files"].num_rows
    wanted = pa.array(file_ids, pa.string())
    for table in ("files", *CHILD_TABLES):
        rows = batch[table]
        if not everything:
            rows = rows.filter(pc.is_in(rows["file_id"], value_set=wanted))
        insert(connection, table, rows)


def _run(
    connection: duckdb.DuckDBPyConnection, statement: str, params: dict[str, object] | None = None
) -> int:
    """Execute a statement and return how many rows it changed."""
    ((count,),) = connection.execute(statement, params or {}).fetchall()
    return int(count)
