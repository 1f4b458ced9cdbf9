"""Header → vectors of unit length, whose cosine distances mean something.

``metadata`` (float32[384]) places a whole header: channels, compression, storage, windows, views,
parts, attributes, software. ``fingerprint`` (float32[128]) places a set of channels alone. Both
depend only on what the header says about the set-up of a file: never on its path, its dates, its
frame number, the order of channels or attributes, or on values that change from frame to frame.
Equal headers give equal bits on every machine. docs/embeddings.md tells how to read distances.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

from exrindex.embed import features
from exrindex.embed.channels import (
    PlacedChannel,
    channel_fingerprint,
    place_part,
    view_names,
)
from exrindex.embed.explain import (
    Share,
    distance,
    explain,
    explain_blocks,
    explain_fingerprint_blocks,
    explain_fingerprints,
)
from exrindex.embed.facts import Facts, facts_of
from exrindex.embed.layout import (
    FINGERPRINT_BLOCKS,
    FINGERPRINT_SIZE,
    METADATA_BLOCKS,
    METADATA_SIZE,
    FloatVector,
    place,
)
from exrindex.model import EMBEDDING_VERSION, Box, Header

__all__ = [
    "EMBEDDING_VERSION",
    "FINGERPRINT_BLOCKS",
    "FINGERPRINT_SIZE",
    "METADATA_BLOCKS",
    "METADATA_SIZE",
    "HeaderVectors",
    "PlacedChannel",
    "Share",
    "channel_fingerprint",
    "distance",
    "embed_header",
    "explain",
    "explain_blocks",
    "explain_fingerprint_blocks",
    "explain_fingerprints",
    "metadata_embedding",
    "placed_channels",
]


class HeaderVectors(NamedTuple):
    """The vectors of one file; read-only, and shared between files with equal headers.

    ``metadata`` is float32[384]; ``fingerprint`` is float32[128] of all channels of the file;
    ``part_fingerprints`` holds one float32[128] per part.
    """

    metadata: FloatVector
    fingerprint: FloatVector
    part_fingerprints: tuple[FloatVector, ...]


def embed_header(header: Header) -> HeaderVectors:
    """All vectors of a file. Never raises for a header that was parsed, however odd."""
    windows = tuple([(part.data_window, part.display_window) for part in header.parts])
    return _in_windows(_structure(facts_of(header)), windows)


def metadata_embedding(header: Header) -> FloatVector:
    """float32[384] of unit length; read-only."""
    return embed_header(header).metadata


def placed_channels(header: Header) -> tuple[tuple[PlacedChannel, ...], ...]:
    """The channels of each part as ``channel_fingerprint`` takes them."""
    facts = facts_of(header)
    default_view = next(iter(view_names(facts)), None)
    return tuple(tuple(place_part(facts, part, default_view)) for part in facts.parts)


class _Structure:
    """The vectors of a file but for its data windows; compared by identity."""

    __slots__ = ("fingerprint", "metadata", "part_fingerprints")

    def __init__(self, facts: Facts) -> None:
        views = view_names(facts)
        default_view = views[0] if views else None
        parts = [place_part(facts, part, default_view) for part in facts.parts]
        channels = [channel for part in parts for channel in part]
        blocks = {
            **features.channel_blocks(channels, len(views)),
            **features.frame_blocks(facts),
            "compression": features.compression_block(facts),
            "storage": features.storage_block(facts),
            "views": features.views_block(views),
            "parts": features.parts_block(facts),
            "attributes": features.attributes_block(facts),
            "software": features.software_block(facts),
            "values": features.values_block(facts),
        }
        self.metadata: FloatVector = np.zeros(METADATA_SIZE, np.float32)
        for name, values in blocks.items():
            place(self.metadata, METADATA_BLOCKS[name], values)
        self.fingerprint = channel_fingerprint(channels)
        if len(parts) == 1:
            self.part_fingerprints: tuple[FloatVector, ...] = (self.fingerprint,)
        else:
            self.part_fingerprints = tuple(channel_fingerprint(part) for part in parts)


# A frame and its neighbours share a structure; autocropped ones differ in their windows only.
_structure = lru_cache(maxsize=512)(_Structure)


@lru_cache(maxsize=4096)
def _in_windows(
    structure: _Structure, windows: tuple[tuple[Box | None, Box | None], ...]
) -> HeaderVectors:
    metadata = structure.metadata.copy()
    for name, values in features.crop_blocks(windows).items():
        place(metadata, METADATA_BLOCKS[name], values)
    metadata.flags.writeable = False
    return HeaderVectors(metadata, structure.fingerprint, structure.part_fingerprints)
