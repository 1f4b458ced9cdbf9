"""Moving a catalog from one store into another: without reading a file again, and resumable.

Directories are compared by count and latest moments first; what is equal on both sides is passed
over, so a copy that was interrupted goes on where it was, and one that is repeated brings what has
changed since. Every group of files is one transaction, and is counted again in the target.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pyarrow.compute as pc

from exrindex.errors import StoreError, UsageError
from exrindex.model import JSONValue
from exrindex.store.base import SchemaState, Slice, Store
from exrindex.tables import CHILD_TABLES, SCANS

# Files moved together; a directory that holds more is cut by the beginnings of its files' ids.
GROUP_FILES = 2000
_DIGITS = "0123456789abcdef"
_SCANS_AT_ONCE = 1000

# What tells whether a directory's rows have changed: how many, and the sums of their moments, which
# tell also where a copy was interrupted that had come through a part of them.
_SIGNATURE = (
    "SELECT directory, count(*), sum(epoch_us({seen}))::VARCHAR, count({over}),"
    " sum(epoch_us({over}))::VARCHAR FROM {table} GROUP BY directory"
)
_SIGNATURES = {
    "files": _SIGNATURE.format(table="files", seen="last_inspected", over="retired_at"),
    "failures": _SIGNATURE.format(table="failures", seen="last_seen", over="resolved_at"),
}


@dataclass(slots=True)
class Copied:
    """Running totals, in files unless they say otherwise.

    ``equal`` were on both sides; ``written`` were not, or not as they are; ``rows`` counts the rows
    of every table that were moved or compared and found in the target.
    """

    source: str
    target: str
    files: int = 0
    equal: int = 0
    written: int = 0
    scans: int = 0
    rows: dict[str, int] = field(default_factory=lambda: dict.fromkeys(CHILD_TABLES, 0))
    seconds: float = 0.0

    def document(self) -> dict[str, JSONValue]:
        """What ``copy --json`` prints."""
        return {
            "from": self.source,
            "to": self.target,
            "files": self.files,
            "equal": self.equal,
            "written": self.written,
            "verified": dict(self.rows),
            "scans": self.scans,
            "seconds": round(self.seconds, 3),
        }


def copy(
    source: Store, target: Store, *, notify: Callable[[Copied], None] = lambda copied: None
) -> Copied:
    """Bring every row of ``source`` into ``target``, whose tables are made if there are none.

    Rows of the target that the source does not know stay. Raises ``StoreError`` if the target does
    not hold afterwards what was moved; what was moved before stays.
    """
    if source.place == target.place:
        raise UsageError(f"{source.url} is both source and target")
    started = time.monotonic()
    copied = Copied(source.url, target.url)
    source.require()
    if target.state() is SchemaState.NEW:
        target.create()
    target.require()
    here, there = _signatures(source), _signatures(target)
    copied.files = sum(signature["files"][0] for signature in here.values())
    changed = []
    for directory, signature in sorted(here.items()):
        if there.get(directory) == signature:
            copied.equal += signature["files"][0]
        else:
            changed.append((directory, int(signature["files"][0])))
    for part in slices(changed):
        _move(source, target, part, copied)
        copied.seconds = time.monotonic() - started
        notify(copied)
    copied.scans = _move_scans(source, target)
    copied.seconds = time.monotonic() - started
    return copied


def slices(directories: list[tuple[str, int]]) -> Iterator[Slice]:
    """Groups of about ``GROUP_FILES`` files, from directories and their numbers of files."""
    group: list[str] = []
    size = 0
    for directory, count in directories:
        if count > GROUP_FILES:
            yield from _cut(directory, count)
            continue
        if group and size + count > GROUP_FILES:
            yield Slice(group)
            group, size = [], 0
        group.append(directory)
        size += count
    if group:
        yield Slice(group)


def _cut(directory: str, count: int) -> Iterator[Slice]:
    """Slices of one large directory: ids are hashes, so their beginnings are evenly spread."""
    prefixes = [""]
    while count > len(prefixes) * GROUP_FILES:
        prefixes = [prefix + digit for prefix in prefixes for digit in _DIGITS]
    for number, prefix in enumerate(prefixes):
        yield Slice([directory], prefix, failures=number == 0)


def _signatures(store: Store) -> dict[str, dict[str, tuple[Any, ...]]]:
    found: dict[str, dict[str, tuple[Any, ...]]] = {}
    for table, query in _SIGNATURES.items():
        columns = (column.to_pylist() for column in store.sql(query).columns)
        for directory, *signature in zip(*columns, strict=True):
            nothing = dict.fromkeys(_SIGNATURES, (0, None, 0, None))
            found.setdefault(directory, nothing)[table] = tuple(signature)
    return found


def _move(source: Store, target: Store, part: Slice, copied: Copied) -> None:
    """Move one slice and count it again."""
    batch = source.rows_of(part)
    written = target.add_rows(batch)
    counts = target.child_counts(part)
    counts = counts.filter(pc.is_in(counts["file_id"], value_set=batch["files"]["file_id"]))
    _verify("files", batch["files"].num_rows, counts.num_rows, part)
    for table in CHILD_TABLES:
        found = pc.sum(counts[table]).as_py() or 0
        _verify(table, batch[table].num_rows, found, part)
        copied.rows[table] += found
    copied.written += written
    copied.equal += batch["files"].num_rows - written


def _verify(table: str, wanted: int, found: int, part: Slice) -> None:
    if wanted != found:
        raise StoreError(
            f"of {wanted} rows of {table} for {len(part.directories)} directories from "
            f"{part.directories[0]} on the target holds {found}; run the copy again, and if that "
            "does not help: exrindex schema check"
        )


def _move_scans(source: Store, target: Store) -> int:
    names = ", ".join(
        f'"{name}"::VARCHAR AS "{name}"' if name == "scan_id" else f'"{name}"'
        for name in SCANS.names
    )
    rows = source.sql(f"SELECT {names} FROM scans").cast(SCANS)
    return sum(
        target.add_scans(rows.slice(start, _SCANS_AT_ONCE))
        for start in range(0, rows.num_rows, _SCANS_AT_ONCE)
    )
