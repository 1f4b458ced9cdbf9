"""How concurrent writers are kept apart where no key is unique and inserts never collide.

Two scanners of one tree could both see nothing and both insert. So the collision is made on rows
that both must update. A directory has one of 65,536 slots by its hash; whoever writes into the
directory updates the slot's row in the same transaction, and the second of two that overlap is
refused with a conflict and starts again, seeing what the first one wrote.

This rests on two facts. A transaction reads the state of its beginning. And an update of a row is
refused if another open transaction has updated it, or one that was committed since that beginning.
The SDK's own tests show the second for columns that are renamed; that it holds for rows is taken
for granted here, and ``exrindex doctor --write`` tries it on the cluster it is pointed at.
"""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable

import pyarrow as pa

from exrindex.errors import SchemaMismatch
from exrindex.store.vast.link import ROW_ID, VastTransaction
from exrindex.store.vast.lookup import lookups
from exrindex.store.vast.tables import CREATE, SLOT_COUNT, SLOTS


def slot_of(name: str) -> int:
    """The slot of a directory (or of a scan's id): the same on every machine."""
    digest = hashlib.blake2b(name.encode(), digest_size=8).digest()
    return int.from_bytes(digest, "big") % SLOT_COUNT


def slot_rows(transaction: VastTransaction, names: Iterable[str]) -> pa.Table:
    """The row ids of the slots of some directories, or of other things that writers share."""
    slots = sorted({slot_of(name) for name in names})
    column = transaction.column(SLOTS, "slot")
    rows = pa.concat_tables(
        [transaction.select(SLOTS, [], one, row_ids=True) for one in lookups(column, slots)]
    )
    if rows.num_rows != len(slots):
        raise SchemaMismatch(
            f"{SLOTS} lacks rows that keep concurrent scans apart; drop it and run: {CREATE}"
        )
    return rows


def take(transaction: VastTransaction, rows: pa.Table) -> None:
    """Collide with everyone else who takes one of these slots."""
    holder = pa.repeat(pa.scalar(str(uuid.uuid4())), rows.num_rows)
    transaction.update(SLOTS, pa.table({ROW_ID: rows[ROW_ID], "holder": holder}))
