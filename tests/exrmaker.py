"""Builds OpenEXR files byte by byte, valid or broken on purpose.

    exr_file()                                          a whole tiny file that every host opens
    exr_file(attributes=[attr("fps", "rational", (24, 1))])
    header([minimal_part(channels=["R", "Z"])])         a header alone
    header([[raw_attr("bad", "int", b"xyz")]])          anything

Nothing here uses the parser under test. An attribute is ``bytes`` from its name to the end of
its value, a part is a list of attributes, and a chunk is ``bytes`` from its part number or
coordinates to the end of its data, so broken ones are made by cutting and joining.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple

MAGIC = b"\x76\x2f\x31\x01"
TILED, LONG_NAMES, DEEP, MULTIPART = 0x200, 0x400, 0x800, 0x1000

COMPRESSION_CODES = {
    "none": 0, "rle": 1, "zips": 2, "zip": 3, "piz": 4, "pxr24": 5, "b44": 6, "b44a": 7,
    "dwaa": 8, "dwab": 9, "htj2k256": 10, "htj2k32": 11, "lj2k": 12, "zstd": 13,
}  # fmt: skip
PIXEL_TYPE_CODES = {"uint": 0, "half": 1, "float": 2}
LEVEL_MODE_CODES = {"one_level": 0, "mipmap_levels": 1, "ripmap_levels": 2}

Box = tuple[int, int, int, int]


# --- attributes -------------------------------------------------------------------------------


def raw_attr(
    name: str | bytes, type_name: str | bytes, raw: bytes, *, size: int | None = None
) -> bytes:
    """An attribute with any bytes as its value; ``size`` lies about their number."""
    head = _bytes(name) + b"\0" + _bytes(type_name) + b"\0"
    return head + struct.pack("<i", len(raw) if size is None else size) + raw


def attr(name: str | bytes, type_name: str, value: Any) -> bytes:
    """An attribute with a value as ``encode`` takes it."""
    return raw_attr(name, type_name, encode(type_name, value))


def encode(type_name: str, value: Any) -> bytes:
    """The bytes of a value.

    Numbers as numbers, vectors and boxes as flat sequences, matrices as flat sequences by rows;
    enumerations by code (compression by name, too); text as ``str`` or ``bytes``; ``bytes`` as
    (hint, payload); chlist as ``chlist`` takes it; preview as (width, height, pixels); rational,
    timecode, keycode as sequences of their integers; tiledesc as (x, y, mode byte); idmanifest as
    (uncompressed size, stream); a type without an encoder as ``bytes``.
    """
    encoder = _ENCODERS.get(type_name)
    return bytes(value) if encoder is None else encoder(value)


class Channel(NamedTuple):
    """A channel to be listed; ``type`` is a name or any code."""

    name: str | bytes
    type: str | int = "half"
    x_sampling: int = 1
    y_sampling: int = 1
    p_linear: int = 0


def chlist(channels: Iterable[str | Channel], *, terminated: bool = True) -> bytes:
    """The value of a channel list, in the order given; a mere name is a half channel."""
    raw = b""
    for item in channels:
        channel = item if isinstance(item, Channel) else Channel(item)
        kind = channel.type
        code = PIXEL_TYPE_CODES[kind] if isinstance(kind, str) else kind
        raw += _bytes(channel.name) + b"\0"
        raw += struct.pack("<IB3xii", code, channel.p_linear, *channel[2:4])
    return raw + b"\0" if terminated else raw


def _bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogateescape")


def _packed(layout: str) -> Callable[[Any], bytes]:
    def pack(value: Any) -> bytes:
        values = value if isinstance(value, Sequence) else (value,)
        return struct.pack("<" + layout, *values)

    return pack


def _compression(value: str | int) -> bytes:
    return bytes([COMPRESSION_CODES[value] if isinstance(value, str) else value])


def _stringvector(value: Iterable[str | bytes]) -> bytes:
    return b"".join(struct.pack("<i", len(_bytes(text))) + _bytes(text) for text in value)


def _hinted(value: tuple[str | bytes, bytes]) -> bytes:
    hint = _bytes(value[0])
    return struct.pack("<I", len(hint)) + hint + value[1]


_ENCODERS: dict[str, Callable[[Any], bytes]] = {
    "box2f": _packed("4f"),
    "box2i": _packed("4i"),
    "bytes": _hinted,
    "chlist": chlist,
    "chromaticities": _packed("8f"),
    "compression": _compression,
    "deepImageState": _packed("B"),
    "double": _packed("d"),
    "envmap": _packed("B"),
    "float": _packed("f"),
    "floatvector": lambda value: struct.pack(f"<{len(value)}f", *value),
    "idmanifest": lambda value: struct.pack("<Q", value[0]) + value[1],
    "int": _packed("i"),
    "keycode": _packed("7i"),
    "lineOrder": _packed("B"),
    "m33d": _packed("9d"),
    "m33f": _packed("9f"),
    "m44d": _packed("16d"),
    "m44f": _packed("16f"),
    "preview": lambda value: struct.pack("<II", *value[:2]) + value[2],
    "rational": _packed("iI"),
    "string": _bytes,
    "stringvector": _stringvector,
    "tiledesc": _packed("IIB"),
    "timecode": _packed("2I"),
    "v2d": _packed("2d"),
    "v2f": _packed("2f"),
    "v2i": _packed("2i"),
    "v3d": _packed("3d"),
    "v3f": _packed("3f"),
    "v3i": _packed("3i"),
}


# --- parts and headers ------------------------------------------------------------------------


def minimal_part(
    *,
    channels: Iterable[str | Channel] = ("B", "G", "R"),
    data_window: Box = (0, 0, 3, 2),
    display_window: Box | None = None,
    compression: str | int = "none",
    name: str | bytes | None = None,
    part_type: str | None = None,
    tiles: tuple[int, int, int] | None = None,
    chunk_count: int | None = None,
    attributes: Iterable[bytes] = (),
    without: Sequence[str] = (),
) -> list[bytes]:
    """The required attributes, then ``attributes``; ``without`` leaves some out by name.

    ``tiles`` is (x size, y size, mode byte). A deep ``part_type`` also gets its ``version``.
    """
    made = {
        "channels": attr("channels", "chlist", channels),
        "compression": attr("compression", "compression", compression),
        "dataWindow": attr("dataWindow", "box2i", data_window),
        "displayWindow": attr("displayWindow", "box2i", display_window or data_window),
        "lineOrder": attr("lineOrder", "lineOrder", 0),
        "pixelAspectRatio": attr("pixelAspectRatio", "float", 1.0),
        "screenWindowCenter": attr("screenWindowCenter", "v2f", (0.0, 0.0)),
        "screenWindowWidth": attr("screenWindowWidth", "float", 1.0),
    }
    if name is not None:
        made["name"] = attr("name", "string", name)
    if part_type is not None:
        made["type"] = attr("type", "string", part_type)
        if part_type.startswith("deep"):
            made["version"] = attr("version", "int", 1)
    if tiles is not None:
        made["tiles"] = attr("tiles", "tiledesc", tiles)
    if chunk_count is not None:
        made["chunkCount"] = attr("chunkCount", "int", chunk_count)
    return [raw for key, raw in made.items() if key not in without] + list(attributes)


def header(
    parts: Sequence[Sequence[bytes]],
    flags: int | None = None,
    *,
    version: int = 2,
    magic: bytes = MAGIC,
) -> bytes:
    """Magic number to the end of the last header. Flags default to multi-part for several parts."""
    if flags is None:
        flags = MULTIPART if len(parts) > 1 else 0
    body = b"".join(b"".join(part) + b"\0" for part in parts)
    end = b"\0" if flags & MULTIPART else b""
    return magic + struct.pack("<I", version | flags) + body + end


# --- chunks and whole files -------------------------------------------------------------------


def scanline_chunk(y: int, data: bytes, *, part: int | None = None) -> bytes:
    return _part(part) + struct.pack("<ii", y, len(data)) + data


def tile_chunk(
    x: int, y: int, data: bytes, *, level: tuple[int, int] = (0, 0), part: int | None = None
) -> bytes:
    return _part(part) + struct.pack("<5i", x, y, *level, len(data)) + data


def deep_scanline_chunk(y: int, table: bytes, data: bytes, *, part: int | None = None) -> bytes:
    return _part(part) + struct.pack("<i", y) + _deep(table, data)


def deep_tile_chunk(
    x: int,
    y: int,
    table: bytes,
    data: bytes,
    *,
    level: tuple[int, int] = (0, 0),
    part: int | None = None,
) -> bytes:
    return _part(part) + struct.pack("<4i", x, y, *level) + _deep(table, data)


def _part(part: int | None) -> bytes:
    return b"" if part is None else struct.pack("<i", part)


def _deep(table: bytes, data: bytes) -> bytes:
    return struct.pack("<3Q", len(table), len(data), len(data)) + table + data


def whole_file(head: bytes, chunks: Sequence[Sequence[bytes]]) -> bytes:
    """A header, the offset tables, and the chunks of each part in order."""
    position = len(head) + 8 * sum(len(part) for part in chunks)
    table, body = b"", b""
    for chunk in (chunk for part in chunks for chunk in part):
        table += struct.pack("<Q", position)
        body += chunk
        position += len(chunk)
    return head + table + body


def exr_file(
    *,
    width: int = 4,
    height: int = 3,
    channels: Sequence[str | Channel] = ("B", "G", "R"),
    attributes: Iterable[bytes] = (),
) -> bytes:
    """A whole uncompressed single-part file with half channels, all black, that hosts can open."""
    window = (0, 0, width - 1, height - 1)
    part = minimal_part(channels=channels, data_window=window, attributes=attributes)
    line = bytes(2 * width * len(channels))
    return whole_file(header([part]), [[scanline_chunk(y, line) for y in range(height)]])
