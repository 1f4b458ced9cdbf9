"""An ordered map that overlaps waiting, where there is waiting: for files on a slow network.

On a local disk a thread costs more than it saves, and on NFS every open and every read takes a
round trip. So the first items are done one by one, with a look at the clock.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# Threads that wait at once. They hold what they have read, so the number bounds memory, too.
THREADS, _FEW = 32, 2
_TRIALS = 4
# An item that takes longer than this has waited for something.
_SLOW_SECONDS = 0.001


class Overlap:
    """Maps over files; remembers from one map to the next whether they answer late."""

    def __init__(self, threads: int = THREADS) -> None:
        self._threads = threads
        self._is_slow = False

    def map(
        self,
        function: Callable[[Item], Result],
        items: Iterable[Item],
        is_light: Callable[[Result], bool] = lambda result: True,
    ) -> Generator[Result, None, None]:
        """Yield ``function(item)`` for every item, in their order.

        In threads if the quickest of the first few takes long; then at most so many items are
        begun and not yet yielded, and few once a result is not light, so that memory stays
        bounded. What ``function`` raises is raised here.
        """
        items = iter(items)
        threads, quickest = self._threads, float("inf")
        for item in islice(items, 1 if self._is_slow else _TRIALS):
            started = time.monotonic()
            result = function(item)
            quickest = min(quickest, time.monotonic() - started)
            if not is_light(result):
                threads = _FEW
            yield result
        self._is_slow = _SLOW_SECONDS <= quickest < float("inf")
        if self._is_slow:
            yield from _in_threads(function, items, threads, is_light)
        else:
            yield from map(function, items)


def _in_threads(
    function: Callable[[Item], Result],
    items: Iterator[Item],
    threads: int,
    is_light: Callable[[Result], bool],
) -> Iterator[Result]:
    begun: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="overlap")
    more = True
    try:
        while more or begun:
            while more and len(begun) < threads:
                rest = list(islice(items, 1))
                begun += [pool.submit(function, item) for item in rest]
                more = bool(rest)
            if begun:
                result = begun.popleft().result()
                if not is_light(result):
                    threads = _FEW
                yield result
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
