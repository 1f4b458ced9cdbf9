"""One scan: walk → skip the unchanged → parse in a pool → commit → report.

The store is the only checkpoint: what is committed is skipped by the next scan, so a scan that
was killed is finished by running it again.
"""

from __future__ import annotations

import datetime as dt
import os
import time
import uuid
from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import closing, suppress
from functools import partial
from itertools import chain, islice, starmap

import pyarrow as pa

from exrindex.errors import ExrIndexError, Interrupted, SourceError, StoreError
from exrindex.model import Failure, FailureCode, FileRef, Integrity, Stage
from exrindex.naming import escape_text, normalize_path, unescape_text
from exrindex.pool import ordered_map, process_executor
from exrindex.rows import make_batch
from exrindex.scan.changes import ChangeFinder
from exrindex.scan.prune import vanished
from exrindex.scan.record import scan_row
from exrindex.scan.report import MAX_EXAMPLES, Counts, Example, Notify, Report, ScanOptions
from exrindex.scan.writer import Writer, Written
from exrindex.source import LocalSource, Source
from exrindex.store.base import SchemaState, Store
from exrindex.tables import Batch, Packed, concat_batches, unpack_batch
from exrindex.work import ChunkIndexer

# Files per task: small enough to spread over the workers, large enough to make the cost of
# handing it over vanish.
_TASK_FILES = 200

# Tasks beyond one for each worker: enough to keep them busy while a result is written.
_SPARE_TASKS = 2

# So few files are done before a pool has started: a hook after a render waits for nothing else.
_FEW_FILES = 8

# A task that takes longer than this is taken to hang: a minute, and two seconds a file.
_TASK_SECONDS, _FILE_SECONDS = 60.0, 2.0

# How long an interrupted scan waits for its last transaction.
_LAST_SECONDS = 5.0

_BROKEN: dict[str, str] = {
    Integrity.INCOMPLETE: "half rendered: parts of the picture were never written",
    Integrity.TRUNCATED: "cut off: the file ends before its pixels do",
}


def scan(
    source: Source,
    store: Store,
    options: ScanOptions,
    *,
    roots: Sequence[str],
    notify: Notify = lambda counts: None,
    executor: Callable[[], Executor] | None = None,
) -> Report:
    """Index what ``source`` finds into ``store``.

    ``roots`` are recorded and, with ``prune``, searched for what has vanished. ``executor``
    makes the pool (by default of local processes). ``notify`` hears the running totals.
    Raises ``StoreError``; whatever was committed before stays.
    """
    if executor is None:
        executor = partial(process_executor, options.workers, options.start_method)
    run = _Run(source, store, options, roots, notify, executor)
    return run.dry() if options.dry_run else run.wet()


class _Run:
    """The state of one scan."""

    def __init__(
        self,
        source: Source,
        store: Store,
        options: ScanOptions,
        roots: Sequence[str],
        notify: Notify,
        executor: Callable[[], Executor],
    ) -> None:
        self.source = source
        self.store = store
        self.options = options
        self.notify = notify
        self.executor = executor
        self.counts = Counts()
        self.started = time.monotonic()
        self.started_at = _now()
        self.report = Report(str(uuid.uuid4()), store.url, list(roots), self.counts)
        self.report.dry_run = options.dry_run
        if isinstance(source, LocalSource):
            self.report.root_failures = source.check_roots()
            self._require_a_root()
        self.writer = Writer(store)
        self.waiting: list[Batch] = []
        self.waiting_places: set[str] = set()

    # --- the two ways to run ---

    def wet(self) -> Report:
        """Scan for real. The run is recorded even when it is interrupted."""
        if self.store.state() is SchemaState.NEW:
            self.store.create()
        self.store.require()
        self._record(exit_status=None)
        try:
            with closing(self._batches()) as batches:
                for batch in batches:
                    self._add(unpack_batch(batch))
            self._commit()
            self._count_written(self.writer.finish())
            self.notify(self.counts)
            self._settle()
        except (Interrupted, KeyboardInterrupt, ExrIndexError) as error:
            self._record_end_of(error)
            raise
        self.report.seconds = time.monotonic() - self.started
        self._record(exit_status=self.report.exit_status)
        return self.report

    def dry(self) -> Report:
        """Say what a scan would do: no file is opened and nothing is written."""
        state = self.store.state()
        if state is not SchemaState.NEW:
            self.store.require()
        store = None if state is SchemaState.NEW else self.store
        finder = self._finder(store)
        for refs, failures in finder.chunks(self.source.walk()):
            for ref in refs:
                if finder.known_at(normalize_path(ref.uri, self.options.path_maps)):
                    self.counts.updated += 1
                else:
                    self.counts.inserted += 1
            lasting = self._lasting(failures)
            self._count_failures(
                [Example(escape_text(f.uri), str(f.code), f.reason) for f in lasting]
            )
            self.notify(self.counts)
        if store is not None and self.options.prune:
            self.counts.retired = len(set(chain.from_iterable(self._vanished())))
        self.report.seconds = time.monotonic() - self.started
        return self.report

    # --- from files to batches ---

    def _finder(self, store: Store | None) -> ChangeFinder:
        return ChangeFinder(
            store, self.counts, self.options.path_maps, compare=not self.options.force
        )

    def _batches(self) -> Generator[Packed, None, None]:
        """Parse what changed, in the pool; a handful of files in this process."""
        indexer = ChunkIndexer(self.source, self.options.path_maps)
        tasks = self._tasks()
        first = list(islice(tasks, 2))
        if len(first) < 2 and sum(map(len, first)) <= _FEW_FILES:
            yield from map(indexer, first)
            return
        yield from ordered_map(
            indexer,
            chain(first, tasks),
            executor=self.executor,
            window=self.options.workers + _SPARE_TASKS,
            on_crash=indexer.crashed,
            timeout=_time_limit if self.options.is_local else None,
        )

    def _tasks(self) -> Iterator[list[FileRef]]:
        size = min(_TASK_FILES, self.options.commit_files)
        for refs, failures in self._finder(self.store).chunks(self.source.walk()):
            lasting = self._lasting(failures)
            if lasting:
                self._add(make_batch([], lasting, _now(), self.options.path_maps))
            self.notify(self.counts)
            for start in range(0, len(refs), size):
                yield refs[start : start + size]

    # --- from batches to the store ---

    def _add(self, batch: Batch) -> None:
        """Keep a batch for the next transaction; commit when there is enough."""
        places = {
            place
            for table in ("files", "failures")
            for place in batch[table]["file_path_normalized"].to_pylist()
        }
        if not places.isdisjoint(self.waiting_places):
            self._commit()
        self.waiting.append(batch)
        self.waiting_places |= places
        if len(self.waiting_places) >= self.options.commit_files:
            self._commit()

    def _commit(self) -> None:
        """Hand over what waits. The transaction goes on while the next files are parsed."""
        if not self.waiting:
            return
        batch = concat_batches(self.waiting)
        self.waiting, self.waiting_places = [], set()
        self._count_written(self.writer.write(batch))
        self.notify(self.counts)

    def _count_written(self, written: Written | None) -> None:
        if written is None:
            return
        batch, done = written
        counts = self.counts
        counts.inserted += done.inserted
        counts.retired += done.retired
        counts.updated += done.updated
        if self.options.force:
            counts.updated += done.confirmed
        else:
            counts.unchanged += done.confirmed
        self._count_broken(batch["files"])
        self._count_failures(
            list(starmap(Example, _columns(batch["failures"], "file_path", "code", "reason")))
        )

    def _count_broken(self, files: pa.Table) -> None:
        for path, integrity in _columns(files, "file_path", "integrity"):
            if self.counts.add_broken(integrity):
                self._keep_example(Example(path, integrity, _BROKEN[integrity]))

    def _count_failures(self, failures: Sequence[Example]) -> None:
        self.counts.failed += len(failures)
        for failure in failures:
            self.counts.failures[failure.code] += 1
            self._keep_example(failure)

    def _keep_example(self, example: Example) -> None:
        if len(self.report.examples) < MAX_EXAMPLES:
            self.report.examples.append(example)

    # --- what is gone ---

    def _settle(self) -> None:
        """After a complete walk: retire what vanished, close failures that it disproves."""
        at = _now()
        if self.options.prune:
            for places in self._vanished():
                self.counts.retired += self.store.retire(places, at)
        if isinstance(self.source, LocalSource):
            disproved = list(self._disproved(self.source))
            if disproved:
                self.store.close_failures(disproved, at)

    def _disproved(self, source: LocalSource) -> Iterator[str]:
        """Places of failures that the walk came by and did not meet again.

        That a file which failed to parse is gone counts with ``prune`` only, like its row.
        """
        for root in self._open_roots():
            place = normalize_path(root, self.options.path_maps)
            stale = self.store.stale_failures(place, self.started_at)
            for row in stale.to_pylist():
                was_listed = row["stage"] != Stage.LIST and row["code"] != FailureCode.VANISHED
                if was_listed and not self.options.prune:
                    continue
                if not source.passes_over(unescape_text(row["file_path"])):
                    yield row["file_path_normalized"]

    def _vanished(self) -> Iterator[list[str]]:
        shard = self.source.shard if isinstance(self.source, LocalSource) else None
        warn = self.report.warnings.append
        for root in self._open_roots():
            if os.path.isdir(root):
                yield from vanished(self.store, root, self.options.path_maps, warn, shard)

    def _open_roots(self) -> list[str]:
        failed = {failure.uri for failure in self.report.root_failures}
        return [root for root in self.report.roots if root not in failed]

    def _require_a_root(self) -> None:
        """Refuse to start where no root is there: most likely a typing error."""
        failures = self.report.root_failures
        if failures and len(failures) == len(self.report.roots):
            raise SourceError(
                "; ".join(f"{escape_text(failure.uri)}: {failure.reason}" for failure in failures)
            )

    def _lasting(self, failures: list[Failure]) -> list[Failure]:
        """What could not be listed and is expected to come back; found, but not readable.

        A root that does not exist is reported by itself: most likely it was mistyped.
        """
        lasting = [
            failure
            for failure in failures
            if failure.code is not FailureCode.VANISHED or failure.uri not in self.report.roots
        ]
        self.counts.found += len(lasting)
        return lasting

    # --- the run's own row ---

    def _record_end_of(self, error: BaseException) -> None:
        """Record how the run ended, unless the store itself fails or is busy."""
        self._count_written(self.writer.give_up(_LAST_SECONDS))
        if isinstance(error, StoreError):
            return
        self.report.seconds = time.monotonic() - self.started
        with suppress(StoreError):
            self._record(exit_status=getattr(error, "exit_code", 130), patient=False)

    def _record(self, *, exit_status: int | None, patient: bool = True) -> None:
        row = scan_row(self.report, self.options, self.started_at, exit_status)
        self.store.record_scan(row, patient=patient)


def _time_limit(refs: Sequence[FileRef]) -> float:
    return _TASK_SECONDS + _FILE_SECONDS * len(refs)


def _columns(table: pa.Table, *names: str) -> Iterator[tuple[str, ...]]:
    """The rows of some text columns."""
    return zip(*(table[name].to_pylist() for name in names), strict=True)


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
