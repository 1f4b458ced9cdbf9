"""Attribute values of the OpenEXR package in the JSON form of exrindex: the parser's oracle."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from typing import Any

import numpy as np
import OpenEXR

from exrindex.exr.spec import COMPRESSIONS, ENVMAPS, LEVEL_MODES, LINE_ORDERS, ROUNDING_MODES
from exrindex.model import Attribute, JSONValue


def described(raw: bytes) -> dict[str, JSONValue]:
    return {
        "bytes": len(raw),
        "sha256": hashlib.sha256(raw).hexdigest(),
        "base64": base64.b64encode(raw).decode(),
    }


def number(value: float) -> JSONValue:
    if value != value:
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Infinity" if value > 0 else "-Infinity"
    return value


def nested(value: Any) -> JSONValue:
    """A list (of lists) of numbers."""
    if isinstance(value, list):
        return [nested(item) for item in value]
    return number(value)


def box(value: Any) -> JSONValue:
    return {"min": nested(value[0].tolist()), "max": nested(value[1].tolist())}


def chromaticities(value: Any) -> JSONValue:
    pairs = [list(value[i : i + 2]) for i in range(0, 8, 2)]
    return dict(zip(("red", "green", "blue", "white"), pairs, strict=True))


def preview(value: Any) -> JSONValue:
    pixels = value.pixels
    described_pixels = described(pixels.tobytes())
    del described_pixels["bytes"]
    return {"width": pixels.shape[1], "height": pixels.shape[0], **described_pixels}


def timecode(value: Any) -> JSONValue:
    """The package shows the fields and not the bits they are packed into."""
    fields = [f"{n:02}" for n in (value.hours, value.minutes, value.seconds, value.frame)]
    bits = int("".join(fields), 16)
    flags = ("dropFrame", "colorFrame", "fieldPhase", "bgf0", "bgf1", "bgf2")
    for flag, bit in zip(flags, (6, 7, 15, 23, 30, 31), strict=True):
        bits |= bool(getattr(value, flag)) << bit
    user_data = value.userData & 0xFFFFFFFF
    text = ":".join(fields[:3]) + (";" if value.dropFrame else ":") + fields[3]
    return {"time_and_flags": bits, "user_data": user_data, "text": text}


def keycode(value: Any) -> JSONValue:
    return {
        "film_mfc_code": value.filmMfcCode,
        "film_type": value.filmType,
        "prefix": value.prefix,
        "count": value.count,
        "perf_offset": value.perfOffset,
        "perfs_per_frame": value.perfsPerFrame,
        "perfs_per_count": value.perfsPerCount,
    }


def tiledesc(value: Any) -> JSONValue:
    return {
        "x_size": value.xSize,
        "y_size": value.ySize,
        "level_mode": LEVEL_MODES[int(value.mode)],
        "rounding_mode": ROUNDING_MODES[int(value.roundingMode)],
    }


CONVERTERS: dict[str, Callable[[Any], JSONValue]] = {
    "box2i": box,
    "box2f": box,
    "bytes": lambda value: {"hint": value.type_hint, **described(bytes(value.data))},
    "chromaticities": chromaticities,
    "compression": lambda value: COMPRESSIONS[value.value],
    "envmap": lambda value: ENVMAPS[value.value],
    "keycode": keycode,
    "lineOrder": lambda value: LINE_ORDERS[value.value],
    "preview": preview,
    "rational": lambda value: {"num": value.numerator, "den": value.denominator},
    "tiledesc": tiledesc,
    "timecode": timecode,
}


def to_json(attribute: Attribute, value: Any) -> JSONValue:
    """A value of the package in the form of ours."""
    if attribute.name == "type":
        return str(value.name)
    converter = CONVERTERS.get(attribute.type)
    if converter is not None:
        return converter(value)
    if isinstance(value, OpenEXR.OpaqueAttribute):
        assert value.typeName == attribute.type
        return described(bytes(value.data))
    if isinstance(value, np.ndarray):
        if attribute.type == "double":  # comes as an array of one
            value = value[0]
        return nested(value.tolist())
    return nested(value) if isinstance(value, (float, list)) else value
