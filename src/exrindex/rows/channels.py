"""Rows of ``channels``, and each part's channels as they stand in ``files.raw_output``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from exrindex.document import channel_documents
from exrindex.model import Header, Indexed, Part
from exrindex.naming import channel_places, escape_text
from exrindex.rows.children import ChildRows
from exrindex.rows.columns import table_of, vectors_of
from exrindex.rows.ids import CHANNEL_KIND
from exrindex.tables import CHANNEL_VECTOR


class _List(NamedTuple):
    """A distinct channel list: the numbers of its rows among the distinct ones, and its JSON."""

    rows: range
    document: orjson.Fragment


class ChannelRows:
    """The channels of some files, each distinct list made once.

    ``documents`` holds, for every part of every file in turn, its channels as JSON.
    """

    def __init__(self, indexed: Sequence[Indexed]) -> None:
        self.documents: list[orjson.Fragment] = []
        self._children = ChildRows("channels", CHANNEL_KIND)
        # On a part's first row only.
        self._vectors: list[NDArray[np.float32] | None] = []
        # By identity: equal lists of one sequence are one object (``exr`` keeps them), and what
        # is not found to be equal is merely made again. ``indexed`` keeps the objects alive.
        known: dict[tuple[Any, ...], _List] = {}
        for number, item in enumerate(indexed):
            header = item.header
            views, is_multipart = header.views, header.is_multipart
            for part in header.parts:
                key = id(part.channels), part.view, is_multipart and part.name, views
                made = known.get(key)
                if made is None:
                    made = known[key] = self._make(header, part)
                self._children.add(number, part.index, made.rows)
                self.documents.append(made.document)
                if part.channels:
                    self._vectors.append(item.part_fingerprints[part.index])
                    self._vectors += [None] * (len(part.channels) - 1)

    def _make(self, header: Header, part: Part) -> _List:
        facts = self._children.facts
        first = len(facts)
        for channel, place in zip(part.channels, channel_places(header, part), strict=True):
            facts.append(
                (
                    escape_text(channel.name),
                    channel.type,
                    escape_text(place.layer),
                    escape_text(place.component),
                    place.view and escape_text(place.view),
                    channel.x_sampling,
                    channel.y_sampling,
                    channel.p_linear,
                )
            )
        document = orjson.Fragment(orjson.dumps(channel_documents(header, part)))
        return _List(range(first, len(facts)), document)

    def table(self, file_ids: Sequence[str]) -> pa.Table:
        """The rows; ``file_ids`` are those of the files."""
        vectors = vectors_of(self._vectors, CHANNEL_VECTOR)
        return table_of(
            "channels", {**self._children.columns(file_ids), "channel_fingerprint": vectors}
        )
