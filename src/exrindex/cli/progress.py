"""Progress of a scan on stderr: a live line on a terminal, now and then a line elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from exrindex.scan import Counts, Notify

# Seconds between lines where there is no terminal, such as in a farm's log.
_QUIET_SECONDS = 30.0


@contextmanager
def progress(*, quiet: bool) -> Iterator[Notify]:
    """What a scan should notify while the block runs."""
    if quiet:
        yield lambda counts: None
    elif sys.stderr.isatty():
        with _live() as notify:
            yield notify
    else:
        yield _Lines()


class _Lines:
    """A plain line every now and then."""

    def __init__(self) -> None:
        self._started = time.monotonic()
        self._next = self._started + _QUIET_SECONDS

    def __call__(self, counts: Counts) -> None:
        now = time.monotonic()
        if now >= self._next:
            self._next = now + _QUIET_SECONDS
            # A log on a full disk, or nobody reading it: no reason to stop a scan.
            with suppress(OSError):
                print(describe(counts, now - self._started), file=sys.stderr, flush=True)


@contextmanager
def _live() -> Iterator[Notify]:
    from rich.console import Console
    from rich.live import Live
    from rich.spinner import Spinner

    started = time.monotonic()
    latest: Counts | None = None
    spinner = Spinner("dots")

    def draw() -> Spinner:
        """What every refresh shows: time goes on while nothing is notified."""
        spinner.update(text=describe(latest, time.monotonic() - started))
        return spinner

    def notify(counts: Counts) -> None:
        nonlocal latest
        latest = counts

    console = Console(stderr=True)
    with Live(get_renderable=draw, console=console, transient=True, refresh_per_second=8):
        yield notify


def describe(counts: Counts | None, seconds: float) -> str:
    """Found, done, rate, failures and elapsed time in one line; None before anything is found."""
    minutes, rest = divmod(int(seconds), 60)
    if counts is None:
        return f"looking for files, {minutes}:{rest:02d}"
    rate = counts.done / seconds if seconds > 0 else 0.0
    failures = f", {counts.failed:,} failed" if counts.failed else ""
    return (
        f"{counts.found:,} found, {counts.done:,} done ({rate:,.0f}/s){failures}, "
        f"{minutes}:{rest:02d}"
    )
