"""Flatbuffers: reading tables one by one or thousands at a time, and writing small ones.

A field is known by its slot, its number in the table's definition. One that is absent has its
default value: 0, false, empty.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Positions = NDArray[np.int64]


class Table:
    """One table inside a buffer."""

    def __init__(self, data: bytes, position: int) -> None:
        self.data = data
        self.position = position

    @classmethod
    def root(cls, data: bytes) -> Table:
        return cls(data, _read("<I", data, 0))

    def scalar(self, slot: int, layout: str, default: int = 0) -> int:
        """An integer; ``layout`` as struct knows it, without byte order."""
        place = self._place(slot)
        return _read(f"<{layout}", self.data, place) if place else default

    def raw(self, slot: int) -> bytes | None:
        """A string or a vector of bytes."""
        place = self._target(slot)
        if place is None:
            return None
        length = _read("<I", self.data, place)
        return self.data[place + 4 : place + 4 + length]

    def text(self, slot: int) -> str:
        return (self.raw(slot) or b"").decode()

    def table(self, slot: int) -> Table | None:
        place = self._target(slot)
        return None if place is None else Table(self.data, place)

    def tables(self, slot: int) -> Tables:
        """A vector of tables."""
        place = self._target(slot)
        if place is None:
            return Tables(self.data, np.empty(0, np.int64))
        length = _read("<I", self.data, place)
        starts = place + 4 + 4 * np.arange(length, dtype=np.int64)
        offsets = np.frombuffer(self.data, "<u4", length, place + 4)
        return Tables(self.data, starts + offsets)

    def _place(self, slot: int) -> int:
        """Where a field stands, 0 if it is absent."""
        vtable = self.position - _read("<i", self.data, self.position)
        if 4 + 2 * slot + 2 > _read("<H", self.data, vtable):
            return 0
        offset = _read("<H", self.data, vtable + 4 + 2 * slot)
        return self.position + offset if offset else 0

    def _target(self, slot: int) -> int | None:
        place = self._place(slot)
        return place + _read("<I", self.data, place) if place else None


class Tables:
    """Many tables of one kind, read together: a thousand literals cost little more than one."""

    def __init__(self, data: bytes, positions: Positions) -> None:
        self.data = data
        self.positions = positions
        self._bytes = np.frombuffer(data, np.uint8)

    def __len__(self) -> int:
        return len(self.positions)

    def __getitem__(self, index: int) -> Table:
        return Table(self.data, int(self.positions[index]))

    def __iter__(self) -> Iterator[Table]:
        return (Table(self.data, position) for position in self.positions.tolist())

    def where(self, chosen: NDArray[np.bool_]) -> Tables:
        return Tables(self.data, self.positions[chosen])

    def scalars(self, slot: int, layout: str) -> NDArray[Any]:
        """One number of every table; ``layout`` as numpy knows it."""
        places = self._places(slot)
        present = places > 0
        values = np.zeros(len(places), np.dtype(layout))
        values[present] = self._gather(places[present], layout)
        return values

    def raws(self, slot: int) -> list[bytes]:
        """One string, or vector of bytes, of every table."""
        targets = self._targets(slot)
        lengths = self._gather(targets, "<u4")
        starts = targets + 4
        return [
            self.data[start:end]
            for start, end in zip(starts.tolist(), (starts + lengths).tolist(), strict=True)
        ]

    def children(self, slot: int) -> Tables:
        """One table of every table."""
        return Tables(self.data, self._targets(slot))

    def vectors(self, slot: int, length: int) -> list[Tables]:
        """Vectors of ``length`` tables each: first all first members, then all second ones."""
        starts = self._targets(slot)
        if len(starts) and set(self._gather(starts, "<u4").tolist()) != {length}:
            raise ValueError(f"expected vectors of {length} tables")
        members = []
        for index in range(length):
            places = starts + 4 + 4 * index
            members.append(Tables(self.data, places + self._gather(places, "<u4")))
        return members

    def _gather(self, places: Positions, layout: str) -> NDArray[Any]:
        width = np.dtype(layout).itemsize
        rows = self._bytes[places[:, None] + np.arange(width)]
        values: NDArray[Any] = rows.view(layout).reshape(-1)
        return values

    def _places(self, slot: int) -> Positions:
        vtables = self.positions - self._gather(self.positions, "<i4")
        has_slot = 4 + 2 * slot + 2 <= self._gather(vtables, "<u2")
        offsets = np.zeros(len(vtables), np.int64)
        offsets[has_slot] = self._gather(vtables[has_slot] + 4 + 2 * slot, "<u2")
        return np.where(offsets > 0, self.positions + offsets, 0)

    def _targets(self, slot: int) -> Positions:
        places = self._places(slot)
        if not places.all():
            raise ValueError(f"field {slot} is missing")
        targets: Positions = places + self._gather(places, "<u4")
        return targets


class Scalar(NamedTuple):
    """A number to be written."""

    layout: str
    value: int


Node = Mapping[int, "Scalar | str | Node | Sequence[Node] | None"]


def build(root: Node) -> bytes:
    """A buffer with ``root`` as its root table: slot → number, text, table or list of tables."""
    out = bytearray(4)
    struct.pack_into("<I", out, 0, _write_table(out, root))
    return bytes(out)


def _write_table(out: bytearray, node: Node) -> int:
    """Append a table and, behind it, all it refers to; returns where the table stands."""
    fields = {slot: value for slot, value in node.items() if value is not None}
    sizes = {slot: _size(value) for slot, value in fields.items()}
    offsets, end = {}, 4
    for slot in sorted(fields, key=lambda slot: -sizes[slot]):
        end += -end % sizes[slot]
        offsets[slot], end = end, end + sizes[slot]
    slots = max(fields, default=-1) + 1
    vtable = struct.pack(
        f"<{slots + 2}H", 4 + 2 * slots, end, *(offsets.get(slot, 0) for slot in range(slots))
    )
    out += bytes(-(len(out) + len(vtable)) % 8) + vtable
    position = len(out)
    out += struct.pack("<i", len(vtable)) + bytes(end - 4)
    for slot, value in fields.items():
        place = position + offsets[slot]
        if isinstance(value, Scalar):
            struct.pack_into(f"<{value.layout}", out, place, value.value)
        else:
            out += bytes(-len(out) % 4)
            struct.pack_into("<I", out, place, _write_value(out, value) - place)
    return position


def _write_value(out: bytearray, value: str | Node | Sequence[Node]) -> int:
    if isinstance(value, Mapping):
        return _write_table(out, value)
    place = len(out)
    if isinstance(value, str):
        text = value.encode()
        out += struct.pack("<I", len(text)) + text + b"\0"
        return place
    out += struct.pack("<I", len(value)) + bytes(4 * len(value))
    for index, node in enumerate(value):
        slot = place + 4 + 4 * index
        struct.pack_into("<I", out, slot, _write_table(out, node) - slot)
    return place


def _size(value: Scalar | str | Node | Sequence[Node]) -> int:
    return struct.calcsize(value.layout) if isinstance(value, Scalar) else 4


def _read(layout: str, data: bytes, place: int) -> int:
    (value,) = struct.unpack_from(layout, data, place)
    return int(value)
