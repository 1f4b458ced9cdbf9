"""SQL over tables that are elsewhere: an embedded DuckDB, fed with the columns a statement needs.

Which those are is read off DuckDB's own plan of the statement over empty tables, so the binder's
errors are also the same as the embedded catalog's.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple, TypeAlias

import duckdb
import orjson
import pyarrow as pa

from exrindex.errors import UsageError
from exrindex.store.duckfile import interruptible, require_single, require_text, translate
from exrindex.store.ducklayout import column_type
from exrindex.tables import TABLES

# Gives the batches of some columns of a table, in the contract's order; called once per scan.
Feed: TypeAlias = Callable[[str, list[str]], Iterator[pa.RecordBatch]]

_MEMORY = "1GB"
# The one thing that the plan is asked to be clever about: everything else may hide columns, or
# whole tables that look empty.
_PRUNES = ("unused_columns", "cte_inlining")

Parameters: TypeAlias = Mapping[str, Any]


class Scans(NamedTuple):
    """What a statement reads: table → columns, and which tables it reads more than once."""

    columns: dict[str, list[str]]
    repeated: frozenset[str]


def plan(statement: str, where: str, parameters: Parameters | None = None) -> Scans:
    """What a statement would read. Raises ``UsageError`` if it is wrong or would write."""
    with _connection(where) as connection:
        names = connection.sql("SELECT name FROM duckdb_optimizers()").fetchall()
        disabled = ",".join(name for (name,) in names if name not in _PRUNES)
        connection.execute(f"SET disabled_optimizers = '{disabled}'")
        for table, schema in TABLES.items():
            listed = ", ".join(f"{_quoted(field.name)} {column_type(field)}" for field in schema)
            connection.execute(f"CREATE TABLE {table} ({listed})")
        _lock(connection)
        _require_select(connection, statement)
        explained = connection.execute(
            f"EXPLAIN (FORMAT JSON) {statement}", dict(parameters or {})
        ).fetchall()
    columns: dict[str, set[str]] = {}
    counts: Counter[str] = Counter()
    for table, read in _scans_of(orjson.loads(explained[0][1])):
        columns.setdefault(table, set()).update(read)
        counts[table] += 1
    ordered = {
        table: [name for name in TABLES[table].names if name in read]
        for table, read in columns.items()
    }
    return Scans(ordered, frozenset(table for table, n in counts.items() if n > 1))


def run(
    statement: str, scans: Scans, feed: Feed, where: str, parameters: Parameters | None = None
) -> pa.Table:
    """Run a planned statement over what ``feed`` gives, in bounded memory; disk takes the rest."""
    with TemporaryDirectory(prefix="exrindex-") as folder, _connection(where) as connection:
        connection.execute(f"SET temp_directory = '{folder}'")
        connection.execute(f"SET memory_limit = '{_MEMORY}'")
        _lock(connection)
        for table in TABLES:
            columns = scans.columns.get(table)
            if columns is None:
                _make_view(connection, table, [], None)
                continue
            columns = columns or [_cheapest(table)]
            reader = pa.RecordBatchReader.from_batches(
                pa.schema([(name, field_type(table, name)) for name in columns]),
                feed(table, columns),
            )
            connection.register(f"fed_{table}", reader)
            if table in scans.repeated:
                listed = ", ".join(f'"{name}"' for name in columns)
                connection.execute(f"CREATE TABLE kept_{table} AS SELECT {listed} FROM fed_{table}")
                _make_view(connection, table, columns, f"kept_{table}")
            else:
                _make_view(connection, table, columns, f"fed_{table}")
        relation = connection.sql(statement, params=dict(parameters or {}))
        if relation is None:
            raise UsageError("the statement returns no rows; give a SELECT")
        return relation.to_arrow_table()


def require_condition(where: str, store: str) -> None:
    """Refuse what would slip past the brackets that a condition is put in."""
    require_text(where)
    with _connection(store):
        duckdb.SQLExpression(where)


def field_type(table: str, name: str) -> pa.DataType:
    """The type that a column is fed with."""
    return TABLES[table].field(name).type


def _require_select(connection: duckdb.DuckDBPyConnection, statement: str) -> None:
    """Refuse what is not one statement that only reads."""
    require_single(connection, statement)
    kind = connection.extract_statements(statement)[0].type
    if kind == duckdb.StatementType.MULTI:
        # It would be asked twice: for its values first.
        raise UsageError("on VAST a PIVOT has to name its values: PIVOT ... ON column IN (...)")
    if kind != duckdb.StatementType.SELECT:
        raise UsageError(f"the statement is a {kind.name}; on VAST only a SELECT is run")


@contextmanager
def _connection(where: str) -> Iterator[duckdb.DuckDBPyConnection]:
    """A database in memory whose errors are the user's, as all the SQL is."""
    connection = duckdb.connect(":memory:")
    try:
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_progress_bar = false")
        with interruptible(connection):
            yield connection
    except duckdb.Error as error:
        raise translate(error, where, users_sql=True) from error
    finally:
        connection.close()


def _lock(connection: duckdb.DuckDBPyConnection) -> None:
    """Let what the user wrote reach no file and no variable of this program."""
    connection.execute("SET python_enable_replacements = false")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")


def _scans_of(node: Any, times: int = 1) -> Iterator[tuple[str, list[str]]]:
    """Table and columns of every scan in a plan, as often as it is made (twice means often)."""
    if isinstance(node, list):
        for child in node:
            yield from _scans_of(child, times)
        return
    found = node.get("extra_info", {})
    # With its database and schema in front, or without, as the release likes.
    table = str(found.get("Table", "")).rpartition(".")[2]
    if table in TABLES:
        read = found.get("Projections") or []
        yield from [(table, [read] if isinstance(read, str) else list(read))] * times
    # A recursive CTE goes round until nothing new comes.
    is_round = str(node.get("name", "")).strip() in ("REC_CTE", "REC_KEY_CTE", "RECURSIVE_CTE")
    yield from _scans_of(node.get("children", []), 2 if is_round else times)


def _make_view(
    connection: duckdb.DuckDBPyConnection, table: str, columns: list[str], source: str | None
) -> None:
    """A view with all columns of a table; those that are not read are null."""
    listed = ", ".join(
        f"CAST({_quoted(field.name) if field.name in columns else 'NULL'} AS {column_type(field)})"
        f" AS {_quoted(field.name)}"
        for field in TABLES[table]
    )
    origin = f"FROM {source}" if source else "WHERE false"
    connection.execute(f"CREATE VIEW {table} AS SELECT {listed} {origin}")


def _quoted(name: str) -> str:
    return f'"{name}"'


def _cheapest(table: str) -> str:
    """A column to count rows by."""
    names: list[str] = TABLES[table].names
    return next((name for name in names if field_type(table, name) == pa.int64()), names[0])
