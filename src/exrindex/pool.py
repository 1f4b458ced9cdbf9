"""An ordered map over any executor, for work that may kill or hang the process that does it.

A task is a sequence of items, done by one call in one worker. When a worker dies, every task
that was in flight is a suspect, and suspects are run one at a time, so that guilt is certain: a
task that breaks the workers twice by itself is halved until single items are left. Whatever is
innocent is done, in order; every guilty item becomes one value made by the caller.
"""

from __future__ import annotations

import math
import multiprocessing
import os
import signal
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import (
    BrokenExecutor,
    CancelledError,
    Executor,
    Future,
    ProcessPoolExecutor,
)
from multiprocessing import connection
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

from exrindex.errors import ExrIndexError
from exrindex.model import FailureCode

Item = TypeVar("Item")
R = TypeVar("R")
T = TypeVar("T")

_TICK_S = 1.0
_START_S = 120.0
_STARTS = 3
_KILL_S = 5.0
_MOST_WORKERS = 32
_CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
_PRELOAD = "exrindex.work"


def ordered_map(
    function: Callable[[Sequence[Item]], R],
    tasks: Iterable[Sequence[Item]],
    *,
    executor: Callable[[], Executor],
    window: int,
    on_crash: Callable[[Item, FailureCode], R],
    timeout: Callable[[Sequence[Item]], float] | None = None,
) -> Generator[R, None, None]:
    """Yield ``function(task)`` for every task, in the order of the tasks.

    ``executor`` makes the executor, and another one whenever workers had to be given up. At most
    ``window`` tasks are submitted and not yet yielded, and ``tasks`` is consumed no faster. A task
    that had to be split yields several results. ``timeout`` gives seconds for a task, counted
    while the task is the oldest one; it needs workers that can be killed (processes).

    An exception raised by ``function`` is raised here. However the iteration ends, no worker is
    left: running tasks are killed if it ends early. Raises ``ExrIndexError`` where workers cannot
    be started again after a crash.
    """
    if window < 1:
        raise ValueError("window must be at least 1")
    run = _Run(function, _Workers(executor), on_crash, timeout)
    try:
        yield from run.results(iter(tasks), window)
        run.workers.finish()
    finally:
        run.workers.discard()


class _Workers:
    """The executor in use. One that was given up is replaced when the next task comes."""

    def __init__(self, factory: Callable[[], Executor]) -> None:
        self._factory = factory
        self._executor: Executor | None = None
        self._must_prove_itself = False

    def submit(self, function: Callable[[Sequence[Item]], R], items: Sequence[Item]) -> Future[R]:
        return _submit(self._executor or self._start(function), function, items)

    def wait(self, future: Future[R], limit: float) -> FailureCode | None:
        """Wait until ``future`` holds a result or an exception of its own; else say what broke.

        Only time spent waiting here counts towards ``limit``, at most two ticks per look: a
        process that was stopped (Ctrl-Z) and continued does not find its tasks late.
        """
        spent = 0.0
        a_worker_was_dead = False
        while True:
            before = time.monotonic()
            try:
                error = future.exception(timeout=min(_TICK_S, limit - spent))
            except CancelledError:
                return FailureCode.CRASHED
            except TimeoutError:
                spent += min(time.monotonic() - before, 2 * _TICK_S)
            else:
                # With a cause it is no dead worker: a result could not be unpickled here.
                dead = isinstance(error, BrokenExecutor) and error.__cause__ is None
                return FailureCode.CRASHED if dead else None
            if spent >= limit:
                return FailureCode.TIMEOUT
            # The executor notices a dead worker at once, unless it died in the middle of
            # sending a result: then the executor waits for the rest for ever.
            a_worker_is_dead = bool(_ended(_processes(self._executor), 0))
            if a_worker_is_dead and a_worker_was_dead:
                return FailureCode.CRASHED
            a_worker_was_dead = a_worker_is_dead

    def finish(self) -> None:
        """Let idle workers end."""
        if self._executor is not None:
            self._executor.shutdown(wait=True)
            self._executor = None

    def discard(self) -> None:
        """Give up the executor: kill its workers, cancel what waits."""
        executor, self._executor = self._executor, None
        if executor is None:
            return
        self._must_prove_itself = True
        all_ended = isinstance(executor, ProcessPoolExecutor) and _kill(executor)
        executor.shutdown(wait=all_ended, cancel_futures=True)

    def _start(self, function: Callable[[Sequence[Item]], R]) -> Executor:
        """A new executor; after a crash one that has shown that a worker lives.

        Without this, a world in which no worker can start would be blamed on every item. The
        worker has then also imported what ``function`` needs: no item is late for that.
        """
        for _ in range(_STARTS):
            self._executor = self._factory()
            if not self._must_prove_itself:
                return self._executor
            if self.wait(_submit(self._executor, _load, function), _START_S) is None:
                return self._executor
            self.discard()
        raise ExrIndexError(
            f"worker processes end before they do anything ({_STARTS} attempts); the machine may "
            "be out of memory or processes, or the script that started this may lack its "
            "'if __name__ == \"__main__\"' guard"
        )


def _submit(executor: Executor, function: Callable[[T], R], argument: T) -> Future[R]:
    """Submit; an executor that is broken, or that loses its fork server now, breaks the future."""
    try:
        return executor.submit(function, argument)
    except (BrokenExecutor, EOFError, ConnectionError) as error:
        broken: Future[R] = Future()
        broken.set_exception(BrokenExecutor(str(error)))
        return broken
    except OSError as error:
        raise ExrIndexError(f"no worker process can be started: {error.strerror}") from error


class _Run(Generic[Item, R]):
    """One pass over the tasks."""

    def __init__(
        self,
        function: Callable[[Sequence[Item]], R],
        workers: _Workers,
        on_crash: Callable[[Item, FailureCode], R],
        timeout: Callable[[Sequence[Item]], float] | None,
    ) -> None:
        self.workers = workers
        self._function = function
        self._on_crash = on_crash
        self._timeout = timeout

    def results(self, tasks: Iterator[Sequence[Item]], window: int) -> Iterator[R]:
        flight: deque[tuple[Sequence[Item], Future[R]]] = deque()
        more = True
        while more or flight:
            if more and len(flight) < window:
                task = next(tasks, None)
                if task is None:
                    more = False
                    continue
                flight.append((task, self.workers.submit(self._function, task)))
                if not flight[0][1].done():
                    continue
            task, future = flight[0]
            verdict = self.workers.wait(future, self._limit(task))
            if verdict is None:
                flight.popleft()
                yield future.result()
                continue
            self.workers.discard()
            if verdict is FailureCode.TIMEOUT:
                # Its limit has room for every item: one of them hangs. Waiting for the whole
                # task again, and for its halves, would take many times as long.
                flight.popleft()
                yield from self._alone([([item], 1) for item in task])
            while flight:
                suspect, future = flight.popleft()
                if _is_lost(future):
                    yield from self._alone([(suspect, 2)])
                else:
                    yield future.result()

    def _alone(self, parts: list[tuple[Sequence[Item], int]]) -> Iterator[R]:
        """Run suspects with nothing else running, each so many times.

        One that breaks the workers every time is split, a single item is guilty.
        """
        parts.reverse()
        while parts:
            part, tries = parts.pop()
            verdict = None
            for _ in range(tries):
                future = self.workers.submit(self._function, part)
                verdict = self.workers.wait(future, self._limit(part))
                if verdict is None:
                    yield future.result()
                    break
                self.workers.discard()
            if verdict is None:
                continue
            if len(part) > 1:
                half = len(part) // 2
                parts += [(part[half:], 1), (part[:half], 1)]
            else:
                yield from (self._on_crash(item, verdict) for item in part)

    def _limit(self, task: Sequence[Item]) -> float:
        return math.inf if self._timeout is None else self._timeout(task)


def _is_lost(future: Future[R]) -> bool:
    """Whether the task ended without a result or an exception of its own."""
    if not future.done() or future.cancelled():
        return True
    return isinstance(future.exception(), BrokenExecutor)


def _load(function: object) -> None:
    """The task that shows that a worker lives: to be called, it unpickled ``function``."""


# --- processes --------------------------------------------------------------------------------


def process_executor(workers: int, start_method: str | None = None) -> Executor:
    """Worker processes that leave Ctrl-C to their parent and end when it is gone.

    ``start_method`` is one of multiprocessing's; by default "forkserver" where there is one (a
    worker then starts in milliseconds, with the imports of the unit of work done), else "spawn".
    """
    if start_method is None:
        known = multiprocessing.get_all_start_methods()
        start_method = "forkserver" if "forkserver" in known else "spawn"
    context = multiprocessing.get_context(start_method)
    if start_method == "forkserver":
        context.set_forkserver_preload([_PRELOAD])
    return ProcessPoolExecutor(workers, mp_context=context, initializer=_prepare_worker)


def default_workers() -> int:
    """The CPUs this process may use, within its container's quota; from 1 to 32."""
    count: int | None
    if sys.version_info >= (3, 13):
        count = os.process_cpu_count()
    elif hasattr(os, "sched_getaffinity"):
        count = len(os.sched_getaffinity(0))
    else:
        count = os.cpu_count()
    return max(1, min(count or 1, _quota(), _MOST_WORKERS))


def _quota() -> int:
    """Whole CPUs of the cgroup's quota, rounded up; no limit where none can be read."""
    try:
        quota, period = _CPU_QUOTA.read_text(encoding="ascii").split()
        return math.ceil(int(quota) / int(period))
    except (OSError, ValueError):  # not Linux, cgroups of version 1, or "max"
        return _MOST_WORKERS


def _prepare_worker() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    parent = multiprocessing.parent_process()
    if parent is not None:
        threading.Thread(target=_end_with, args=(parent.sentinel,), daemon=True).start()


def _end_with(sentinel: int) -> None:
    """End this process when its parent ends, even if that was killed."""
    connection.wait([sentinel])
    os._exit(1)


def _processes(executor: Executor | None) -> list[int]:
    """Sentinels of the worker processes; empty for executors that have none of their own."""
    if not isinstance(executor, ProcessPoolExecutor):
        return []
    return [process.sentinel for process in tuple((executor._processes or {}).values())]


def _ended(sentinels: list[int], seconds: float) -> set[int]:
    return {ready for ready in connection.wait(sentinels, seconds) if isinstance(ready, int)}


def _kill(executor: ProcessPoolExecutor) -> bool:
    """Kill the worker processes; whether all of them ended (uninterruptible I/O may hold one).

    The standard library's own ``kill_workers`` came with Python 3.14, hence the private names.
    """
    for process in tuple((executor._processes or {}).values()):
        process.kill()
    # A worker killed while it sends a result leaves the executor's thread waiting for the rest.
    # Once no one else holds the writing end, that thread sees the end of the stream.
    cast(Any, executor)._result_queue._writer.close()
    waiting = set(_processes(executor))
    deadline = time.monotonic() + _KILL_S
    while waiting and (left := deadline - time.monotonic()) > 0:
        waiting -= _ended(list(waiting), left)
    return not waiting
