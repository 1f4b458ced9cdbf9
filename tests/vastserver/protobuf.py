"""The part of the Protocol Buffers wire format that the query engine's messages need."""

from __future__ import annotations

from collections.abc import Iterator

_VARINT, _FIXED64, _BYTES, _FIXED32 = 0, 1, 2, 5


class Message:
    """A message that was received: field number → values, in order of arrival."""

    def __init__(self, data: bytes) -> None:
        self._fields: dict[int, list[int | bytes]] = {}
        for number, value in _fields(data):
            self._fields.setdefault(number, []).append(value)

    def number(self, field: int, default: int = 0) -> int:
        value = self._last(field)
        if value is not None and not isinstance(value, int):
            raise ValueError(f"field {field} is not a number")
        return default if value is None else value

    def raw(self, field: int) -> bytes:
        value = self._last(field)
        if isinstance(value, int):
            raise ValueError(f"field {field} is a number")
        return value or b""

    def text(self, field: int) -> str:
        return self.raw(field).decode()

    def message(self, field: int) -> Message:
        return Message(self.raw(field))

    def _last(self, field: int) -> int | bytes | None:
        values = self._fields.get(field)
        return values[-1] if values else None


def encode(*fields: tuple[int, int | bytes | str]) -> bytes:
    """A message of (field number, value) pairs; a field is present even if its value is 0."""
    out = bytearray()
    for number, value in fields:
        if isinstance(value, int):
            out += _varint(number << 3 | _VARINT) + _varint(value)
            continue
        data = value.encode() if isinstance(value, str) else value
        out += _varint(number << 3 | _BYTES) + _varint(len(data)) + data
    return bytes(out)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _read_varint(data: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = data[place]
        place += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, place
        shift += 7


def _fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    place = 0
    while place < len(data):
        tag, place = _read_varint(data, place)
        kind = tag & 7
        if kind == _VARINT:
            value, place = _read_varint(data, place)
            yield tag >> 3, value
            continue
        length = {_FIXED64: 8, _FIXED32: 4}.get(kind)
        if kind == _BYTES:
            length, place = _read_varint(data, place)
        if length is None or place + length > len(data):
            raise ValueError("not a Protocol Buffers message")
        yield tag >> 3, data[place : place + length]
        place += length
