"""Who writes what: finds writes that clash, at the statement, in favour of the first writer.

A statement claims what it writes. It is refused if another open transaction holds a clashing
claim, or if one was committed after the statement's transaction took its snapshot.

Known is one case, two transactions that rename the same column. Guess: all others, which are
rows that both update or delete, and definitions against rows.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from dataclasses import dataclass, field

import numpy as np

from vastserver.request import S3Error
from vastserver.rowids import RowIds


@dataclass
class Claims:
    """What one transaction writes."""

    snapshot: int
    # Objects it writes: shared (rows go in) or for itself alone (definitions change).
    objects: dict[Hashable, bool] = field(default_factory=dict)
    # Rows it updates or deletes, by table.
    rows: dict[int, list[RowIds]] = field(default_factory=dict)


class Conflicts:
    """Claims of open transactions, and of committed ones that someone may still clash with.

    Not thread-safe: its owner calls it under a lock.
    """

    def __init__(self, row_conflicts: bool) -> None:
        self.row_conflicts = row_conflicts
        self._open: dict[int, Claims] = {}
        self._committed: list[tuple[int, Claims]] = []

    def begin(self, txid: int, snapshot: int) -> None:
        self._open[txid] = Claims(snapshot)

    def claim(self, txid: int, key: Hashable, *, alone: bool) -> None:
        """Write to an object, together with others who only share it, or alone."""
        for other in self._others(txid):
            held = other.objects.get(key)
            if held is not None and (held or alone):
                raise _conflict("the object is changed by another transaction")
        mine = self._open[txid].objects
        mine[key] = alone or mine.get(key, False)

    def claim_rows(self, txid: int, table_id: int, row_ids: RowIds) -> None:
        if not self.row_conflicts:
            return
        for other in self._others(txid):
            if any(_overlap(row_ids, theirs) for theirs in other.rows.get(table_id, ())):
                raise _conflict("some of the rows are changed by another transaction")
        self._open[txid].rows.setdefault(table_id, []).append(row_ids)

    def end(self, txid: int, committed_as: int | None) -> None:
        """Forget a transaction; its claims live on if it was committed."""
        claims = self._open.pop(txid)
        if committed_as is not None and (claims.objects or claims.rows):
            self._committed.append((committed_as, claims))
        oldest = min((claims.snapshot for claims in self._open.values()), default=None)
        self._committed = [
            (number, claims)
            for number, claims in self._committed
            if oldest is not None and number > oldest
        ]

    def _others(self, txid: int) -> Iterator[Claims]:
        snapshot = self._open[txid].snapshot
        yield from (claims for other, claims in self._open.items() if other != txid)
        yield from (claims for number, claims in self._committed if number > snapshot)


def _overlap(left: RowIds, right: RowIds) -> bool:
    """Whether two ascending lists have something in common."""
    if not len(left) or not len(right) or left[-1] < right[0] or right[-1] < left[0]:
        return False
    return bool(np.intersect1d(left, right, assume_unique=True).size)


def _conflict(message: str) -> S3Error:
    # Guess: the code; that it is a 409 at the statement is what the SDK's tests expect.
    return S3Error(409, "OperationAborted", message)
