"""Rows of ``parts``."""

from __future__ import annotations

from collections.abc import Sequence

import orjson
import pyarrow as pa

from exrindex.document import window_document
from exrindex.model import Box, Indexed, Part
from exrindex.naming import escape_text
from exrindex.rows.columns import columns_of, table_of
from exrindex.rows.ids import PART_KIND, Blocks, child_ids
from exrindex.tables import PARTS

_IDS = ("part_id", "file_id")


def part_rows(indexed: Sequence[Indexed], file_ids: Sequence[str]) -> pa.Table:
    """One row for every part; ``file_ids`` are those of the files."""
    blocks = Blocks()
    rows = []
    for number, item in enumerate(indexed):
        for part in item.header.parts:
            blocks.add(number, part.index, 1)
            rows.append(_facts(part))
    # A part stands at position 0 of itself, so its own id is the one its children refer to.
    ids = child_ids(file_ids, PART_KIND, blocks.positions())
    names = [name for name in PARTS.names if name not in _IDS]
    return table_of(
        "parts", {"part_id": ids.part, "file_id": ids.file, **columns_of(PARTS, names, rows)}
    )


def _facts(part: Part) -> tuple[object, ...]:
    return (
        part.index,
        part.name and escape_text(part.name),
        part.type and escape_text(part.type),
        part.view and escape_text(part.view),
        _window_json(part.data_window),
        _window_json(part.display_window),
        *(part.data_window or (None,) * 4),
        *(part.display_window or (None,) * 4),
        part.compression,
        part.line_order,
        part.pixel_aspect_ratio,
        part.is_tiled,
        part.is_deep,
        *(part.tile or (None,) * 4),
        part.chunk_count,
        len(part.channels),
    )


def _window_json(box: Box | None) -> str | None:
    return None if box is None else orjson.dumps(window_document(box)).decode()
