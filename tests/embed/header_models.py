"""Headers from plain dictionaries, and the entry points an evaluation of the vectors needs.

A header model is ``{"parts": [{"name", "view", "type", "channels": [{"name", "type", "x_sampling",
"y_sampling", "p_linear"}], "compression", "line_order", "data_window": [x0, y0, x1, y1],
"display_window", "pixel_aspect_ratio", "screen_window_center", "screen_window_width",
"tiles": None | {"x", "y", "mode", "rounding"}, "attributes": [{"name", "type", "value"}]}]}``.
"""

from __future__ import annotations

from typing import Any

from exrindex.embed import METADATA_BLOCKS, embed_header
from exrindex.embed.layout import FloatVector
from exrindex.model import MULTIPART_FLAG, Attribute, Box, Channel, Header, JSONValue, Part, Tile

_LEVEL_MODES = {"one_level": "one_level", "mipmap": "mipmap_levels", "ripmap": "ripmap_levels"}
_REQUIRED = (
    ("channels", "chlist"),
    ("compression", "compression"),
    ("dataWindow", "box2i"),
    ("displayWindow", "box2i"),
    ("lineOrder", "lineOrder"),
    ("pixelAspectRatio", "float"),
    ("screenWindowCenter", "v2f"),
    ("screenWindowWidth", "float"),
)


def embed(model: dict[str, Any]) -> tuple[FloatVector, FloatVector]:
    """(metadata vector, fingerprint of all channels)."""
    vectors = embed_header(header_of(model))
    return vectors.metadata, vectors.fingerprint


BLOCKS = [(b.name, b.start, b.start + b.size) for b in METADATA_BLOCKS.values()]


def _blocks_of(*groups: str) -> set[str]:
    return {block.name for block in METADATA_BLOCKS.values() if block.group in groups}


# Which blocks may rank first when this one thing of a header was changed.
EXPLAIN = {
    **{
        edit: _blocks_of("channels")
        for edit in ("c_remove1", "c_rename1", "c_retype1", "c_remove3", "c_removehalf")
    },
    **{edit: _blocks_of("windows") for edit in ("d_res2x", "d_overscan", "d_format")},
    "e_comp_near": {"compression"},
    "e_comp_far": {"compression"},
    "f_minor": {"software"},
    "g_stereo": {"views"},
    "g_multipart": {"parts"},
    "h_renderer": {"attributes", "software"},
    "t_tiled": {"storage"},
    "x_attr_added": {"attributes"},
}


def header_of(model: dict[str, Any]) -> Header:
    parts = tuple(_part(index, part) for index, part in enumerate(model["parts"]))
    flags = MULTIPART_FLAG if len(parts) > 1 else 0
    return Header(version=2, flags=flags, parts=parts, nbytes=0, hash="", findings=())


def _part(index: int, part: dict[str, Any]) -> Part:
    tiles = part["tiles"]
    attributes = [Attribute(name, kind, None, b"", 0, None) for name, kind in _REQUIRED]
    attributes += [_attribute(a["name"], a["type"], a["value"]) for a in part["attributes"]]
    return Part(
        index=index,
        name=part["name"],
        type=part["type"],
        view=part["view"],
        data_window=Box(*part["data_window"]),
        display_window=Box(*part["display_window"]),
        compression=part["compression"],
        line_order=part["line_order"],
        pixel_aspect_ratio=part["pixel_aspect_ratio"],
        screen_window_center=(part["screen_window_center"][0], part["screen_window_center"][1]),
        screen_window_width=part["screen_window_width"],
        tile=tiles
        and Tile(tiles["x"], tiles["y"], _LEVEL_MODES[tiles["mode"]], "round_" + tiles["rounding"]),
        chunk_count=None,
        channels=tuple(
            Channel(c["name"], c["type"], c["x_sampling"], c["y_sampling"], c["p_linear"])
            for c in part["channels"]
        ),
        attributes=tuple(attributes),
    )


def _attribute(name: str, kind: str, value: Any) -> Attribute:
    """An attribute with its value in the shape the parser gives values of this type."""
    ready: JSONValue = value
    if kind == "chromaticities":
        corners = ("red", "green", "blue", "white")
        ready = {corner: value[2 * i : 2 * i + 2] for i, corner in enumerate(corners)}
    elif kind == "rational":
        ready = {"num": value[0], "den": value[1]}
    return Attribute(name, kind, ready, b"", 0, None)
