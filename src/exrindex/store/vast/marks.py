"""Small writes: marking rows as over, and the row of a scan."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence

import pyarrow as pa

from exrindex.naming import directory_of
from exrindex.store.vast.link import ROW_ID, VastTransaction
from exrindex.store.vast.lookup import at_places, is_open
from exrindex.tables import TIMESTAMP


def retire(transaction: VastTransaction, places: Sequence[str], at: dt.datetime) -> int:
    """Retire live files and close their failures; how many files it were."""
    close_failures(transaction, places, at)
    return _mark(transaction, "files", "retired_at", places, at)


def close_failures(transaction: VastTransaction, places: Sequence[str], at: dt.datetime) -> int:
    """Close open failures; how many it were."""
    return _mark(transaction, "failures", "resolved_at", places, at)


def record_scan(transaction: VastTransaction, row: pa.Table) -> None:
    """Write one row of ``scans``, in place of an earlier one with its id."""
    same = transaction.column("scans", "scan_id") == row["scan_id"][0].as_py()
    earlier = transaction.select("scans", [], same, row_ids=True)
    if earlier.num_rows:
        transaction.delete("scans", earlier[ROW_ID])
    (batch,) = row.combine_chunks().to_batches()
    transaction.insert("scans", batch)


def _mark(
    transaction: VastTransaction, table: str, column: str, places: Sequence[str], at: dt.datetime
) -> int:
    if not places:
        return 0
    directories = sorted({directory_of(place) for place in places})
    wanted = pa.array(places, pa.string())
    also = is_open(transaction, table)
    columns = ["file_path_normalized"]
    rows = at_places(transaction, table, columns, directories, wanted, also=also)
    if rows.num_rows:
        moments = pa.repeat(pa.scalar(at, TIMESTAMP), rows.num_rows)
        transaction.update(table, pa.table({ROW_ID: rows[ROW_ID], column: moments}))
    return int(rows.num_rows)
