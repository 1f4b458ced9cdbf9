"""Progress on stderr: a live line on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from exrindex.copying import Copied
    from exrindex.scan import Counts

T = TypeVar("T")

# Seconds between lines where there is no terminal, such as in a farm's log.
_QUIET_SECONDS = 30.0


@contextmanager
def progress(
    describe: Callable[[T | None, float], str], *, quiet: bool
) -> Iterator[Callable[[T], None]]:
    """What is to be notified of running totals while the block runs.

    ``describe`` puts the latest of them (None before the first) and the seconds in a line.
    """
    if quiet:
        yield lambda totals: None
    elif sys.stderr.isatty():
        with _live(describe) as notify:
            yield notify
    else:
        yield _Lines(describe)


class _Lines(Generic[T]):
    """A plain line every now and then."""

    def __init__(self, describe: Callable[[T | None, float], str]) -> None:
        self._describe = describe
        self._started = time.monotonic()
        self._next = self._started + _QUIET_SECONDS

    def __call__(self, totals: T) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _QUIET_SECONDS
            # A log on a full disk, or nobody reading it: no reason to stop.
            with suppress(OSError):
                print(self._describe(totals, now - self._started), file=sys.stderr, flush=True)


@contextmanager
def _live(describe: Callable[[T | None, float], str]) -> Iterator[Callable[[T], None]]:
    from rich.console import Console
    from rich.live import Live
    from rich.spinner import Spinner

    started = time.monotonic()
    latest: T | None = None
    spinner = Spinner("dots")

    def draw() -> Spinner:
        """What every refresh shows: time goes on while nothing is notified."""
        spinner.update(text=describe(latest, time.monotonic() - started))
        return spinner

    def notify(totals: T) -> None:
        nonlocal latest
        latest = totals

    console = Console(stderr=True)
    with Live(get_renderable=draw, console=console, transient=True, refresh_per_second=8):
        yield notify


def describe_scan(counts: Counts | None, seconds: float) -> str:
    """Found, done, rate, failures and elapsed time in one line; None before anything is found."""
    if counts is None:
        return f"looking for files, {_clock(seconds)}"
    rate = counts.done / seconds if seconds > 0 else 0.0
    failures = f", {counts.failed:,} failed" if counts.failed else ""
    return (
        f"{counts.found:,} found, {counts.done:,} done ({rate:,.0f}/s){failures}, {_clock(seconds)}"
    )


def describe_copy(copied: Copied | None, seconds: float) -> str:
    """Files dealt with of all, rate and elapsed time in one line."""
    if copied is None:
        return f"comparing the two stores, {_clock(seconds)}"
    done = copied.equal + copied.written
    rate = done / seconds if seconds > 0 else 0.0
    return f"{done:,} of {copied.files:,} files ({rate:,.0f}/s), {_clock(seconds)}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes}:{rest:02d}"
