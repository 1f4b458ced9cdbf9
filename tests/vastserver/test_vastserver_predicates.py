"""Filters as the SDK encodes them against a second opinion in plain Python."""

from __future__ import annotations

import datetime as dt
import operator
from collections.abc import Callable
from decimal import Decimal
from functools import reduce
from typing import Any

import ibis
import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st
from vastdb._internal import build_query_data_request

from vastserver.block import Block
from vastserver.database import Column, Definition, Table
from vastserver.query import check_columns, read_query
from vastserver.selection import Selection, SubSplit

VECTOR = pa.list_(pa.field("item", pa.int16(), nullable=False), 2)
MOMENTS = [dt.datetime(2024, 1, day, 12, 0, 0, day) for day in (1, 2, 3, 4)]
# Columns with a few values each, so that predicates often hit.
VALUES: dict[str, tuple[pa.DataType, list[Any]]] = {
    "i8": (pa.int8(), [-128, -1, 0, 1, 127]),
    "i64": (pa.int64(), [-(2**63), -5, 0, 7, 2**63 - 1]),
    "u64": (pa.uint64(), [0, 1, 2**63, 2**64 - 1]),
    "f32": (pa.float32(), [-1.5, -0.0, 0.0, 0.25, float("inf")]),
    "f64": (pa.float64(), [-1e300, -0.0, 0.0, 0.1, float("nan")]),
    "b": (pa.bool_(), [False, True]),
    "s": (pa.string(), ["", "a", "ab", "abc", "b", "ä", "\U0001f600", "a\x7f", "%_"]),
    "bin": (pa.binary(), [b"", b"\0", b"\0\xff", b"\xff"]),
    "d": (pa.decimal128(9, 2), [Decimal("0.00"), Decimal("1.25"), Decimal("3.50")]),
    "date": (pa.date32(), [moment.date() for moment in MOMENTS]),
    "at": (pa.timestamp("us"), MOMENTS),
    "t": (pa.time64("us"), [moment.time() for moment in MOMENTS]),
    "v": (VECTOR, [[0, 0], [0, 1], [1, 0], [1, -5]]),
    "st": (
        pa.struct([("x", pa.int32()), ("y", pa.struct([("z", pa.string())]))]),
        [{"x": x, "y": y} for x in (1, 2, None) for y in ({"z": "a"}, {"z": None}, None)],
    ),
}
# What they are compared with, where that is something else: ibis takes no larger numbers, no
# decimals and no NaN.
LITERALS: dict[str, list[Any]] = {
    "u64": [0, 1, 2**62],
    "f64": [-1e300, -0.0, 0.0, 0.1],
    "d": [0.0, 1.25, 3.5],
    "st.x": [1, 2, 3],
    "st.y.z": ["a", "b"],
}
# More values to compare with, so that there are many.
FILLERS: dict[str, list[Any]] = {
    "i64": list(range(1000, 1010)),
    "u64": list(range(1000, 1010)),
    "f32": [1000.0 + number for number in range(10)],
    "f64": [1000.0 + number for number in range(10)],
    "s": [f"filler {number}" for number in range(10)],
    "bin": [bytes([number, 7]) for number in range(10)],
}
SCHEMA = pa.schema([(name, kind) for name, (kind, _) in VALUES.items()])
TABLE = ibis.table(ibis.Schema.from_pyarrow(SCHEMA), "t")
ROWS = 40
COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    name: getattr(operator, name) for name in ("eq", "ne", "lt", "le", "gt", "ge")
}

Test = tuple[Any, Callable[[Any], bool]]


def _compared(column: Any, name: str, value: Any) -> Test:
    compare = COMPARISONS[name]
    return compare(column, value), lambda cell: cell is not None and compare(cell, value)


def _one_of(column: Any, values: list[Any]) -> Test:
    return column.isin(
        values
    ), lambda cell: cell is not None and any(cell == value for value in values)


def _between(column: Any, low: Any, high: Any) -> Test:
    return column.between(low, high), lambda cell: cell is not None and low <= cell <= high


def _with_text(column: Any, kind: str, text: str) -> Test:
    if kind == "contains" and text:
        return column.contains(text), lambda cell: cell is not None and text in cell
    return column.startswith(text), lambda cell: cell is not None and cell.startswith(text)


@st.composite
def _tests(draw: st.DrawFn) -> tuple[str, list[Test]]:
    """A column, by the way to it, and conditions on it that are joined by OR."""
    path = draw(st.sampled_from([*(n for n in VALUES if n != "st"), "st.x", "st.y.z"]))
    column: Any = reduce(lambda node, name: node[name], path.split("."), TABLE)
    values = LITERALS.get(path) or VALUES[path][1]
    value = st.sampled_from(values)
    kinds = ["null", "valid", "compare"]
    if path != "v":
        kinds += ["isin", "many", "between"]
    if path in ("s", "st.y.z"):
        kinds += ["starts", "contains"]
    found: list[Test] = []
    for kind in draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=3)):
        if kind == "null":
            found.append((column.isnull(), lambda cell: cell is None))
        elif kind == "valid":
            found.append((~column.isnull(), lambda cell: cell is not None))
        elif kind == "compare":
            found.append(_compared(column, draw(st.sampled_from([*COMPARISONS])), draw(value)))
        elif kind == "isin":
            found.append(_one_of(column, draw(st.lists(value, min_size=1, max_size=3))))
        elif kind == "many":
            found.append(_one_of(column, [*values, *FILLERS.get(path, ())]))
        elif kind == "between":
            found.append(_between(column, draw(value), draw(value)))
        else:
            text = draw(st.sampled_from(["a", "ab", "ä", "\U0001f600", "%", ""]))
            found.append(_with_text(column, kind, text))
    return path, found


@st.composite
def _cells(draw: st.DrawFn) -> dict[str, list[Any]]:
    """All columns with the same random places, and nulls among their values."""
    seed = draw(st.integers(0, 2**32 - 1))
    source = np.random.default_rng(seed)
    return {
        name: [
            None if place == len(values) else values[place]
            for place in source.integers(0, len(values) + 1, ROWS).tolist()
        ]
        for name, (_, values) in VALUES.items()
    }


def _table(cells: dict[str, list[Any]], dead: list[bool]) -> Table:
    """Two blocks, with gaps between row ids and some rows deleted."""
    columns = tuple(Column(number + 1, field) for number, field in enumerate(SCHEMA))
    arrays = [pa.array(cells[field.name], field.type) for field in SCHEMA]
    half = ROWS // 2
    blocks = [
        Block(
            np.arange(start, start + half) * 3,
            {number + 1: array.slice(start, half) for number, array in enumerate(arrays)},
            np.array(dead[start : start + half]),
        )
        for start in (0, half)
    ]
    return Table(Definition(1, 1, "t", columns), tuple(blocks))


def _cell(cells: dict[str, list[Any]], path: str, row: int) -> Any:
    name, *below = path.split(".")
    value = cells[name][row]
    for step in below:
        value = None if value is None else value[step]
    return value


@settings(max_examples=150)
@given(
    st.lists(_tests(), max_size=3), _cells(), st.lists(st.booleans(), min_size=ROWS, max_size=ROWS)
)
def test_filters_mean_what_python_means(
    conditions: list[tuple[str, list[Test]]], cells: dict[str, list[Any]], dead: list[bool]
) -> None:
    ors = [reduce(operator.or_, (found[0] for found in tests)) for _, tests in conditions]
    predicate = reduce(operator.and_, ors) if ors else None
    request = build_query_data_request(SCHEMA, predicate, ["i64"])
    table = _table(cells, dead)
    query = read_query(bytes(request.serialized))
    check_columns(query, table.definition)
    page = Selection(table, query).page(SubSplit(0, 1, 8), 0, 1000)
    row_ids = [i for s in page.slices for i in s.part.row_ids[s.start : s.stop].tolist()]
    expected = [
        row
        for row in range(ROWS)
        if not dead[row]
        and all(
            any(holds(_cell(cells, path, row)) for _, holds in tests) for path, tests in conditions
        )
    ]
    assert [row_id // 3 for row_id in row_ids] == expected
    values = page.column(query.wanted[0], pa.int64()).to_pylist()
    assert values == [cells["i64"][row] for row in expected]


def test_thousands_of_literals_are_read_at_once() -> None:
    wanted = list(range(0, 6_000, 2))
    request = build_query_data_request(SCHEMA, TABLE["i64"].isin(wanted), ["i64"])
    columns = tuple(Column(number + 1, field) for number, field in enumerate(SCHEMA))
    block = Block(np.arange(9_000), {2: pa.array(range(9_000), pa.int64())})
    table = Table(Definition(1, 1, "t", columns), (block,))
    selection = Selection(table, read_query(bytes(request.serialized)))
    assert selection.parts[0].row_ids.tolist() == wanted
