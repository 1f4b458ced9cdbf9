"""What was asked of the server and how that ended."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass

_MOST_ENTRIES = 1_000_000


@dataclass(frozen=True)
class Entry:
    """One request. ``status`` is 0 if there was no answer; ``fault`` names an injected fault;
    bytes are those of the bodies.
    """

    method: str
    command: str
    bucket: str
    schema: str
    table: str
    txid: int
    status: int
    fault: str
    bytes_in: int
    bytes_out: int
    seconds: float


class RequestLog:
    """Entries in the order in which the requests ended; only the last million is kept."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: deque[Entry] = deque(maxlen=_MOST_ENTRIES)

    def add(self, entry: Entry) -> None:
        with self._lock:
            self._entries.append(entry)

    def clear(self) -> None:
        with self._lock:
            self._entries.clear()

    def __iter__(self) -> Iterator[Entry]:
        with self._lock:
            entries = list(self._entries)
        return iter(entries)

    def __len__(self) -> int:
        return len(self._entries)

    def count(
        self,
        method: str | None = None,
        command: str | None = None,
        table: str | None = None,
        status: int | None = None,
        fault: str | None = None,
    ) -> int:
        """How many entries have all the values that are given."""
        wanted = {"method": method, "command": command, "table": table, "status": status}
        wanted["fault"] = fault
        return sum(
            all(value is None or getattr(entry, name) == value for name, value in wanted.items())
            for entry in self
        )
