"""The answer to a query: frames of Arrow messages, one stream of messages per leaf and page.

A frame is the number of its sub-split, the row id where the sub-split goes on, and a message.
Three numbers that no sub-split has stand for special frames.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence
from typing import Any

import pyarrow as pa

from vastserver.column_commands import END_OF_STREAM

COMPLETED = struct.pack("<I", 0xFFFFFFFE)
# Guess: the error code; clients only show it.
FAILED = struct.pack("<IQI", 0xFFFFFFFD, 500, 0)


def page_frames(sub_split: int, next_row: int, leaves: Sequence[Any], num_rows: int) -> bytes:
    """A page of a sub-split. Without leaves it is one empty batch that counts the rows."""
    head = struct.pack("<IQ", sub_split, next_row)
    batches = [pa.record_batch([leaf], names=[""]) for leaf in leaves] or [_empty(num_rows)]
    frames: list[Any] = []
    for batch in batches:
        frames += (head, batch.schema.serialize(), head, batch.serialize(), head, END_OF_STREAM)
    return b"".join(frames)


def _empty(num_rows: int) -> Any:
    rows = pa.StructArray.from_buffers(pa.struct([]), num_rows, [None])
    return pa.RecordBatch.from_struct_array(rows)


def extract_leaf(array: Any, path: Sequence[int]) -> Any:
    """One leaf of a column with the nesting around it: every level has one child."""
    if not path:
        return array
    kind = array.type
    if pa.types.is_struct(kind):
        child = extract_leaf(array.field(path[0]), path[1:])
        wrapped = pa.struct([pa.field("", child.type)])
        return pa.Array.from_buffers(wrapped, len(array), array.buffers()[:1], children=[child])
    if pa.types.is_map(kind):
        return _extract_from_map(array, path)
    child = extract_leaf(array.values, path[1:])
    item = kind.value_field.with_type(child.type)
    if pa.types.is_fixed_size_list(kind):
        wrapped, buffers = pa.list_(item, kind.list_size), array.buffers()[:1]
    else:
        wrapped, buffers = pa.list_(item), array.buffers()[:2]
    return pa.Array.from_buffers(wrapped, len(array), buffers, children=[child])


def _extract_from_map(array: Any, path: Sequence[int]) -> Any:
    """The keys or the values of a map, as a list of structs with one field."""
    _, side, *below = path
    child = extract_leaf((array.keys, array.items)[side], below)
    entries = pa.Array.from_buffers(
        pa.struct([pa.field("", child.type)]), len(child), [None], children=[child]
    )
    kind = pa.list_(pa.field("", entries.type, nullable=False))
    return pa.Array.from_buffers(kind, len(array), array.buffers()[:2], children=[entries])


def stream(pages: Iterator[bytes]) -> Iterator[bytes]:
    yield from pages
    yield COMPLETED
