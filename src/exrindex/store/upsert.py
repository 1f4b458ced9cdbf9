"""The rules of an upsert, as a pure function: which rows to insert, to change and to retire.

A batch that is applied a second time changes nothing and is counted as it was the first time, so
a transaction whose outcome is unknown may be run again. What was seen of a place before somebody
else saw it is out of date and left aside: a long scan does not undo what a hook wrote meanwhile.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, TypeAlias

import pyarrow as pa

from exrindex.store.base import Upserted
from exrindex.tables import TIMESTAMP, Batch

# A file whose bytes are no longer a header has lost the header it had; one that merely could
# not be read has not.
CONTENT_LOST = ("empty", "not_exr", "truncated_header", "damaged_header", "not_a_file")

# What the plan has to know of rows that stand at the places of a batch: of ``files`` all of them,
# retired ones too; of ``failures`` the open ones.
EXISTING_FILES = (
    "file_id file_path_normalized header_hash size_bytes mtime integrity first_seen"
    " last_inspected retired_at"
).split()
OPEN_FAILURES = ["file_path_normalized", "last_seen"]

# The columns of ``files`` that a file known with the same header overwrites.
TOUCHED = ["last_inspected", "size_bytes", "mtime", "integrity"]
# The columns of ``failures`` that a repeated failure overwrites.
REPEATED = ["last_seen", "stage", "code", "offset", "reason", "size_bytes", "mtime"]

_FACTS = ("size_bytes", "mtime", "integrity")

_Row: TypeAlias = Mapping[str, Any]


class UpsertPlan(NamedTuple):
    """What to do about the rows of one batch, and how it is to be counted.

    ``insert``: file_ids that are new. ``touch``: rows of ``files`` known with this header, as
    file_id and ``TOUCHED``; they are live again. ``retire``: file_id and moment (``at``) of live
    rows that gave way. ``resolve``: place and moment of open failures that are over.
    ``repeat`` and ``fail``: incoming rows of ``failures`` that stand open already, and new ones.
    """

    insert: list[str]
    touch: pa.Table
    retire: pa.Table
    resolve: pa.Table
    repeat: pa.Table
    fail: pa.Table
    counts: Upserted


def plan_upsert(
    batch: Batch, existing: pa.Table, failing: pa.Table, clock: dt.datetime
) -> UpsertPlan:
    """Compare a batch with the rows that stand at its places.

    ``existing`` has the columns ``EXISTING_FILES``, ``failing`` ``OPEN_FAILURES``; rows at other
    places may be among them. ``clock`` is the time now: rows that claim to be from later were
    written by a machine whose clock is wrong, and prove nothing.
    """
    at = int(pa.scalar(clock, TIMESTAMP).value)
    plan = _Plan(_by_place(existing), _by_place(failing), at)
    for index, row in enumerate(plain_rows(batch["files"], ["file_id", *_COMPARED])):
        plan.add_file(index, row)
    for index, row in enumerate(plain_rows(batch["failures"], [*OPEN_FAILURES, "code"])):
        plan.add_failure(index, row)
    return plan.finish(batch)


_COMPARED = ("file_path_normalized", "header_hash", "last_inspected", *_FACTS)


class _Plan:
    """Collects what ``plan_upsert`` finds; numbers are rows of the batch."""

    def __init__(
        self, files: dict[str, list[_Row]], failures: dict[str, list[_Row]], clock: int
    ) -> None:
        self._files = files
        self._failures = failures
        self._clock = clock
        self._insert: list[str] = []
        self._touch: list[int] = []
        self._retire: list[tuple[str, int]] = []
        self._resolve: list[tuple[str, int]] = []
        self._repeat: list[int] = []
        self._fail: list[int] = []
        self._inserted = self._updated = self._confirmed = self._retired = 0

    def add_file(self, index: int, row: _Row) -> None:
        place, now = row["file_path_normalized"], row["last_inspected"]
        if self._is_outdated(place, now):
            self._confirmed += 1
            return
        known = None
        for other in self._files.get(place, ()):
            if other["header_hash"] == row["header_hash"]:
                known = other
            else:
                self._give_way(other, now)
        if known is None:
            self._insert.append(row["file_id"])
            self._inserted += 1
        elif _is_written(known, row):
            self._inserted += known["first_seen"] == now
            self._confirmed += known["first_seen"] != now
        else:
            changed = known["retired_at"] is not None or _facts(known) != _facts(row)
            self._touch.append(index)
            self._updated += changed
            self._confirmed += not changed
        if place in self._failures:
            self._resolve.append((place, now))

    def add_failure(self, index: int, row: _Row) -> None:
        place, now = row["file_path_normalized"], row["last_seen"]
        if self._is_outdated(place, now):
            return
        if row["code"] in CONTENT_LOST:
            for other in self._files.get(place, ()):
                self._give_way(other, now)
        if place not in self._failures:
            self._fail.append(index)
        elif all(failure["last_seen"] != now for failure in self._failures[place]):
            self._repeat.append(index)

    def finish(self, batch: Batch) -> UpsertPlan:
        failures = batch["failures"]
        counts = Upserted(
            self._inserted, self._updated, self._confirmed, self._retired, failures.num_rows
        )
        return UpsertPlan(
            self._insert,
            batch["files"].select(["file_id", *TOUCHED]).take(indices(self._touch)),
            moments("file_id", self._retire),
            moments("place", self._resolve),
            failures.take(indices(self._repeat)),
            failures.take(indices(self._fail)),
            counts,
        )

    def _is_outdated(self, place: str, now: int) -> bool:
        """Whether somebody has seen the place later than this."""
        seen = [failure["last_seen"] for failure in self._failures.get(place, ())]
        for row in self._files.get(place, ()):
            seen += [row["last_inspected"], row["retired_at"] or now]
        return any(now < moment <= self._clock for moment in seen)

    def _give_way(self, row: _Row, now: int) -> None:
        """Retire a row; one that was retired at this very moment was so by this very batch."""
        if row["retired_at"] is None:
            self._retire.append((str(row["file_id"]), now))
            self._retired += 1
        else:
            self._retired += row["retired_at"] == now


def require_places_once(batch: Batch) -> None:
    """Raise ``ValueError`` if a place comes in twice: which came last could not be told."""
    places = [
        place
        for table in ("files", "failures")
        for place in batch[table]["file_path_normalized"].to_pylist()
    ]
    if len(set(places)) != len(places):
        raise ValueError("a batch must hold each place once")


def _is_written(known: _Row, row: _Row) -> bool:
    return (
        known["last_inspected"] == row["last_inspected"]
        and known["retired_at"] is None
        and _facts(known) == _facts(row)
    )


def _facts(row: _Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in _FACTS)


def _by_place(table: pa.Table) -> dict[str, list[_Row]]:
    found: dict[str, list[_Row]] = {}
    for row in plain_rows(table, table.column_names):
        found.setdefault(row["file_path_normalized"], []).append(row)
    return found


def plain_rows(table: pa.Table, names: Iterable[str]) -> list[dict[str, Any]]:
    """Rows with times as microseconds: Arrow may hold times that Python's datetime cannot."""
    columns = {name: table[name] for name in names}
    plain = {
        name: column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
        for name, column in columns.items()
    }
    rows: list[dict[str, Any]] = pa.table(plain).to_pylist()
    return rows


def indices(numbers: list[int]) -> pa.Int64Array:
    """Row numbers to take."""
    return pa.array(numbers, pa.int64())


def moments(name: str, found: list[tuple[str, int]]) -> pa.Table:
    """Keys and the moments (``at``, given in microseconds) that are to be noted for them."""
    return pa.table(
        {
            name: pa.array([key for key, _ in found], pa.string()),
            "at": pa.array([at for _, at in found], pa.int64()).cast(TIMESTAMP),
        }
    )
