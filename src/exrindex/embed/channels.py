"""Where a file's channels belong, and the fingerprint of a set of channels.

A fingerprint is the sum of what its channels are, block by block: names, types, layers, words of
layers, components and so on. Every block is then scaled to its fixed weight. A plain sum would let
R, G, B and the pixel types, which add up coherently, drown the names.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import NamedTuple

import numpy as np

from exrindex.embed.facts import Facts, PartFacts
from exrindex.embed.hashing import token_sum
from exrindex.embed.layout import (
    FINGERPRINT_BLOCKS,
    FINGERPRINT_SIZE,
    FloatVector,
    place,
)
from exrindex.embed.words import ascii_lower, words
from exrindex.naming import channel_place


class PlacedChannel(NamedTuple):
    """A channel where it belongs, wherever its writer put layer and view.

    ``layer`` is "" for the base layer, ``view`` is "" for the file's default view.
    """

    layer: str
    component: str
    view: str
    type: str
    x_sampling: int
    y_sampling: int
    p_linear: bool

    @property
    def name(self) -> str:
        return f"{self.layer}.{self.component}"

    @property
    def typed_name(self) -> str:
        kind = f"{self.type}|{self.x_sampling}|{self.y_sampling}|{int(self.p_linear)}"
        return f"{self.layer}.{self.component}|{kind}"


def view_names(facts: Facts) -> tuple[str, ...]:
    """The file's views, its default view first; empty where nothing names a view."""
    named = (*facts.views, *(part.view for part in facts.parts))
    return tuple(dict.fromkeys(view for view in named if view))


def place_part(facts: Facts, part: PartFacts, default_view: str | None) -> list[PlacedChannel]:
    """The channels of one part of a file. A channel that names no view is of the default view."""
    part_name = (part.name or "") if facts.multipart else None
    placed = []
    for name, kind, x_sampling, y_sampling, p_linear in part.channels:
        layer, component, view = channel_place(name, part_name, part.view, facts.views)
        if view is None or view == default_view:
            view = ""
        placed.append(PlacedChannel(layer, component, view, kind, x_sampling, y_sampling, p_linear))
    return placed


# --- fingerprint ------------------------------------------------------------------------------

_CLASSES = ("colour", "alpha", "luminance", "depth", "vector", "uv", "id", "other")
_CLASS_OF = {
    **dict.fromkeys(("r", "g", "b", "red", "green", "blue"), "colour"),
    **dict.fromkeys(("a", "alpha", "ar", "ag", "ab"), "alpha"),
    **dict.fromkeys(("ry", "by"), "luminance"),
    **dict.fromkeys(("zback", "depth", "pz"), "depth"),
    **dict.fromkeys(("x", "y", "z", "w", "nx", "ny", "nz", "px", "py", "velx", "vely"), "vector"),
    **dict.fromkeys(("u", "v", "s", "t"), "uv"),
    "id": "id",
}
_TYPES = ("half", "float", "uint")
_SAMPLINGS = ((1, 1), (2, 2), (2, 1), (4, 4), (1, 2))


def _class_of(channel: PlacedChannel) -> str:
    component = ascii_lower(channel.component)
    if component == "y" and not channel.layer:
        return "luminance"
    if component == "z" and (not channel.layer or "depth" in ascii_lower(channel.layer)):
        return "depth"
    if channel.type == "uint":
        return "id"
    return _CLASS_OF.get(component, "other")


def channel_fingerprint(channels: Iterable[PlacedChannel]) -> FloatVector:
    """float32[128] of unit length for a set of channels, in any order; read-only.

    Depends on the multiset of channels only: not on windows, compression or attributes.
    """
    every = list(channels)
    tokens = {
        "f_names": [f"{c.view}|{c.name}" if c.view else c.name for c in every],
        "f_typed": [c.typed_name for c in every],
        "f_layers": [c.layer for c in every],
        "f_words": [word for c in every for word in words(c.layer)],
        "f_components": [c.component for c in every],
    }
    slots = {
        "f_classes": [_CLASSES.index(_class_of(c)) for c in every],
        "f_types": [_slot(_TYPES, c.type) for c in every],
        "f_sampling": [_slot(_SAMPLINGS, (c.x_sampling, c.y_sampling)) for c in every],
        "f_linear": [int(c.p_linear) for c in every],
    }
    vector = np.zeros(FINGERPRINT_SIZE, np.float32)
    for name, block in FINGERPRINT_BLOCKS.items():
        if name in tokens:
            values = token_sum(name, block.size, Counter(tokens[name]))
        else:
            values = np.bincount(np.array(slots[name], np.int64), minlength=block.size)
        place(vector, block, values)
    vector.flags.writeable = False
    return vector


def _slot(known: tuple[object, ...], value: object) -> int:
    """Position among the known values; one past them for any other."""
    return known.index(value) if value in known else len(known)
