"""Rows of ``failures``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import pyarrow as pa

from exrindex.model import Failure
from exrindex.naming import directory_of, escape_text, normalize_path
from exrindex.rows.columns import PathMaps, columns_of, table_of, to_microseconds
from exrindex.tables import FAILURES


def failure_rows(
    failures: Sequence[Failure], seen_at: dt.datetime, path_maps: PathMaps = ()
) -> pa.Table:
    """Rows of ``failures``, first and last seen at ``seen_at``."""
    places = [normalize_path(failure.uri, path_maps) for failure in failures]
    rows = [
        (
            escape_text(failure.uri),
            place,
            directory_of(place),
            failure.size,
            None if failure.mtime_ns is None else to_microseconds(failure.mtime_ns),
            str(failure.stage),
            str(failure.code),
            failure.offset,
            escape_text(failure.reason),
            seen_at,
            seen_at,
            1,
            None,
        )
        for failure, place in zip(failures, places, strict=True)
    ]
    return table_of("failures", columns_of(FAILURES, FAILURES.names, rows))
