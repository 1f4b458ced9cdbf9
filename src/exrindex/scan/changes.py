"""Which of the files found have to be read: those the store does not list as they are now."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import NamedTuple, TypeAlias

import pyarrow as pa

from exrindex.model import Failure, FileRef, Integrity, Skipped
from exrindex.naming import directory_of, normalize_path
from exrindex.rows import PathMaps, to_microseconds
from exrindex.scan.report import Counts
from exrindex.source.base import Found
from exrindex.store.base import Store

# Files looked up together: few at first, so that work begins soon, and twice as many each time,
# since every lookup costs the opening of a catalog or some requests.
LOOKUP_FILES, MOST_LOOKUP_FILES = 2000, 16000

# Time stamps of files tick in steps (a kernel tick at best, a second on old file systems). A
# broken file that was read within one step of its last change may have been finished since with
# the same size and time, so it is read again.
_TICK_US = 2_000_000
_SETTLED = (Integrity.OK, Integrity.UNCHECKED)


class Chunk(NamedTuple):
    """Files to read, and what could not be listed, from one stretch of the walk."""

    refs: list[FileRef]
    failures: list[Failure]


# What the store says of a file: size, mtime in µs, integrity, when it was last inspected in µs, and
# whether a failure stands at its place. A plain tuple: a rescan makes one for every file.
_Known: TypeAlias = tuple[int, int, str, int, bool]


def _is_current(known: _Known, ref: FileRef) -> bool:
    size, mtime_us, integrity, inspected_us, has_failure = known
    if has_failure or size != ref.size or mtime_us != to_microseconds(ref.mtime_ns):
        return False
    return inspected_us - mtime_us > _TICK_US or integrity in _SETTLED


class ChangeFinder:
    """Cuts a walk into chunks and drops what the store already has.

    Holds what it knows of the directories of the current chunk only. ``compare`` False
    (--force) reads everything; ``store`` None is an empty store.
    """

    def __init__(
        self, store: Store | None, counts: Counts, path_maps: PathMaps, *, compare: bool
    ) -> None:
        self._store = store
        self._counts = counts
        self._path_maps = path_maps
        self._compare = compare
        self._known: dict[str, dict[str, _Known]] = {}
        self._found: dict[str, set[str]] = {}

    def chunks(self, walk: Iterable[Found]) -> Iterator[Chunk]:
        """The changed files and the failures of each stretch of the walk."""
        walk = iter(walk)
        size = LOOKUP_FILES
        while stretch := list(islice(walk, size)):
            yield self._sift(stretch)
            size = min(2 * size, MOST_LOOKUP_FILES)

    def known_at(self, place: str) -> bool:
        """Whether the store lists a file at a place of the latest chunk."""
        return place in self._known.get(directory_of(place), ())

    def _sift(self, stretch: list[Found]) -> Chunk:
        refs: dict[str, tuple[str, FileRef]] = {}
        directories: set[str] = set()
        failures: dict[str, Failure] = {}
        for found in stretch:
            if isinstance(found, Skipped):
                self._counts.skipped[found.reason] += 1
                continue
            place = normalize_path(found.uri, self._path_maps)
            directory = directory_of(place)
            if isinstance(found, FileRef):
                directories.add(directory)
                found_here = self._found.setdefault(directory, set())
                if place in found_here:
                    # Two names that differ in Unicode form only; or a list names a file twice.
                    self._counts.skipped["another file stands at the same place"] += 1
                    continue
                self._counts.found += 1
                found_here.add(place)
                failures.pop(place, None)
                refs[place] = directory, found
            elif place in self._found.get(directory, ()):
                self._counts.skipped["another file stands at the same place"] += 1
            else:
                failures[place] = found
        self._found = {name: self._found[name] for name in directories}
        self._learn(directories)
        changed = [
            ref
            for place, (directory, ref) in refs.items()
            if not self._is_unchanged(directory, place, ref)
        ]
        return Chunk(changed, list(failures.values()))

    def _is_unchanged(self, directory: str, place: str, ref: FileRef) -> bool:
        known = self._known.get(directory, {}).get(place)
        if not self._compare or known is None or not _is_current(known, ref):
            return False
        self._counts.unchanged += 1
        self._counts.add_broken(known[2])
        return True

    def _learn(self, directories: set[str]) -> None:
        if self._store is None:
            return
        new = sorted(directories - self._known.keys())
        self._known = {name: self._known[name] for name in directories & self._known.keys()}
        if new:
            self._known.update({name: {} for name in new})
            for directory, place, known in _rows(self._store.known(new)):
                self._known[directory][place] = known


def _rows(table: pa.Table) -> Iterator[tuple[str, str, _Known]]:
    times = {name: table[name].cast(pa.int64()).to_pylist() for name in ("mtime", "last_inspected")}
    facts = zip(
        table["size_bytes"].to_pylist(),
        times["mtime"],
        table["integrity"].to_pylist(),
        times["last_inspected"],
        table["has_failure"].to_pylist(),
        strict=True,
    )
    yield from zip(
        table["directory"].to_pylist(),
        table["file_path_normalized"].to_pylist(),
        facts,
        strict=True,
    )
