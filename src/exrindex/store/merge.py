"""The rules of moving rows from one store into another, as a pure function.

Rows keep their ids and all they say. What stands there already stays, unless what comes was
inspected later; so rows may be moved twice, and both stores may go on being scanned meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

import pyarrow as pa

from exrindex.store.upsert import indices, moments, plain_rows
from exrindex.tables import Batch

# What has to be known of rows that stand in the directories that are moved.
STANDING_FILES = "file_id file_path_normalized last_inspected retired_at".split()
STANDING_FAILURES = "file_path_normalized first_seen last_seen resolved_at".split()

# What goes on changing of a row that stands.
RENEWED_FILES = "last_inspected inspection_count size_bytes mtime integrity retired_at".split()
RENEWED_FAILURES = (
    "last_seen attempts stage code offset reason size_bytes mtime resolved_at".split()
)

_Row: TypeAlias = Mapping[str, Any]


class MergePlan(NamedTuple):
    """What to do about rows that come from another store.

    ``insert`` and ``fail``: rows of ``files`` and ``failures`` that are new. ``renew`` and
    ``refail``: rows that stand and are to be overwritten in their ``RENEWED_...`` columns.
    ``retire``: file_id and moment (``at``) of standing rows that a later header replaces.
    ``resolve``: place and moment of standing open failures that a later one replaces.
    """

    insert: pa.Table
    renew: pa.Table
    retire: pa.Table
    fail: pa.Table
    refail: pa.Table
    resolve: pa.Table


class _Kind(NamedTuple):
    """How rows of a table are told apart and compared."""

    key: Callable[[_Row], object]
    seen: str
    over: str
    name: Callable[[_Row], str]


_FILES = _Kind(lambda row: row["file_id"], "last_inspected", "retired_at", lambda r: r["file_id"])
_FAILURES = _Kind(
    lambda row: (row["file_path_normalized"], row["first_seen"]),
    "last_seen",
    "resolved_at",
    lambda row: str(row["file_path_normalized"]),
)


class _Sorted(NamedTuple):
    new: pa.Table
    renewed: pa.Table
    replaced: list[tuple[str, int]]


def plan_merge(batch: Batch, files: pa.Table, failures: pa.Table) -> MergePlan:
    """Compare rows with those that stand in their directories (columns ``STANDING_...``)."""
    found = _sort(batch["files"], files, STANDING_FILES, _FILES)
    failed = _sort(batch["failures"], failures, STANDING_FAILURES, _FAILURES)
    return MergePlan(
        found.new,
        found.renewed,
        moments("file_id", found.replaced),
        failed.new,
        failed.renewed,
        moments("place", failed.replaced),
    )


def _sort(rows: pa.Table, standing: pa.Table, names: list[str], kind: _Kind) -> _Sorted:
    """Which rows are new, which overwrite, and which standing ones give way to them.

    At a place one row is open: of two, the one that was seen last.
    """
    stands = plain_rows(standing, names)
    by_key = {kind.key(row): row for row in stands}
    open_at = {row["file_path_normalized"]: row for row in stands if row[kind.over] is None}
    new: list[int] = []
    renewed: list[int] = []
    replaced: list[tuple[str, int]] = []
    over = rows[kind.over].cast(pa.int64()).to_pylist()
    for index, row in enumerate(plain_rows(rows, names)):
        same = by_key.get(kind.key(row))
        if same is not None and not _is_later(row, same, kind):
            continue
        (new if same is None else renewed).append(index)
        rival = open_at.get(row["file_path_normalized"])
        if row[kind.over] is not None or rival is None or kind.key(rival) == kind.key(row):
            continue
        if rival[kind.seen] > row[kind.seen]:
            over[index] = rival[kind.seen]
        else:
            replaced.append((kind.name(rival), row[kind.seen]))
    column = rows.schema.get_field_index(kind.over)
    field = rows.schema.field(column)
    rows = rows.set_column(column, field, pa.array(over, pa.int64()).cast(field.type))
    return _Sorted(rows.take(indices(new)), rows.take(indices(renewed)), replaced)


def _is_later(row: _Row, standing: _Row, kind: _Kind) -> bool:
    if row[kind.seen] != standing[kind.seen]:
        return bool(row[kind.seen] > standing[kind.seen])
    return row[kind.over] is not None and standing[kind.over] is None
