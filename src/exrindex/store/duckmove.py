"""Moving rows into and out of a DuckDB catalog, inside a transaction of its caller."""

from __future__ import annotations

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from exrindex.store.base import Slice
from exrindex.store.conform import conform
from exrindex.store.ducklayout import insert, rows_table
from exrindex.store.merge import (
    RENEWED_FAILURES,
    RENEWED_FILES,
    STANDING_FAILURES,
    STANDING_FILES,
    plan_merge,
)
from exrindex.tables import CHILD_TABLES, ID_COLUMNS, TABLES, Batch

_SLICE = "directory IN (SELECT directory FROM wanted) AND starts_with(file_id::VARCHAR, $prefix)"


def rows_of(connection: duckdb.DuckDBPyConnection, part: Slice) -> Batch:
    """See ``Store.rows_of``."""
    params = _register(connection, part)
    batch = {"files": _ask(connection, "files", _SLICE, params)}
    mine = f"file_id IN (SELECT file_id FROM stored.files WHERE {_SLICE})"
    for table in CHILD_TABLES:
        batch[table] = _ask(connection, table, mine, params)
    failures = "directory IN (SELECT directory FROM wanted)" if part.failures else "false"
    batch["failures"] = _ask(connection, "failures", failures, {})
    return batch


def child_counts(connection: duckdb.DuckDBPyConnection, part: Slice) -> pa.Table:
    """See ``Store.child_counts``."""
    counts = ", ".join(
        f"(SELECT count(*) FROM {rows_table(table)} c WHERE c.file_id = f.file_id) AS {table}"
        for table in CHILD_TABLES
    )
    query = f"SELECT f.file_id::VARCHAR AS file_id, {counts} FROM stored.files f WHERE {_SLICE}"
    return connection.sql(query, params=_register(connection, part)).to_arrow_table()


def add_rows(connection: duckdb.DuckDBPyConnection, batch: Batch) -> int:
    """See ``Store.add_rows``."""
    directories = pa.concat_tables(
        [batch[name].select(["directory"]) for name in ("files", "failures")]
    )
    connection.register("wanted", directories)
    standing = {
        table: _ask(connection, table, "directory IN (SELECT directory FROM wanted)", {}, names)
        for table, names in (("files", STANDING_FILES), ("failures", STANDING_FAILURES))
    }
    plan = plan_merge(batch, standing["files"], standing["failures"])
    new = {"files": plan.insert, "failures": plan.fail}
    ids = plan.insert["file_id"].combine_chunks()
    for table in CHILD_TABLES:
        new[table] = batch[table].filter(pc.is_in(batch[table]["file_id"], value_set=ids))
    for table, rows in new.items():
        insert(connection, table, rows)
    for name, rows, statement in (
        ("retired", plan.retire, _RETIRE),
        ("resolved", plan.resolve, _RESOLVE),
        ("renewed", plan.renew, _RENEW),
        ("refailed", plan.refail, _REFAIL),
    ):
        connection.register(name, rows)
        connection.execute(statement)
    return int(plan.insert.num_rows + plan.renew.num_rows)


def add_scans(connection: duckdb.DuckDBPyConnection, rows: pa.Table) -> int:
    """See ``Store.add_scans``."""
    connection.register("moved", rows)
    connection.execute(
        "DELETE FROM scans USING moved m WHERE scans.scan_id = m.scan_id::UUID"
        " AND scans.finished_at IS NULL AND m.finished_at IS NOT NULL"
    )
    ((count,),) = connection.execute(
        "INSERT INTO scans BY NAME SELECT * FROM moved WHERE scan_id::UUID NOT IN"
        " (SELECT scan_id FROM scans)"
    ).fetchall()
    return int(count)


def _set(names: list[str]) -> str:
    return ", ".join(f'"{name}" = n."{name}"' for name in names)


_RETIRE = (
    "UPDATE stored.files SET retired_at = r.at FROM retired r WHERE files.file_id = r.file_id::UUID"
)
_RESOLVE = (
    "UPDATE failures SET resolved_at = r.at FROM resolved r"
    " WHERE failures.file_path_normalized = r.place AND resolved_at IS NULL"
)
_RENEW = (
    f"UPDATE stored.files SET {_set(RENEWED_FILES)} FROM renewed n"
    " WHERE files.file_id = n.file_id::UUID"
)
_REFAIL = (
    f"UPDATE failures SET {_set(RENEWED_FAILURES)} FROM refailed n"
    " WHERE failures.file_path_normalized = n.file_path_normalized"
    " AND failures.first_seen = n.first_seen"
)


def _register(connection: duckdb.DuckDBPyConnection, part: Slice) -> dict[str, str]:
    connection.register("wanted", pa.table({"directory": pa.array(part.directories, pa.string())}))
    return {"prefix": part.prefix}


def _ask(
    connection: duckdb.DuckDBPyConnection,
    table: str,
    condition: str,
    params: dict[str, str],
    names: list[str] | None = None,
) -> pa.Table:
    """Rows of a table in the contract's types."""
    schema = pa.schema([TABLES[table].field(name) for name in names or TABLES[table].names])
    listed = ", ".join(
        f'"{name}"::VARCHAR AS "{name}"' if name in ID_COLUMNS else f'"{name}"'
        for name in schema.names
    )
    query = f"SELECT {listed} FROM {table} WHERE {condition}"
    return conform(connection.sql(query, params=params).to_arrow_table(), schema)
