"""Literals of a filter, and the values of columns in the form they are compared in.

Text is compared as bytes (bounds of a prefix need not be text), times as numbers.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa

from vastserver.flatbuffer import Table as Buffer
from vastserver.flatbuffer import Tables as Buffers

_DECIMAL, _FLOAT16, _LIST, _STRING, _BINARY = 15, 16, 19, 22, 23
# Numbers by the tags of Literal.fbs, as numpy lays them out.
_NUMBERS = {
    1: "u1", 2: "<i1", 3: "<i2", 4: "<i4", 5: "<i8", 6: "<u1", 7: "<u2", 8: "<u4", 9: "<u8",
    10: "<i8", 11: "<i8", 12: "<i8", 17: "<f4", 18: "<f8",
}  # fmt: skip


def comparable_type(kind: Any) -> Any:
    if pa.types.is_string(kind) or pa.types.is_fixed_size_binary(kind):
        return pa.binary()
    if pa.types.is_float16(kind):
        return pa.float32()
    if pa.types.is_temporal(kind):
        return pa.int32() if kind.bit_width == 32 else pa.int64()
    return kind


def comparable(values: Any) -> Any:
    kind = comparable_type(values.type)
    if kind.equals(values.type):
        return values
    if pa.types.is_float16(values.type) or pa.types.is_fixed_size_binary(values.type):
        return values.cast(kind)
    return values.view(kind)


def read(expression: Buffer, kind: Any) -> Any:
    """A literal for a column of this type: an array of one value, or of a list's items."""
    literal = expression.table(1)
    if literal is None:
        raise ValueError("a literal is missing")
    if literal.scalar(0, "B") != _LIST:
        return read_all(Buffers(literal.data, np.array([literal.position])), kind)
    items = literal.table(1)
    assert items is not None
    values = read_all(items.tables(0), kind.value_type)
    if len(values) != kind.list_size:
        raise ValueError(f"expected a list of {kind.list_size}, not of {len(values)}")
    return values


def read_all(literals: Buffers, kind: Any) -> Any:
    """Many literals for columns of one type, as an array that comparable values compare with."""
    tags = set(literals.scalars(0, "u1").tolist())
    if len(tags) != 1:
        raise ValueError("literals of different types")
    tag = tags.pop()
    target = comparable_type(kind)
    values = literals.children(1)
    if tag in _NUMBERS:
        numbers = values.scalars(0, _NUMBERS[tag])
        return pa.array(numbers.astype(np.bool_) if tag == 1 else numbers).cast(target)
    if tag == _FLOAT16:
        return pa.array(values.scalars(0, "<u2").view(np.float16)).cast(target)
    if tag == _DECIMAL:
        data = b"".join(values.raws(0))
        return pa.Array.from_buffers(target, len(values), [None, pa.py_buffer(data)])
    if tag in (_STRING, _BINARY):
        return pa.array(values.raws(0), pa.binary()).cast(target)
    raise ValueError(f"unknown literal {tag}")
