"""An ordered map that overlaps waiting, where there is waiting: for files on a slow network.

On a local disk a thread costs more than it saves, and on NFS every open and every read takes a
round trip. So the first items are done one by one, with a look at the clock.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")
Result = TypeVar("Result")

# Threads that wait at once. They hold what they have read, so the number bounds memory, too.
THREADS = 32
_TRIALS = 4
# An item that takes longer than this has waited for something.
_SLOW_SECONDS = 0.001


def overlapping(
    function: Callable[[Item], Result], items: Iterable[Item], *, threads: int = THREADS
) -> Iterator[Result]:
    """Yield ``function(item)`` for every item, in their order.

    In threads if the quickest of the first few takes long; then at most ``threads`` items are
    begun and not yet yielded. What ``function`` raises is raised here.
    """
    items = iter(items)
    quickest = float("inf")
    for item in islice(items, _TRIALS):
        started = time.monotonic()
        result = function(item)
        quickest = min(quickest, time.monotonic() - started)
        yield result
    if quickest < _SLOW_SECONDS:
        yield from map(function, items)
    else:
        yield from _in_threads(function, items, threads)


def _in_threads(
    function: Callable[[Item], Result], items: Iterator[Item], threads: int
) -> Iterator[Result]:
    begun: deque[Future[Result]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="overlap")
    try:
        for item in items:
            begun.append(pool.submit(function, item))
            if len(begun) == threads:
                yield begun.popleft().result()
        while begun:
            yield begun.popleft().result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
