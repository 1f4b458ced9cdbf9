"""One batch in one transaction: look, plan, insert, collide, update.

A batch of new files costs eleven requests and what its size forces beyond: begin, three lookups at
once, five inserts at once, the slots, commit.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from exrindex.store.base import Upserted
from exrindex.store.upsert import (
    EXISTING_FILES,
    OPEN_FAILURES,
    REPEATED,
    TOUCHED,
    UpsertPlan,
    plan_upsert,
)
from exrindex.store.vast.link import VastTransaction
from exrindex.store.vast.lookup import at_places, is_open
from exrindex.store.vast.slots import slot_rows, take
from exrindex.store.vast.write import Work, insertions, matched, overwrites
from exrindex.tables import CHILD_TABLES, TIMESTAMP, Batch

_EXISTING = [*EXISTING_FILES, "inspection_count"]
_FAILING = [*OPEN_FAILURES, "attempts"]


def upsert(transaction: VastTransaction, batch: Batch) -> Upserted:
    """Write a batch whose rows already fit; see ``exrindex.store.upsert`` for the rules."""
    files, failures = batch["files"], batch["failures"]
    places = _united(files, failures, "file_path_normalized")
    if not len(places):
        return Upserted(0, 0, 0, 0, 0)
    directories = _united(files, failures, "directory").unique().to_pylist()
    where = (directories, places)
    lasting = is_open(transaction, "failures")
    slots, existing, failing = transaction.together(
        [
            partial(slot_rows, transaction, directories),
            partial(at_places, transaction, "files", _EXISTING, *where),
            partial(at_places, transaction, "failures", _FAILING, *where, also=lasting),
        ]
    )
    plan = plan_upsert(batch, existing, failing, dt.datetime.now(dt.UTC))
    transaction.together(list(_inserts(transaction, batch, plan)))
    # Updates lock their rows, for minutes if we are killed now: so they come last.
    take(transaction, slots)
    transaction.together(list(_updates(transaction, plan, existing, failing)))
    return plan.counts


def _united(files: pa.Table, failures: pa.Table, name: str) -> pa.StringArray:
    both = [*files[name].chunks, *failures[name].chunks]
    return pa.chunked_array(both, pa.string()).combine_chunks()


def _inserts(transaction: VastTransaction, batch: Batch, plan: UpsertPlan) -> Iterator[Work]:
    wanted = pa.array(plan.insert, pa.string())
    everything = len(plan.insert) == batch["files"].num_rows
    for table in ("files", *CHILD_TABLES):
        rows = batch[table]
        if not everything:
            rows = rows.filter(pc.is_in(rows["file_id"], value_set=wanted))
        yield from insertions(transaction, table, rows)
    yield from insertions(transaction, "failures", plan.fail)


def _updates(
    transaction: VastTransaction, plan: UpsertPlan, existing: pa.Table, failing: pa.Table
) -> Iterator[Work]:
    write = partial(overwrites, transaction)
    rows = matched(existing, "file_id", plan.touch, "file_id")
    columns = {name: rows[f"new_{name}"] for name in TOUCHED}
    columns["inspection_count"] = pc.add(rows["inspection_count"], 1)
    columns["retired_at"] = pa.nulls(rows.num_rows, TIMESTAMP)
    yield from write("files", rows, columns)

    rows = matched(existing, "file_id", plan.retire, "file_id")
    yield from write("files", rows, {"retired_at": rows["new_at"]})

    place = "file_path_normalized"
    rows = matched(failing, place, plan.resolve, "place")
    yield from write("failures", rows, {"resolved_at": rows["new_at"]})

    rows = matched(failing, place, plan.repeat, place)
    columns = {name: rows[f"new_{name}"] for name in REPEATED}
    columns["attempts"] = pc.add(rows["attempts"], 1)
    yield from write("failures", rows, columns)
