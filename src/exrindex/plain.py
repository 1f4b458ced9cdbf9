"""Arrow tables as rows of plain values that JSON has words for."""

from __future__ import annotations

import base64
import datetime as dt
from decimal import Decimal
from typing import Any

import pyarrow as pa

from exrindex.document import json_float
from exrindex.errors import UsageError
from exrindex.model import JSONValue


def plain_rows(table: pa.Table) -> list[dict[str, JSONValue]]:
    """One dict per row, in column order.

    Times become ISO 8601 text in UTC, non-finite floats "NaN", "Infinity" or "-Infinity", bytes
    base64. Two columns of one name are told apart by ``_1``, ``_2``.
    """
    names = _distinct(table.column_names)
    columns = [[_plain(value) for value in _values(column)] for column in table.columns]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _values(column: pa.ChunkedArray) -> list[Any]:
    # As text of another zone Arrow would need a time zone database, which small systems lack.
    if pa.types.is_timestamp(column.type) and column.type.tz is not None:
        moments = _values(column.cast(pa.timestamp(column.type.unit)))
        return [moment and f"{_plain(moment)}Z" for moment in moments]
    try:
        values: list[Any] = column.to_pylist()
    except (OverflowError, ValueError):
        # Infinite, beyond the year 9999 or finer than Python's datetime; Arrow can say it.
        try:
            values = column.cast(pa.string()).to_pylist()
        except pa.ArrowNotImplementedError as error:
            raise UsageError(f"{column.type}: times out of range; cast it to TEXT") from error
    return values


def _plain(value: Any) -> JSONValue:
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return json_float(value)
        case Decimal():
            return int(value) if value == value.to_integral_value() else float(value)
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
    seen: dict[str, int] = {}
    distinct = []
    for name in names:
        count = seen.get(name, 0)
        seen[name] = count + 1
        distinct.append(f"{name}_{count}" if count else name)
    return distinct
