from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from typing import Any

import duckdb
import orjson
import pyarrow as pa
import pytest

from exrindex.plain import plain_rows


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        yield connection


def _rows(connection: duckdb.DuckDBPyConnection, statement: str) -> list[dict[str, Any]]:
    rows = plain_rows(connection.sql(statement).to_arrow_table())
    orjson.dumps(rows)  # raises for what JSON has no word for
    return rows


@pytest.mark.parametrize(
    "names", [["a", "a", "a_1"], ["a_1", "a", "a"], ["a", "a", "a_1", "a_1"], ["a"] * 4, ["", ""]]
)
def test_no_column_is_lost(names: list[str]) -> None:
    table = pa.Table.from_arrays([pa.array([i]) for i in range(len(names))], names=names)
    (row,) = plain_rows(table)
    assert list(row.values()) == list(range(len(names)))
    for name in set(names):
        assert row[name] == names.index(name)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("18446744073709551615::UBIGINT", 2**64 - 1),
        ("18446744073709551616::HUGEINT", "18446744073709551616"),
        ("-9223372036854775807::BIGINT - 1", -(2**63)),
        ("-9223372036854775809::HUGEINT", "-9223372036854775809"),
        ("[18446744073709551616::HUGEINT, 1]", ["18446744073709551616", 1]),
        ("{'a': 18446744073709551616::HUGEINT}", {"a": "18446744073709551616"}),
    ],
)
def test_large_integers(
    connection: duckdb.DuckDBPyConnection, expression: str, expected: object
) -> None:
    assert _rows(connection, f"SELECT {expression} AS x") == [{"x": expected}]


@pytest.mark.parametrize(
    ("kind", "day"),
    [
        ("TIMESTAMP", "2026-03-01T00:00:00.000000"),
        ("TIMESTAMPTZ", "2026-03-01T00:00:00.000000Z"),
        ("TIMESTAMP_S", "2026-03-01T00:00:00.000000"),
        ("TIMESTAMP_MS", "2026-03-01T00:00:00.000000"),
        ("TIMESTAMP_NS", "2026-03-01T00:00:00.000000"),
        ("DATE", "2026-03-01"),
    ],
)
def test_infinite_times(connection: duckdb.DuckDBPyConnection, kind: str, day: str) -> None:
    connection.execute("SET TimeZone = 'UTC'")
    rows = _rows(
        connection,
        f"SELECT unnest(['infinity', '-infinity', NULL, '2026-03-01'])::{kind} AS x",
    )
    assert [row["x"] for row in rows] == ["infinity", "-infinity", None, day]


def test_ordinary_times_beside_none() -> None:
    moment = dt.datetime(2026, 3, 1, 12, tzinfo=dt.UTC)
    table = pa.table({"x": pa.array([moment, None], pa.timestamp("us", tz="UTC"))})
    assert [row["x"] for row in plain_rows(table)] == ["2026-03-01T12:00:00.000000Z", None]
