"""Writing while the next files are parsed: one transaction at a time, in a thread of its own."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from concurrent.futures import TimeoutError as FutureTimeout
from typing import NamedTuple

from exrindex.errors import ExrIndexError, StoreError
from exrindex.store.base import Store, Upserted
from exrindex.tables import Batch


class Written(NamedTuple):
    """A batch that was committed, and what that came to."""

    batch: Batch
    done: Upserted


class Writer:
    """Writes batches in the order they come; at most one is on its way."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._pending: tuple[Batch, Future[Upserted]] | None = None

    def write(self, batch: Batch) -> Written | None:
        """Begin to write a batch once the one before is committed; returns that one."""
        before = self.finish()
        future: Future[Upserted] = Future()
        self._pending = batch, future
        # A daemon: who interrupts a scan does not wait for a store that does not answer.
        threading.Thread(
            target=self._run, args=(batch, future), name="exrindex-writer", daemon=True
        ).start()
        return before

    def finish(self, seconds: float | None = None) -> Written | None:
        """Wait for the batch that is on its way, if any, and for no longer than ``seconds``.

        Raises what the store raised.
        """
        if self._pending is None:
            return None
        batch, future = self._pending
        done = future.result(seconds)
        self._pending = None
        return Written(batch, done)

    def give_up(self, seconds: float) -> Written | None:
        """Like ``finish``, for a scan that ends early: what goes wrong is of no interest now."""
        try:
            return self.finish(seconds)
        except (StoreError, FutureTimeout):
            return None

    def _run(self, batch: Batch, future: Future[Upserted]) -> None:
        try:
            future.set_result(self._store.upsert(batch))
        except ExrIndexError as error:
            future.set_exception(error)
        finally:
            if not future.done():
                future.set_exception(RuntimeError("writing failed; the traceback says why"))
