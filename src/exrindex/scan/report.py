"""What a scan was asked to do and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple, TypeAlias

from exrindex.model import Failure, Integrity, JSONValue
from exrindex.naming import escape_text

DEFAULT_COMMIT_FILES = 4000
_BROKEN = frozenset(integrity for integrity in Integrity if integrity.is_broken)


@dataclass(frozen=True, slots=True)
class ScanOptions:
    """The options of one scan.

    ``workers`` processes parse; about ``commit_files`` files are written per transaction;
    ``start_method`` is one of multiprocessing's, None for the default of this platform. Workers
    that are not ``is_local`` may be busy with the work of others, so no task is late there.
    """

    workers: int = 1
    commit_files: int = DEFAULT_COMMIT_FILES
    force: bool = False
    prune: bool = False
    dry_run: bool = False
    path_maps: tuple[tuple[str, str], ...] = ()
    start_method: str | None = None
    is_local: bool = True


@dataclass(slots=True)
class Counts:
    """Running totals, in files. ``found`` includes what could not be listed.

    ``broken`` counts files that have a header and whose pixels are incomplete or truncated,
    whether they were read in this run or found unchanged.
    """

    found: int = 0
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    retired: int = 0
    failed: int = 0
    broken: Counter[Integrity] = field(default_factory=Counter)
    failures: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)

    @property
    def done(self) -> int:
        """Files that are dealt with."""
        return self.inserted + self.updated + self.unchanged + self.failed

    def add_broken(self, integrity: str) -> bool:
        """Count a file if its integrity is one that loses pixels; whether it is."""
        if integrity not in _BROKEN:
            return False
        self.broken[Integrity(integrity)] += 1
        return True


class Example(NamedTuple):
    """A bad file, for people to read: its path, a failure code or an integrity, and why."""

    path: str
    code: str
    reason: str


MAX_EXAMPLES = 20


@dataclass(slots=True)
class Report:
    """How a scan ended.

    ``examples`` are the first ``MAX_EXAMPLES`` bad files; ``warnings`` are sentences.
    """

    scan_id: str
    store: str
    roots: list[str]
    counts: Counts
    seconds: float = 0.0
    dry_run: bool = False
    examples: list[Example] = field(default_factory=list)
    root_failures: list[Failure] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)

    @property
    def exit_status(self) -> int:
        """4 if a root could not be opened, 1 if a file failed or is broken, else 0."""
        if self.root_failures:
            return 4
        return 1 if self.counts.failed or self.counts.broken else 0

    def document(self) -> dict[str, JSONValue]:
        """The summary that ``scan --json`` prints."""
        counts = self.counts
        return {
            "scan_id": self.scan_id,
            "store": self.store,
            "roots": [escape_text(root) for root in self.roots],
            "found": counts.found,
            "inserted": counts.inserted,
            "updated": counts.updated,
            "unchanged": counts.unchanged,
            "retired": counts.retired,
            "failed": counts.failed,
            "broken": {str(kind): counts.broken[kind] for kind in Integrity if kind.is_broken},
            "failures": dict(sorted(counts.failures.items())),
            "skipped": dict(sorted(counts.skipped.items())),
            "seconds": round(self.seconds, 3),
            "files_per_second": round(counts.found / self.seconds, 1) if self.seconds else 0.0,
            "dry_run": self.dry_run,
            "exit_status": self.exit_status,
        }


Notify: TypeAlias = Callable[[Counts], None]
