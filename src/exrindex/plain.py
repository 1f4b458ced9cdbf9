"""Arrow tables as rows of plain values that JSON has words for."""

from __future__ import annotations

import base64
import datetime as dt
from decimal import Decimal
from itertools import count as counting
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from exrindex.document import json_float
from exrindex.errors import UsageError
from exrindex.model import JSONValue

_INFINITE = "infinity"


def plain_rows(table: pa.Table) -> list[dict[str, JSONValue]]:
    """One dict per row, in column order.

    Times become ISO 8601 text in UTC, infinite ones "infinity" or "-infinity", non-finite floats
    "NaN", "Infinity" or "-Infinity", bytes base64, integers beyond 64 bits text. Columns of one
    name are told apart by ``_1``, ``_2``.
    """
    names = _distinct(table.column_names)
    columns = [[_plain(value) for value in _values(column)] for column in table.columns]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _values(column: pa.ChunkedArray) -> list[Any]:
    kind = column.type
    # As text of another zone Arrow would need a time zone database, which small systems lack.
    if pa.types.is_timestamp(kind) and kind.tz is not None:
        moments = _values(column.cast(pa.timestamp(kind.unit)))
        infinite = (None, _INFINITE, f"-{_INFINITE}")
        return [m if m in infinite else f"{_plain(m)}Z" for m in moments]
    try:
        values: list[Any] = column.to_pylist()
    except (OverflowError, ValueError):
        if pa.types.is_timestamp(kind) or pa.types.is_date32(kind):
            return _moments(column)
        raise UsageError(f"{kind}: times out of range; cast it to TEXT") from None
    return values


def _moments(column: pa.ChunkedArray) -> list[Any]:
    """Times that Python's have no room for; DuckDB's infinities are the largest counts."""
    counts = column.cast(pa.int64() if pa.types.is_timestamp(column.type) else pa.int32())
    largest = 2 ** (counts.type.bit_width - 1) - 1
    is_infinite = pc.is_in(counts, pa.array([largest, -largest], counts.type))
    finite = pc.if_else(is_infinite, pa.scalar(None, column.type), column)
    if finite.null_count == column.null_count:
        # Beyond the year 9999 or finer than a microsecond; Arrow can say it.
        return list(column.cast(pa.string()).to_pylist())
    infinite = {None: None, largest: _INFINITE, -largest: f"-{_INFINITE}"}
    return [
        infinite[count] if moment is None else moment
        for moment, count in zip(_values(finite), counts.to_pylist(), strict=True)
    ]


def _plain(value: Any) -> JSONValue:
    match value:
        case None | bool() | str():
            return value
        case int():
            return value if -(2**63) <= value < 2**64 else str(value)
        case float():
            return json_float(value)
        case Decimal():
            return _plain(int(value)) if value == value.to_integral_value() else float(value)
        case dict():
            return {str(key): _plain(item) for key, item in value.items()}
        case list():
            return [_plain(item) for item in value]
        case tuple():
            return [_plain(item) for item in value]
        case bytes():
            return base64.b64encode(value).decode()
        case dt.datetime():
            return _iso(value)
        case _:
            return str(value)


def _iso(moment: dt.datetime) -> str:
    return moment.isoformat(timespec="microseconds")


def _distinct(names: list[str]) -> list[str]:
    taken = set(names)
    seen: set[str] = set()
    distinct = []
    for name in names:
        new = name
        if name in seen:
            new = next(n for i in counting(1) if (n := f"{name}_{i}") not in taken)
        taken.add(new)
        seen.add(name)
        distinct.append(new)
    return distinct
