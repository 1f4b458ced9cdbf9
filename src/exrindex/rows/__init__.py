"""Facts about files → Arrow tables, one file per table.

Frames of a sequence share nearly all they say. So what a table holds is made once for each
distinct channel list and attribute of a batch, and the rows are taken from that.
Ids derive from place and header alone, so the same tree indexed anywhere gives the same ids.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

from exrindex.model import Failure, Indexed
from exrindex.rows.attributes import AttributeRows
from exrindex.rows.channels import ChannelRows
from exrindex.rows.columns import PathMaps, to_microseconds
from exrindex.rows.failures import failure_rows
from exrindex.rows.files import file_rows, locate
from exrindex.rows.ids import make_file_id
from exrindex.rows.parts import part_rows
from exrindex.tables import Batch

__all__ = ["PathMaps", "failure_rows", "make_batch", "make_file_id", "to_microseconds"]


def make_batch(
    indexed: Sequence[Indexed],
    failures: Sequence[Failure],
    seen_at: dt.datetime,
    path_maps: PathMaps = (),
) -> Batch:
    """Every row of some files and failures; ``seen_at`` (UTC) stamps them all."""
    places = [locate(item, path_maps) for item in indexed]
    channels = ChannelRows(indexed)
    attributes = AttributeRows(indexed)
    file_ids = [place.file_id for place in places]
    return {
        "files": file_rows(indexed, places, channels, attributes, seen_at),
        "parts": part_rows(indexed, file_ids),
        "channels": channels.table(file_ids),
        "attributes": attributes.table(file_ids),
        "failures": failure_rows(failures, seen_at, path_maps),
    }
