"""The bytes of an attribute's value → a value fit for JSON, one decoder for each type.

Nothing raises and nothing is dropped: bytes that do not fit their type come back described by
length, digest and base64, together with the reason.
"""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from functools import lru_cache
from math import isfinite
from struct import Struct
from typing import Any, Final, NamedTuple

from exrindex.document import json_float
from exrindex.exr.channels import Malformed, channel_list, enum_name
from exrindex.exr.spec import (
    COMPRESSIONS,
    DEEP_IMAGE_STATES,
    ENVMAPS,
    LEVEL_MODES,
    LINE_ORDERS,
    MAX_ESCAPED_BYTES,
    MAX_LIST_BYTES,
    ROUNDING_MODES,
)
from exrindex.model import JSONValue


class Decoded(NamedTuple):
    """``problem`` says why the bytes do not fit the type, or is None; ``note`` is the code and
    the message of what should be found about the value, or None."""

    value: JSONValue
    problem: str | None
    note: tuple[str, str] | None


def describe(raw: bytes) -> dict[str, JSONValue]:
    """Bytes that have no better form: their number, SHA-256 in hex, and themselves in base64."""
    return {
        "bytes": len(raw),
        "sha256": hashlib.sha256(raw).hexdigest(),
        "base64": base64.b64encode(raw).decode("ascii"),
    }


def decode_value(type_name: str, raw: bytes) -> Decoded:
    """Decode one value. Equal short values share one result, which must not be changed."""
    if len(raw) <= _CACHED_BYTES:
        return _decode_cached(type_name, raw)
    return _decode(type_name, raw)


def not_decoded(raw: bytes) -> Decoded:
    """A list that is kept as bytes because the header's lists are too large together."""
    reason = f"more than {MAX_LIST_BYTES} bytes of lists in one header"
    return Decoded(describe(raw), reason, ("not_decoded", reason + "; kept as bytes"))


# A sequence repeats almost every value; the bound keeps the cache below some 20 MB.
_CACHED_BYTES: Final = 512


def _decode(type_name: str, raw: bytes) -> Decoded:
    decoder = _DECODERS.get(type_name)
    if decoder is None:
        if not type_name:
            return _malformed(raw, "the type name is empty")
        return Decoded(describe(raw), None, None)
    try:
        value = decoder(raw)
    except Malformed as error:
        return _malformed(raw, str(error))
    return Decoded(value, None, _note(type_name, value, raw))


_decode_cached = lru_cache(maxsize=16384)(_decode)


def _malformed(raw: bytes, reason: str) -> Decoded:
    fate = "may lose its place here" if raw else "drops the attribute"
    message = f"{reason}; the reference reader {fate}"
    return Decoded(describe(raw), reason, ("malformed_value", message))


def _note(type_name: str, value: JSONValue, raw: bytes) -> tuple[str, str] | None:
    if type_name in _TEXT_TYPES:
        # Only text that is not UTF-8 becomes an object.
        items = value if isinstance(value, list) else [value]
        if any(isinstance(item, dict) for item in items):
            return "not_utf8", "the text is not UTF-8"
    elif type_name in _ENUMS and str(value).startswith("unknown_"):
        return "unknown_enum", f"code {raw[0]} is unknown"
    return None


# --- numbers ----------------------------------------------------------------------------------


_Decoder = Callable[[bytes], JSONValue]
_Numbers = tuple[Any, ...]


def _fixed(layout: str, build: Callable[[_Numbers], JSONValue]) -> _Decoder:
    """A decoder for values of one size."""
    struct = Struct("<" + layout)

    def decode(raw: bytes) -> JSONValue:
        if len(raw) != struct.size:
            raise Malformed(f"the value has {len(raw)} bytes, its type has {struct.size}")
        return build(struct.unpack(raw))

    return decode


def _scalar(numbers: _Numbers) -> JSONValue:
    return json_float(numbers[0])


def _list(numbers: _Numbers) -> list[JSONValue]:
    return list(numbers) if all(map(isfinite, numbers)) else [json_float(n) for n in numbers]


def _rows(columns: int) -> Callable[[_Numbers], JSONValue]:
    def build(numbers: _Numbers) -> JSONValue:
        return [_list(numbers[i : i + columns]) for i in range(0, len(numbers), columns)]

    return build


def _box(numbers: _Numbers) -> JSONValue:
    return {"min": _list(numbers[:2]), "max": _list(numbers[2:])}


def _chromaticities(numbers: _Numbers) -> JSONValue:
    pairs = zip(("red", "green", "blue", "white"), range(0, 8, 2), strict=True)
    return {colour: _list(numbers[i : i + 2]) for colour, i in pairs}


def _rational(numbers: _Numbers) -> JSONValue:
    return {"num": numbers[0], "den": numbers[1]}


def _enum(names: tuple[str, ...]) -> _Decoder:
    return _fixed("B", lambda numbers: enum_name(names, numbers[0]))


def _tiledesc(numbers: _Numbers) -> JSONValue:
    x_size, y_size, mode = numbers
    return {
        "x_size": x_size,
        "y_size": y_size,
        "level_mode": enum_name(LEVEL_MODES, mode & 0xF),
        "rounding_mode": enum_name(ROUNDING_MODES, mode >> 4),
    }


_KEYCODE_FIELDS: Final = (
    "film_mfc_code",
    "film_type",
    "prefix",
    "count",
    "perf_offset",
    "perfs_per_frame",
    "perfs_per_count",
)


def _keycode(numbers: _Numbers) -> JSONValue:
    return dict(zip(_KEYCODE_FIELDS, numbers, strict=True))


def _timecode(numbers: _Numbers) -> JSONValue:
    time_and_flags, user_data = numbers
    text = timecode_text(time_and_flags)
    return {"time_and_flags": time_and_flags, "user_data": user_data, "text": text}


def timecode_text(bits: int) -> str | None:
    """``hh:mm:ss:ff`` (``hh:mm:ss;ff`` for drop frame) from SMPTE 12M bits in TV60 packing.

    None where a digit is not decimal or hours, minutes or seconds are out of range. Frames may
    reach 39, which the bits allow and fast material uses, though the reference library stops at 29.
    """
    digits = [
        (bits >> shift) & mask
        for shift, mask in ((28, 3), (24, 15), (20, 7), (16, 15), (12, 7), (8, 15), (4, 3), (0, 15))
    ]
    if max(digits) > 9:
        return None
    hours, minutes, seconds, frames = (10 * digits[i] + digits[i + 1] for i in range(0, 8, 2))
    if hours > 23 or minutes > 59 or seconds > 59:
        return None
    separator = ";" if bits & 0x40 else ":"
    return f"{hours:02}:{minutes:02}:{seconds:02}{separator}{frames:02}"


# --- text and bytes ---------------------------------------------------------------------------


_LOOKS_ESCAPED = re.compile(rb"\\(?=x[0-9a-f]{2})")


def _text(raw: bytes) -> JSONValue:
    """Text; bytes that are not UTF-8 are described, with ``text`` None where they are many."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return {**describe(raw), "text": _escaped(raw)}


def _escaped(raw: bytes) -> str | None:
    """What naming.escape_text makes of the text, several times faster."""
    if len(raw) > MAX_ESCAPED_BYTES:
        return None
    return _LOOKS_ESCAPED.sub(rb"\\x5c", raw).decode("utf-8", "backslashreplace")


_LENGTH = Struct("<i")
_UNSIGNED = Struct("<I")


def _stringvector(raw: bytes) -> JSONValue:
    texts: list[JSONValue] = []
    pos, total = 0, len(raw)
    while pos < total:
        if pos + 4 > total:
            raise Malformed(f"{total - pos} bytes are left over after string {len(texts)}")
        length = _LENGTH.unpack_from(raw, pos)[0]
        pos += 4
        if length < 0 or pos + length > total:
            raise Malformed(f"string {len(texts) + 1} has {length} bytes, {total - pos} are left")
        texts.append(_text(raw[pos : pos + length]))
        pos += length
    return texts


def _floatvector(raw: bytes) -> JSONValue:
    count, rest = divmod(len(raw), 4)
    if rest:
        raise Malformed(f"the value has {len(raw)} bytes, not a multiple of 4")
    return _list(Struct(f"<{count}f").unpack(raw))


_PREVIEW_SIZE = Struct("<II")


def _preview(raw: bytes) -> JSONValue:
    if len(raw) < 8:
        raise Malformed(f"the value has {len(raw)} bytes, a preview has at least 8")
    width, height = _PREVIEW_SIZE.unpack_from(raw)
    pixels = raw[8:]
    if len(pixels) != 4 * width * height:
        raise Malformed(f"{len(pixels)} bytes of pixels do not make {width} x {height} RGBA")
    described = describe(pixels)
    del described["bytes"]
    return {"width": width, "height": height, **described}


def _bytes(raw: bytes) -> JSONValue:
    if len(raw) < 4:
        raise Malformed(f"the value has {len(raw)} bytes, the type has at least 4")
    payload_start = 4 + _UNSIGNED.unpack_from(raw)[0]
    if payload_start > len(raw):
        raise Malformed(f"the hint has {payload_start - 4} bytes, {len(raw) - 4} are left")
    return {"hint": _text(raw[4:payload_start]), **describe(raw[payload_start:])}


_UNCOMPRESSED_SIZE = Struct("<Q")


def _idmanifest(raw: bytes) -> JSONValue:
    """Never inflated; ``bytes`` and what follows it describe the zlib stream."""
    if len(raw) < 8:
        raise Malformed(f"the value has {len(raw)} bytes, the type has at least 8")
    return {"uncompressed_size": _UNCOMPRESSED_SIZE.unpack_from(raw)[0], **describe(raw[8:])}


def _chlist(raw: bytes) -> JSONValue:
    return channel_list(raw).json


_ENUMS: Final = {
    "compression": COMPRESSIONS,
    "deepImageState": DEEP_IMAGE_STATES,
    "envmap": ENVMAPS,
    "lineOrder": LINE_ORDERS,
}
_TEXT_TYPES: Final = frozenset(("string", "stringvector"))

_DECODERS: Final[dict[str, _Decoder]] = {
    "box2f": _fixed("4f", _box),
    "box2i": _fixed("4i", _box),
    "bytes": _bytes,
    "chlist": _chlist,
    "chromaticities": _fixed("8f", _chromaticities),
    "double": _fixed("d", _scalar),
    "float": _fixed("f", _scalar),
    "floatvector": _floatvector,
    "idmanifest": _idmanifest,
    "int": _fixed("i", _scalar),
    "keycode": _fixed("7i", _keycode),
    "m33d": _fixed("9d", _rows(3)),
    "m33f": _fixed("9f", _rows(3)),
    "m44d": _fixed("16d", _rows(4)),
    "m44f": _fixed("16f", _rows(4)),
    "preview": _preview,
    "rational": _fixed("iI", _rational),
    "string": _text,
    "stringvector": _stringvector,
    "tiledesc": _fixed("2IB", _tiledesc),
    "timecode": _fixed("2I", _timecode),
    "v2d": _fixed("2d", _list),
    "v2f": _fixed("2f", _list),
    "v2i": _fixed("2i", _list),
    "v3d": _fixed("3d", _list),
    "v3f": _fixed("3f", _list),
    "v3i": _fixed("3i", _list),
    **{name: _enum(names) for name, names in _ENUMS.items()},
}
