"""Random transactions against a model: snapshots, first writer wins, blocks that merge."""

from __future__ import annotations

import random
from itertools import pairwise
from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from vastserver.changes import DeleteRows, InsertRows, PutTable, UpdateRows
from vastserver.database import Column, Database, Definition, Table
from vastserver.predicate import All
from vastserver.query import Query
from vastserver.request import S3Error
from vastserver.rowids import NO_ROW
from vastserver.selection import Selection, SubSplit
from vastserver.transactions import Store, Transaction

FIELDS = (pa.field("a", pa.int64()), pa.field("b", pa.string()))
KEY, TEXT = 11, 12
TABLE = Definition(1, 1, "t", (Column(KEY, FIELDS[0]), Column(TEXT, FIELDS[1])))
Rows = dict[int, tuple[int | None, str | None]]


class Modelled:
    """A transaction, and what its table should look like to it."""

    def __init__(self, store: Store, committed: Rows, commits: int) -> None:
        self.store = store
        self.transaction: Transaction = store.begin()
        self.rows = dict(committed)
        self.inserted: set[int] = set()
        self.written: set[int] = set()
        self.gone: set[int] = set()
        # How many commits there were before.
        self.started = commits

    @property
    def table(self) -> Table:
        return self.transaction.database.tables[1]

    def insert(self, count: int, source: random.Random) -> None:
        row_ids = self.store.new_row_ids(1, count)
        keys = [source.randrange(100) for _ in range(count)]
        columns: dict[int, Any] = {KEY: pa.array(keys, pa.int64())}
        texts: list[str | None] = [None] * count
        if source.random() < 0.7:
            texts = [f"text {key}" for key in keys]
            columns[TEXT] = pa.array(texts, pa.string())
        self.store.change(self.transaction, InsertRows(1, row_ids, columns, False))
        rows = zip(row_ids.tolist(), zip(keys, texts, strict=True), strict=True)
        for row_id, row in rows:
            self.rows[row_id] = row
            self.inserted.add(row_id)

    def write(self, chosen: list[int], source: random.Random) -> None:
        row_ids = np.array(chosen, np.int64)
        self.store.claim_rows(self.transaction, 1, row_ids)
        self.written.update(chosen)
        if source.random() < 0.5:
            self.store.change(self.transaction, DeleteRows(1, row_ids))
            for row_id in chosen:
                del self.rows[row_id]
            self.gone.update(chosen)
            return
        texts = pa.array([f"new {row_id}" for row_id in chosen], pa.string())
        self.store.change(self.transaction, UpdateRows(1, row_ids, {TEXT: texts}))
        for row_id in chosen:
            self.rows[row_id] = (self.rows[row_id][0], f"new {row_id}")

    def merged_into(self, committed: Rows) -> Rows:
        """The committed rows after this transaction's commit."""
        result = {row_id: row for row_id, row in committed.items() if row_id not in self.gone}
        for row_id in (self.inserted | self.written) - self.gone:
            result[row_id] = self.rows[row_id]
        return result


def _rows(table: Table, source: random.Random) -> Rows:
    """All rows of a table, read in pages by any number of splits."""
    query = Query(list(FIELDS), [], All([]))
    selection = Selection(table, query)
    total, groups = source.choice([(1, 8), (3, 1), (8, 2)])
    found: Rows = {}
    for number in range(total):
        start = 0
        while start != NO_ROW:
            limit = source.choice([len(found) + 1, 1000, 100_000])
            page = selection.page(SubSplit(number, total, groups), start, limit)
            keys = page.column(0, pa.int64()).to_pylist()
            texts = page.column(1, pa.string()).to_pylist()
            row_ids = [i for s in page.slices for i in s.part.row_ids[s.start : s.stop].tolist()]
            assert row_ids == sorted(row_ids)
            assert len(row_ids) == page.num_rows <= limit
            assert not found.keys() & set(row_ids)
            found.update(zip(row_ids, zip(keys, texts, strict=True), strict=True))
            start = page.next_row
    return found


@pytest.mark.parametrize("seed", range(6))
def test_random_transactions(seed: int) -> None:
    source = random.Random(seed)
    store = Store(Database(), None, row_conflicts=True, idle=60)
    store.commit_alone([PutTable(TABLE)])
    committed: Rows = {}
    writers: dict[int, set[int]] = {}
    open_ones: list[Modelled] = []
    for _ in range(150):
        step = source.random()
        if step < 0.15 or not open_ones:
            open_ones.append(Modelled(store, committed, len(writers)))
            continue
        tx = source.choice(open_ones)
        if step < 0.5:
            tx.insert(source.choice([1, 3, 40, 3000]), source)
        elif step < 0.8 and tx.rows:
            chosen = sorted(
                source.sample(sorted(tx.rows), min(len(tx.rows), 1 + source.randrange(9)))
            )
            others = set().union(*(o.written for o in open_ones if o is not tx))
            newer = set().union(*(ids for number, ids in writers.items() if number >= tx.started))
            if (others | newer).intersection(chosen):
                with pytest.raises(S3Error) as caught:
                    tx.write(chosen, source)
                assert caught.value.status == 409
            else:
                tx.write(chosen, source)
        elif step < 0.9:
            assert _rows(tx.table, source) == tx.rows
        else:
            open_ones.remove(tx)
            if source.random() < 0.3:
                store.rollback(tx.transaction.txid)
                continue
            store.commit(tx.transaction.txid)
            writers[len(writers)] = tx.written
            committed = tx.merged_into(committed)
            assert _rows(store.database.tables[1], source) == committed
    assert store.open_transactions == len(open_ones)
    blocks = store.database.tables[1].blocks
    assert len(blocks) < 15
    assert all(left.last < right.first for left, right in pairwise(blocks))
