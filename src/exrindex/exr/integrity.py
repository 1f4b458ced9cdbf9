"""Are the pixels all there? Judged from the offset tables and the last chunk, without pixels.

The tables hold the place of every chunk, part after part, right behind the header. A writer
fills them in when it closes the file, so a zero is a chunk that never came.
"""

from __future__ import annotations

import sys
from array import array
from bisect import bisect_right
from collections.abc import Callable
from itertools import accumulate
from struct import Struct

from exrindex.exr.chunks import chunk_count
from exrindex.exr.spec import MAX_TABLE_BYTES
from exrindex.model import Header, Integrity, Part

Read = Callable[[int, int], bytes]


def check_integrity(header: Header, size: int, read: Read) -> Integrity:
    """Judge a file of ``size`` bytes; ``read(start, stop)`` gives that range, less at the end.

    TRUNCATED: tables, an offset or the end of the chunk with the highest offset lie beyond the
    file. INCOMPLETE: an offset is zero or points before the end of the tables. UNCHECKED: the
    number of chunks is not known, or the tables are larger than ``MAX_TABLE_BYTES``. At most two
    calls of ``read``; what it raises passes through.
    """
    counts = _counts(header)
    if counts is None:
        return Integrity.UNCHECKED
    start = header.nbytes
    end = start + 8 * sum(counts)
    if end > size:
        return Integrity.TRUNCATED
    if end - start > MAX_TABLE_BYTES:
        return Integrity.UNCHECKED
    table = read(start, end)
    if len(table) < end - start:
        return Integrity.TRUNCATED
    offsets = _offsets(table)
    highest = max(offsets)
    if highest >= size:
        return Integrity.TRUNCATED
    if highest >= end:
        part = header.parts[bisect_right(list(accumulate(counts)), offsets.index(highest))]
        chunk_end = _chunk_end(part, header.is_multipart, highest, read)
        if chunk_end is None or chunk_end > size:
            return Integrity.TRUNCATED
    return Integrity.OK if min(offsets) >= end else Integrity.INCOMPLETE


def _counts(header: Header) -> list[int] | None:
    """Chunks of each part; None where one is unknown or the file contradicts itself about them."""
    if not header.is_multipart and any(f.code == "type_conflict" for f in header.findings):
        return None
    counts = []
    for part in header.parts:
        count = chunk_count(part)
        if count is None:
            return None
        counts.append(count)
    return counts


def _offsets(table: bytes) -> array[int]:
    offsets = array("Q", table)
    if sys.byteorder == "big":
        offsets.byteswap()
    return offsets


# What a chunk starts with, up to and with the sizes of its data; coordinates are passed over.
_SCAN_LINE = Struct("<4xI")
_TILE = Struct("<16xI")
_DEEP_SCAN_LINE = Struct("<4xQQ8x")
_DEEP_TILE = Struct("<16xQQ8x")


def _chunk_end(part: Part, is_multipart: bool, start: int, read: Read) -> int | None:
    """The position behind the chunk at ``start``; None where the file ends before its data.

    Sizes count as unsigned, so that a negative one lies beyond any file.
    """
    if part.is_deep:
        layout = _DEEP_TILE if part.is_tiled else _DEEP_SCAN_LINE
    else:
        layout = _TILE if part.is_tiled else _SCAN_LINE
    if is_multipart:
        start += 4
    data_start = start + layout.size
    head = read(start, data_start)
    if len(head) < layout.size:
        return None
    sizes: tuple[int, ...] = layout.unpack(head)
    return data_start + sum(sizes)
