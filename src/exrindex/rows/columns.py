"""Columns and tables from Python values, and what rows of all kinds share."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from exrindex.tables import batch_schema

PathMaps = Sequence[tuple[str, str]]

# What Python's datetime can hold, the years 1 to 9999; file systems can say more.
_EARLIEST_US, _LATEST_US = -62_135_596_800_000_000, 253_402_300_799_999_999


def to_microseconds(mtime_ns: int) -> int:
    """A modification time as the tables hold it, at the edge where it is out of their range."""
    return min(max(mtime_ns // 1000, _EARLIEST_US), _LATEST_US)


def columns_of(
    schema: pa.Schema, names: Iterable[str], rows: Sequence[tuple[Any, ...]]
) -> dict[str, pa.Array]:
    """The named columns, from row tuples in the order of the names."""
    names = list(names)
    columns = zip(*rows, strict=True) if rows else iter([()] * len(names))
    return {
        name: pa.array(values, schema.field(name).type)
        for name, values in zip(names, columns, strict=True)
    }


def table_of(table: str, columns: dict[str, pa.Array]) -> pa.Table:
    """A table of the contract from ready columns."""
    schema = batch_schema(table)
    return pa.table([columns[name] for name in schema.names], schema=schema)


def constant(value: Any, count: int, kind: pa.DataType) -> pa.Array:
    """One value, so many times."""
    return pa.repeat(pa.scalar(value, kind), count)


def vectors_of(
    vectors: Sequence[NDArray[np.float32] | None], kind: pa.FixedSizeListType
) -> pa.DictionaryArray:
    """Vectors of the length that ``kind`` has, each object once."""
    numbers: dict[int, int] = {}
    distinct: list[NDArray[np.float32]] = []
    for vector in vectors:
        if vector is not None and id(vector) not in numbers:
            numbers[id(vector)] = len(distinct)
            distinct.append(vector)
    rows = [None if vector is None else numbers[id(vector)] for vector in vectors]
    flat = np.concatenate(distinct) if distinct else np.empty(0, np.float32)
    dictionary = pa.FixedSizeListArray.from_arrays(pa.array(flat, pa.float32()), type=kind)
    return pa.DictionaryArray.from_arrays(pa.array(rows, pa.int32()), dictionary)
