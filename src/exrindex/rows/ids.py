"""Ids of files and of their parts, channels and attributes.

Ids are text of 36 characters here; whole columns of them are made at once, as bytes.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from exrindex.tables import content_uuid

PART_KIND, CHANNEL_KIND, ATTRIBUTE_KIND = 1, 2, 3

_LENGTH = 36
# The groups of a UUID that are the file's own; 74 of their bits are hash.
_STEM = 24
_HEX = np.frombuffer(b"".join(b"%02x" % byte for byte in range(256)), np.uint8).reshape(256, 2)

Characters = NDArray[np.uint8]


def make_file_id(file_path_normalized: str, header_hash: str) -> str:
    """The id of a header at a place."""
    return content_uuid(f"{file_path_normalized}\0{header_hash}".encode())


class Blocks:
    """Where the rows of a child table belong: runs of rows of one part of one file.

    ``Positions`` has, for every row, the number of its file in the batch, of its part in the
    file, and its place in the part.
    """

    def __init__(self) -> None:
        self._files: list[int] = []
        self._parts: list[int] = []
        self._counts: list[int] = []

    def add(self, file: int, part: int, count: int) -> None:
        """The next ``count`` rows belong to this part."""
        self._files.append(file)
        self._parts.append(part)
        self._counts.append(count)

    def positions(self) -> Positions:
        counts = np.array(self._counts, np.int64)
        ends = counts.cumsum()
        return Positions(
            np.repeat(np.array(self._files, np.int64), counts),
            np.repeat(np.array(self._parts, np.int64), counts),
            np.arange(counts.sum()) - np.repeat(ends - counts, counts),
        )


class Positions(NamedTuple):
    """One number each for every row; see ``Blocks``."""

    file: NDArray[np.int64]
    part: NDArray[np.int64]
    place: NDArray[np.int64]


class ChildIds(NamedTuple):
    """The columns of ids that rows of a child table have."""

    own: pa.StringArray
    file: pa.StringArray
    part: pa.StringArray


def child_ids(file_ids: Sequence[str], kind: int, rows: Positions) -> ChildIds:
    """Ids of rows that belong to parts of files.

    The last group of a child's id holds 4 bits of kind, 16 of part and 28 of position.
    """
    files = np.frombuffer("".join(file_ids).encode(), np.uint8).reshape(-1, _LENGTH)
    files = files[rows.file]
    own, part = files.copy(), files.copy()
    own[:, _STEM:] = _hex(kind << 44 | rows.part << 28 | rows.place)
    part[:, _STEM:] = _hex(PART_KIND << 44 | rows.part << 28)
    return ChildIds(_texts(own), _texts(files), _texts(part))


def _hex(numbers: NDArray[np.int64]) -> Characters:
    """The lower 48 bits of each number as 12 characters."""
    octets = numbers.astype(">u8").view(np.uint8).reshape(-1, 8)[:, 2:]
    return _HEX[octets].reshape(-1, 12)


def _texts(characters: Characters) -> pa.StringArray:
    offsets = np.arange(len(characters) + 1, dtype=np.int32) * _LENGTH
    return pa.StringArray.from_buffers(
        len(characters), pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(characters))
    )
