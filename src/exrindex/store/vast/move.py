"""Moving rows into and out of tables on VAST, inside a transaction of its caller."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial

import pyarrow as pa
import pyarrow.compute as pc

from exrindex.store.base import Slice
from exrindex.store.conform import conform
from exrindex.store.merge import (
    RENEWED_FAILURES,
    RENEWED_FILES,
    STANDING_FAILURES,
    STANDING_FILES,
    MergePlan,
    plan_merge,
)
from exrindex.store.vast.link import ROW_ID, VastTransaction
from exrindex.store.vast.lookup import in_directories, lookups
from exrindex.store.vast.slots import slot_rows, take
from exrindex.store.vast.write import Work, insertions, matched, overwrites
from exrindex.tables import CHILD_TABLES, TABLES, Batch


def rows_of(transaction: VastTransaction, part: Slice) -> Batch:
    """See ``Store.rows_of``."""
    batch = {"files": _files(transaction, TABLES["files"].names, part)}
    ids = batch["files"]["file_id"].to_pylist()
    children = transaction.together(
        [partial(_children, transaction, table, TABLES[table].names, ids) for table in CHILD_TABLES]
    )
    batch |= dict(zip(CHILD_TABLES, children, strict=True))
    directories = part.directories if part.failures else []
    names = TABLES["failures"].names
    batch["failures"] = _standing(transaction, "failures", names, directories).drop_columns(
        [ROW_ID]
    )
    return {name: conform(rows, TABLES[name]) for name, rows in batch.items()}


def child_counts(transaction: VastTransaction, part: Slice) -> pa.Table:
    """See ``Store.child_counts``."""
    ids = _files(transaction, ["file_id"], part)["file_id"]
    counts = transaction.together(
        [
            partial(_children, transaction, table, ["file_id"], ids.to_pylist())
            for table in CHILD_TABLES
        ]
    )
    found = {"file_id": ids}
    for table, rows in zip(CHILD_TABLES, counts, strict=True):
        tally = {
            entry["values"]: entry["counts"]
            for entry in pc.value_counts(rows["file_id"]).to_pylist()
        }
        found[table] = pa.array([tally.get(file_id, 0) for file_id in ids.to_pylist()], pa.int64())
    return pa.table(found)


def add_rows(transaction: VastTransaction, batch: Batch) -> int:
    """See ``Store.add_rows``; the rows already fit."""
    directories = sorted(
        {name for table in ("files", "failures") for name in batch[table]["directory"].to_pylist()}
    )
    if not directories:
        return 0
    files = _standing(transaction, "files", STANDING_FILES, directories)
    failures = _standing(transaction, "failures", STANDING_FAILURES, directories)
    plan = plan_merge(batch, files, failures)
    new = {"files": plan.insert, "failures": plan.fail}
    ids = plan.insert["file_id"].combine_chunks()
    for table in CHILD_TABLES:
        new[table] = batch[table].filter(pc.is_in(batch[table]["file_id"], value_set=ids))
    works = [work for table, rows in new.items() for work in insertions(transaction, table, rows)]
    transaction.together(works)
    take(transaction, slot_rows(transaction, directories))
    transaction.together(list(_updates(transaction, plan, files, failures)))
    return int(plan.insert.num_rows + plan.renew.num_rows)


def _updates(
    transaction: VastTransaction, plan: MergePlan, files: pa.Table, failures: pa.Table
) -> Iterator[Work]:
    write = partial(overwrites, transaction)
    rows = matched(files, "file_id", plan.retire, "file_id")
    yield from write("files", rows, {"retired_at": rows["new_at"]})

    rows = matched(files, "file_id", plan.renew, "file_id")
    yield from write("files", rows, {name: rows[f"new_{name}"] for name in RENEWED_FILES})

    lasting = failures.filter(pc.is_null(failures["resolved_at"]))
    rows = matched(lasting, "file_path_normalized", plan.resolve, "place")
    yield from write("failures", rows, {"resolved_at": rows["new_at"]})

    rows = matched(_with_key(failures), "key", _with_key(plan.refail), "key")
    yield from write("failures", rows, {name: rows[f"new_{name}"] for name in RENEWED_FAILURES})


def add_scans(transaction: VastTransaction, rows: pa.Table) -> int:
    """See ``Store.add_scans``."""
    ids = rows["scan_id"].to_pylist()
    if not ids:
        return 0
    column = transaction.column("scans", "scan_id")
    names = ["scan_id", "finished_at"]
    standing = pa.concat_tables(
        [transaction.select("scans", names, one, row_ids=True) for one in lookups(column, ids)]
    )
    ended = rows["scan_id"].filter(pc.is_valid(rows["finished_at"]))
    is_old = pc.and_(
        pc.is_null(standing["finished_at"]), pc.is_in(standing["scan_id"], value_set=ended)
    )
    stays = standing["scan_id"].filter(pc.invert(is_old))
    new = rows.filter(pc.invert(pc.is_in(rows["scan_id"], value_set=stays)))
    take(transaction, slot_rows(transaction, ids))
    if pc.any(is_old).as_py():
        transaction.delete("scans", standing.filter(is_old)[ROW_ID])
    transaction.together(list(insertions(transaction, "scans", new)))
    return int(new.num_rows)


def _files(transaction: VastTransaction, names: Sequence[str], part: Slice) -> pa.Table:
    column = transaction.column("files", "file_id")
    also = column.startswith(part.prefix) if part.prefix else None
    rows = in_directories(transaction, "files", names, part.directories, also)
    return rows.drop_columns([ROW_ID])


def _children(
    transaction: VastTransaction, table: str, names: Sequence[str], ids: Sequence[str]
) -> pa.Table:
    column = transaction.column(table, "file_id")
    predicates = list(lookups(column, ids)) or [False]
    return pa.concat_tables([transaction.select(table, names, one) for one in predicates])


def _standing(
    transaction: VastTransaction, table: str, names: Sequence[str], directories: Sequence[str]
) -> pa.Table:
    return in_directories(transaction, table, names, directories, None)


def _with_key(failures: pa.Table) -> pa.Table:
    """With what tells failures apart, their place and first moment, as one text."""
    moments = failures["first_seen"].cast(pa.int64()).cast(pa.string())
    key = pc.binary_join_element_wise(moments, failures["file_path_normalized"], " ")
    return failures.append_column("key", key)
