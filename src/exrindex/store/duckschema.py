"""The tables in DuckDB: making them, telling whether they are ours, and checking their rows."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

import duckdb

from exrindex.errors import SchemaMismatch
from exrindex.store.base import SchemaState
from exrindex.store.ducklayout import stored_tables, views
from exrindex.tables import SCHEMA_VERSION

# How the tables say whose they are and of which version.
_MARK = f"exrindex schema {SCHEMA_VERSION}"
_NAME = "if(schema_name = 'main', '', schema_name || '.') || table_name"

CREATE = "exrindex schema create"
RENEW = "scan into another file with --store, or move this one away and scan again"


def create_tables(connection: duckdb.DuckDBPyConnection) -> bool:
    """Make what is missing; False if nothing was."""
    present = _present_tables(connection)
    differences = _differences(connection, present)
    if differences:
        raise _mismatch(differences)
    connection.execute("CREATE SCHEMA IF NOT EXISTS stored")
    for table, columns in stored_tables().items():
        if table in present:
            continue
        listed = ", ".join(f'"{name}" {kind} {more}' for name, (kind, more) in columns.items())
        connection.execute(f"CREATE TABLE {table} ({listed})")
        connection.execute(f"COMMENT ON TABLE {table} IS '{_MARK}'")
    for view, query in views().items():
        if view not in present:
            connection.execute(f"CREATE VIEW {view} AS {query}")
            connection.execute(f"COMMENT ON VIEW {view} IS '{_MARK}'")
    return bool(_missing(present))


def schema_state(connection: duckdb.DuckDBPyConnection) -> SchemaState:
    """Whose tables these are."""
    present = _present_tables(connection)
    if not present:
        everything = connection.sql("SELECT count(*) FROM duckdb_tables()").fetchall()
        return SchemaState.FOREIGN if everything[0][0] else SchemaState.NEW
    if _missing(present) or _differences(connection, present):
        return SchemaState.INCOMPATIBLE
    return SchemaState.READY


def require_ready(connection: duckdb.DuckDBPyConnection) -> None:
    """Raise ``SchemaMismatch`` unless the tables are the ones this version writes."""
    state = schema_state(connection)
    if state is SchemaState.READY:
        return
    if state is SchemaState.NEW:
        raise SchemaMismatch(f"it is empty; run: {CREATE}")
    if state is SchemaState.FOREIGN:
        raise SchemaMismatch(
            "it is a DuckDB database of something else; name another file with --store, or run "
            f"`{CREATE}` to put the tables of exrindex beside those"
        )
    present = _present_tables(connection)
    differences = _differences(connection, present)
    if differences:
        raise _mismatch(differences)
    missing = ", ".join(_missing(present))
    raise SchemaMismatch(f"it has no table {missing}; run: {CREATE}")


class _Present(NamedTuple):
    """Something of one of our names; the comment tells whether it is ours."""

    kind: str
    comment: str | None


def _present_tables(connection: duckdb.DuckDBPyConnection) -> dict[str, _Present]:
    """Our names that exist."""
    known = stored_tables().keys() | views().keys()
    tables = connection.sql(f"SELECT {_NAME}, comment FROM duckdb_tables()").fetchall()
    seen = connection.sql(
        "SELECT view_name, comment FROM duckdb_views() WHERE schema_name = 'main' AND NOT internal"
    ).fetchall()
    found = {name: _Present("table", comment) for name, comment in tables if name in known}
    return found | {name: _Present("view", comment) for name, comment in seen if name in known}


def _missing(present: Collection[str]) -> list[str]:
    return [name for name in (*stored_tables(), *views()) if name not in present]


def _differences(connection: duckdb.DuckDBPyConnection, present: dict[str, _Present]) -> list[str]:
    """How the tables that exist differ from the contract, each as one phrase."""
    found: dict[tuple[str, str], str] = {
        (table, column): kind
        for table, column, kind in connection.sql(
            f"SELECT {_NAME}, column_name, data_type FROM duckdb_columns()"
        ).fetchall()
    }
    differences = []
    for table, (kind, comment) in present.items():
        wanted_kind = "view" if table in views() else "table"
        if kind != wanted_kind:
            differences.append(f"{table} is a {kind} instead of a {wanted_kind}")
        elif comment != _MARK:
            differences.append(f"{kind} {table} says {comment!r} instead of {_MARK!r}")
        for column, wanted in stored_tables().get(table, {}).items():
            has = found.get((table, column))
            if has is None:
                differences.append(f"{table}.{column} is missing")
            elif has != wanted.kind:
                differences.append(f"{table}.{column} is {has} instead of {wanted.kind}")
    return differences


def _mismatch(differences: list[str]) -> SchemaMismatch:
    shown = "; ".join(differences[:5])
    more = f"; and {len(differences) - 5} more" if len(differences) > 5 else ""
    return SchemaMismatch(
        f"its tables are not the ones this version of exrindex writes: {shown}{more}; {RENEW}"
    )
