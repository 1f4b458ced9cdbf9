"""Small headers of known kinds, built from the model's types, and ways to change one thing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from exrindex.model import (
    MULTIPART_FLAG,
    Attribute,
    Box,
    Channel,
    Header,
    JSONValue,
    Part,
    Tile,
)

HD = Box(0, 0, 1919, 1079)
REC709: JSONValue = {
    "red": [0.64, 0.33],
    "green": [0.3, 0.6],
    "blue": [0.15, 0.06],
    "white": [0.3127, 0.329],
}


def channels(*names: str, kind: str = "half") -> tuple[Channel, ...]:
    return tuple(Channel(name, kind, 1, 1, False) for name in sorted(names))


def layer(name: str, components: str, kind: str = "half") -> tuple[Channel, ...]:
    return channels(*(f"{name}.{component}" for component in components), kind=kind)


def attribute(name: str, value: JSONValue, kind: str = "string") -> Attribute:
    return Attribute(name, kind, value, b"", 0, None)


def part(channel_list: Iterable[Channel], **fields: Any) -> Part:
    plain: dict[str, Any] = {
        "index": 0,
        "name": None,
        "type": "scanlineimage",
        "view": None,
        "data_window": HD,
        "display_window": HD,
        "compression": "zip",
        "line_order": "increasing_y",
        "pixel_aspect_ratio": 1.0,
        "screen_window_center": (0.0, 0.0),
        "screen_window_width": 1.0,
        "tile": None,
        "chunk_count": 68,
        "attributes": (),
    }
    return Part(channels=tuple(channel_list), **{**plain, **fields})


def header(*parts: Part) -> Header:
    flags = MULTIPART_FLAG if len(parts) > 1 else 0
    numbered = tuple(replace(part, index=index) for index, part in enumerate(parts))
    return Header(version=2, flags=flags, parts=numbered, nbytes=400, hash="0" * 64, findings=())


def changed(original: Header, index: int = 0, **fields: Any) -> Header:
    """``original`` with some fields of one of its parts replaced."""
    parts = list(original.parts)
    parts[index] = replace(parts[index], **fields)
    return replace(original, parts=tuple(parts))


def frame_attributes(frame: int) -> tuple[Attribute, ...]:
    """What a renderer writes; values that follow ``frame`` belong to one frame only."""
    return (
        attribute("software", "Arnold 7.1.4.2 [9c1f2e3a] linux clang-15.0.7"),
        attribute("arnold/version", "7.1.4.2"),
        attribute("arnold/color_space", "ACEScg"),
        attribute("arnold/frame", float(frame), "float"),
        attribute("arnold/host/name", f"node{frame % 7:03}"),
        attribute("capDate", f"2024:05:01 10:00:{frame % 60:02}"),
        attribute("chromaticities", REC709, "chromaticities"),
        attribute("cryptomatte/f834d0a/manifest", f'{{"hero_{frame}": "1a2b3c4d"}}'),
        attribute("framesPerSecond", {"num": 24, "den": 1}, "rational"),
        attribute("worldToCamera", [[float(frame)] * 4] * 4, "m44f"),
    )


AOVS = (
    *channels("R", "G", "B", "A"),
    *channels("Z", kind="float"),
    *layer("diffuse_direct", "RGB"),
    *layer("diffuse_indirect", "RGB"),
    *layer("specular_direct", "RGB"),
    *layer("specular_indirect", "RGB"),
    *layer("sss", "RGB"),
    *layer("N", "XYZ", "float"),
    *layer("crypto_object00", "RGBA", "float"),
)

RGBA = header(part(channels("R", "G", "B", "A")))
RENDER = header(part(AOVS, compression="zips", attributes=frame_attributes(1001)))
TEXTURE = header(
    part(
        channels("R", "G", "B"),
        type="tiledimage",
        tile=Tile(64, 64, "mipmap_levels", "round_down"),
        attributes=(
            attribute("Software", "OpenImageIO 2.3.17 : maketx --oiio wood.tif"),
            attribute("wrapmodes", "periodic,periodic"),
        ),
    )
)
STEREO = header(
    part(
        channels("R", "G", "B", "right.R", "right.G", "right.B", "spec.R", "spec.right.R"),
        attributes=(attribute("multiView", ["left", "right"], "stringvector"),),
    )
)
MULTIPART = header(
    part(channels("R", "G", "B", "A"), name="rgba"),
    part(channels("R", "G", "B"), name="diffuse"),
    part(channels("Z", kind="float"), name="depth", compression="zips"),
)
SUBSAMPLED = header(
    part(
        (
            Channel("BY", "half", 2, 2, True),
            Channel("RY", "half", 2, 2, True),
            Channel("Y", "half", 1, 1, True),
        ),
        compression="b44a",
    )
)
ODD = header(
    part(
        (Channel("\udcff.é", "unknown_9", 0, -1, False),),
        type=None,
        data_window=None,
        display_window=Box(10, 10, 5, 5),
        compression="unknown_200",
        line_order=None,
        pixel_aspect_ratio=float("nan"),
        screen_window_center=None,
        screen_window_width=float("inf"),
        attributes=(attribute("\udc80/x", {"bytes": 1, "base64": "AA==", "sha256": "0"}, "odd"),),
    )
)
EMPTY = Header(version=2, flags=0, parts=(), nbytes=8, hash="", findings=())

SAMPLES = {
    "rgba": RGBA,
    "render": RENDER,
    "texture": TEXTURE,
    "stereo": STEREO,
    "multipart": MULTIPART,
    "subsampled": SUBSAMPLED,
    "odd": ODD,
    "empty": EMPTY,
}
