"""Finding rows by coarse keys: VAST has no indexes, and a predicate is a list of literals.

A row is looked up by its directory, of which a batch has few, and narrowed by its place.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from exrindex.store.vast.link import ROW_ID, VastTransaction
from exrindex.tables import TIMESTAMP

# Literals of one predicate: the SDK takes a tenth of a millisecond for each.
_MOST_LITERALS = 2000

# So few places are named one by one: a hook that writes a frame does not read its directory.
_FEW_PLACES = 64

# What says that a row of a table is over.
_OVER = {"files": "retired_at", "failures": "resolved_at"}

_KNOWN = (
    "directory file_path file_path_normalized size_bytes mtime integrity last_inspected".split()
)
_STALE = "file_path file_path_normalized stage code last_seen".split()


def lookups(column: Any, values: Sequence[Any]) -> Iterator[Any]:
    """Predicates that together hold where a column is one of the values, each of which is once."""
    for start in range(0, len(values), _MOST_LITERALS):
        yield column.isin(list(values[start : start + _MOST_LITERALS]))


def is_open(transaction: VastTransaction, table: str) -> Any:
    """The predicate for live files, and for failures that last."""
    return transaction.column(table, _OVER[table]).isnull()


def below(column: Any, root: str) -> Any:
    """The predicate for places (or directories) at or below a root."""
    return (column == root) | column.startswith(root.rstrip("/") + "/")


def in_directories(
    transaction: VastTransaction,
    table: str,
    columns: Sequence[str],
    directories: Sequence[str],
    also: Any,
) -> pa.Table:
    """The rows of some directories for which ``also`` (or None) holds; their ids in ``$row_id``."""
    column = transaction.column(table, "directory")
    predicates = [one if also is None else one & also for one in lookups(column, directories)] or [
        False
    ]
    return pa.concat_tables(
        [transaction.select(table, columns, one, row_ids=True) for one in predicates]
    )


def at_places(
    transaction: VastTransaction,
    table: str,
    columns: Sequence[str],
    directories: Sequence[str],
    places: pa.Array,
    *,
    also: Any = None,
) -> pa.Table:
    """The rows at some places, which lie in these directories; ``places`` is not empty.

    Walks come in order, so the places of a batch lie in a narrow range of their directories.
    """
    place = transaction.column(table, "file_path_normalized")
    if len(places) <= _FEW_PLACES:
        near = place.isin(places.to_pylist())
    else:
        bounds = pc.min_max(places).as_py()
        near = place.between(bounds["min"], bounds["max"])
    near = near if also is None else near & also
    rows = in_directories(transaction, table, columns, directories, near)
    return rows.filter(pc.is_in(rows["file_path_normalized"], value_set=places))


# --- what a scan asks -------------------------------------------------------------------------


def known(transaction: VastTransaction, directories: Sequence[str]) -> pa.Table:
    """See ``Store.known``: two requests."""
    files, failures = transaction.together(
        [
            partial(
                in_directories,
                transaction,
                table,
                columns,
                directories,
                is_open(transaction, table),
            )
            for table, columns in (("files", _KNOWN), ("failures", ["file_path_normalized"]))
        ]
    )
    failing = failures["file_path_normalized"].combine_chunks()
    has_failure = pc.is_in(files["file_path_normalized"], value_set=failing)
    return files.drop_columns([ROW_ID]).append_column("has_failure", has_failure)


def directories_below(transaction: VastTransaction, root: str) -> list[str]:
    """See ``Store.directories``."""
    predicate = below(transaction.column("files", "directory"), root) & is_open(
        transaction, "files"
    )
    found: set[str] = set()
    for batch in transaction.batches("files", ["directory"], predicate):
        found.update(pc.unique(batch["directory"]).to_pylist())
    return sorted(found)


def stale_failures(transaction: VastTransaction, root: str, before: dt.datetime) -> pa.Table:
    """See ``Store.stale_failures``."""
    moment = pa.scalar(before, TIMESTAMP)
    column = partial(transaction.column, "failures")
    lasting = is_open(transaction, "failures")
    rows, unlisted = transaction.together(
        [
            partial(transaction.select, "failures", _STALE, predicate & lasting)
            for predicate in (
                below(column("file_path_normalized"), root),
                column("stage") == "list",
            )
        ]
    )
    # A directory that could not be listed says nothing about what is below it.
    unlisted = unlisted.filter(pc.greater_equal(unlisted["last_seen"], moment))
    is_stale = pc.less(rows["last_seen"], moment)
    for directory in unlisted["file_path_normalized"].to_pylist():
        inside = pc.starts_with(rows["file_path_normalized"], directory.rstrip("/") + "/")
        is_stale = pc.and_(is_stale, pc.invert(inside))
    return rows.filter(is_stale).drop_columns(["last_seen"])
