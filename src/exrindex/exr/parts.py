"""The meaning of a part: from its attributes to the fields of ``Part``."""

from __future__ import annotations

from collections.abc import Mapping
from struct import Struct
from typing import Final

from exrindex.exr.channels import enum_name
from exrindex.exr.chunks import count_chunks
from exrindex.exr.spec import COMPRESSIONS, LEVEL_MODES, LINE_ORDERS, ROUNDING_MODES
from exrindex.model import (
    DEEP_FLAG,
    MULTIPART_FLAG,
    TILED_FLAG,
    Attribute,
    Box,
    Channel,
    Part,
    Tile,
)

# The attributes that carry a part's meaning, by name: of each name in ``spec.MEANT`` the last one
# with the right type and a well-formed value.
Meant = Mapping[str, Attribute]

_BOX: Final = Struct("<4i")
_FLOAT: Final = Struct("<f")
_V2F: Final = Struct("<2f")
_INT: Final = Struct("<i")
_TILES: Final = Struct("<2IB")


def build_part(
    index: int,
    flags: int,
    meant: Meant,
    channels: tuple[Channel, ...],
    attributes: tuple[Attribute, ...],
) -> Part:
    """Fields are None where the file does not say; ``type`` and ``chunk_count`` are derived."""
    find = meant.get
    kind = find("type")
    name = find("name")
    view = find("view")
    data_window = find("dataWindow")
    display_window = find("displayWindow")
    compression = find("compression")
    line_order = find("lineOrder")
    aspect = find("pixelAspectRatio")
    center = find("screenWindowCenter")
    width = find("screenWindowWidth")
    tiles = find("tiles")
    chunks = find("chunkCount")

    part_type = implied_type(flags) if kind is None else _text(kind)
    window = None if data_window is None else Box._make(_BOX.unpack(data_window.raw))
    method = None if compression is None else enum_name(COMPRESSIONS, compression.raw[0])
    tile = None if tiles is None else _tile(tiles.raw)
    return Part(
        index,
        None if name is None else _text(name),
        part_type,
        None if view is None else _text(view),
        window,
        None if display_window is None else Box._make(_BOX.unpack(display_window.raw)),
        method,
        None if line_order is None else enum_name(LINE_ORDERS, line_order.raw[0]),
        None if aspect is None else _FLOAT.unpack(aspect.raw)[0],
        None if center is None else _V2F.unpack(center.raw),
        None if width is None else _FLOAT.unpack(width.raw)[0],
        tile,
        count_chunks(part_type, window, method, tile)
        if chunks is None
        else _INT.unpack(chunks.raw)[0],
        channels,
        attributes,
    )


def implied_type(flags: int) -> str | None:
    """The type that the version flags give a single-part file; None for a multi-part file."""
    if flags & MULTIPART_FLAG:
        return None
    if flags & DEEP_FLAG:
        return "deeptile" if flags & TILED_FLAG else "deepscanline"
    return "tiledimage" if flags & TILED_FLAG else "scanlineimage"


def _text(attribute: Attribute) -> str:
    return attribute.raw.decode("utf-8", "surrogateescape")


def _tile(raw: bytes) -> Tile:
    x_size, y_size, mode = _TILES.unpack(raw)
    return Tile(
        x_size,
        y_size,
        enum_name(LEVEL_MODES, mode & 0xF),
        enum_name(ROUNDING_MODES, mode >> 4),
    )
