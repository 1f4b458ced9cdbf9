"""Transactions over one database: snapshots, statements, commits in a row."""

from __future__ import annotations

import threading
import time
from collections.abc import Hashable, Iterator, Sequence
from contextlib import contextmanager

import numpy as np

from vastserver.changes import Change
from vastserver.conflicts import Conflicts
from vastserver.database import Database
from vastserver.journal import Journal
from vastserver.request import S3Error, invalid
from vastserver.rowids import NO_ROW, RowIds


class Transaction:
    """A snapshot, and what its owner did to it."""

    def __init__(self, txid: int, database: Database) -> None:
        self.txid = txid
        self.base = database
        self.database = database
        self.changes: list[Change] = []
        self.lock = threading.Lock()
        self.is_open = True
        self.statements = 0
        self.last_used = time.monotonic()


class Store:
    """The committed database and the open transactions."""

    def __init__(
        self, database: Database, journal: Journal | None, *, row_conflicts: bool, idle: float
    ) -> None:
        self.database = database
        self.idle = idle
        self._journal = journal
        self._lock = threading.Lock()
        self._open: dict[int, Transaction] = {}
        self._conflicts = Conflicts(row_conflicts)
        self._commits = 0
        self._is_closed = False
        # No number is used twice, also not by a server that is started again.
        self._last_txid = time.time_ns() // 1000
        self._last_id = database.last_id()
        self._next_rows = {
            key: max((block.last + 1 for block in table.blocks), default=0)
            for key, table in database.tables.items()
        }

    @property
    def open_transactions(self) -> int:
        with self._lock:
            self._expire()
            return len(self._open)

    def begin(self) -> Transaction:
        with self._lock:
            self._expire()
            self._last_txid += 1
            transaction = Transaction(self._last_txid, self.database)
            self._open[transaction.txid] = transaction
            self._conflicts.begin(transaction.txid, self._commits)
            return transaction

    @contextmanager
    def using(self, txid: int) -> Iterator[Transaction]:
        """The transaction of a request; one of its own, committed at the end, for txid 0."""
        if not txid:
            transaction = self.begin()
            try:
                yield transaction
            except BaseException:
                self.rollback(transaction.txid)
                raise
            self.commit(transaction.txid)
            return
        with self._lock:
            transaction = self._find(txid)
            transaction.statements += 1
        try:
            yield transaction
        finally:
            with self._lock:
                transaction.statements -= 1
                transaction.last_used = time.monotonic()

    def commit(self, txid: int) -> None:
        with self._lock:
            transaction = self._find(txid)
        with transaction.lock, self._lock:
            self._find(txid)
            if transaction.changes:
                self._publish(transaction)
            self._close(transaction, self._commits if transaction.changes else None)

    def rollback(self, txid: int) -> None:
        with self._lock:
            transaction = self._find(txid)
        with transaction.lock, self._lock:
            self._find(txid)
            self._close(transaction, None)

    def expire(self, txid: int) -> None:
        """Let a transaction end as if it had been idle for too long."""
        with self._lock:
            transaction = self._open.get(txid)
            if transaction is not None:
                self._close(transaction, None)

    def close(self) -> None:
        """No commit after this one; those under way are finished."""
        with self._lock:
            self._is_closed = True
            if self._journal is not None:
                self._journal.close()

    def change(self, transaction: Transaction, change: Change) -> None:
        """Do something in a transaction whose lock the caller holds."""
        if not transaction.is_open:
            raise _no_transaction()
        transaction.database = change.apply(transaction.database)
        transaction.changes.append(change)

    def claim(self, transaction: Transaction, *keys: Hashable, alone: bool) -> None:
        with self._lock:
            self._check(transaction)
            for key in keys:
                self._conflicts.claim(transaction.txid, key, alone=alone)

    def claim_rows(self, transaction: Transaction, table_id: int, row_ids: RowIds) -> None:
        with self._lock:
            self._check(transaction)
            self._conflicts.claim_rows(transaction.txid, table_id, row_ids)

    def new_id(self) -> int:
        return self.new_ids(1)[0]

    def new_ids(self, count: int) -> range:
        """Ids for objects and columns, each given once."""
        with self._lock:
            first = self._last_id + 1
            self._last_id += count
        return range(first, first + count)

    def new_row_ids(self, table_id: int, count: int) -> RowIds:
        """Row ids that nobody else gets, whatever becomes of the transaction."""
        with self._lock:
            first = self._next_rows.get(table_id, 0)
            if first + count > NO_ROW:
                raise invalid("the table has no row ids left")
            self._next_rows[table_id] = first + count
        return np.arange(first, first + count)

    def commit_alone(self, changes: Sequence[Change]) -> None:
        """Commit changes that no client asked for."""
        transaction = self.begin()
        with transaction.lock:
            for change in changes:
                self.change(transaction, change)
        self.commit(transaction.txid)

    def _publish(self, transaction: Transaction) -> None:
        if self._is_closed:
            raise _no_transaction()
        database = transaction.database
        if transaction.base is not self.database:
            database = self.database
            for change in transaction.changes:
                database = change.apply(database)
        if self._journal is not None:
            self._journal.append(transaction.changes)
        self.database = database.tidied(self.database)
        self._commits += 1

    def _find(self, txid: int) -> Transaction:
        self._expire()
        transaction = self._open.get(txid)
        if transaction is None:
            raise _no_transaction()
        return transaction

    def _check(self, transaction: Transaction) -> None:
        if not transaction.is_open:
            raise _no_transaction()

    def _close(self, transaction: Transaction, committed_as: int | None) -> None:
        transaction.is_open = False
        del self._open[transaction.txid]
        self._conflicts.end(transaction.txid, committed_as)

    def _expire(self) -> None:
        limit = time.monotonic() - self.idle
        for transaction in list(self._open.values()):
            if transaction.statements == 0 and transaction.last_used < limit:
                self._close(transaction, None)


def _no_transaction() -> S3Error:
    # Guess: status and code for a transaction that never was, has ended or has expired.
    return S3Error(404, "NoSuchTransaction", "there is no such transaction")
