"""Inserts and updates as works to be done together, each of them a request or a few."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from typing import TypeAlias

import pyarrow as pa
import pyarrow.compute as pc

from exrindex.store.vast.link import ROW_ID, VastTransaction
from exrindex.store.vast.rows import requests

Work: TypeAlias = Callable[[], object]


def insertions(transaction: VastTransaction, table: str, rows: pa.Table) -> Iterator[Work]:
    """The inserts of some rows, each a request.

    A vector that is null takes as much room on the wire as one that is not, and 29 of 30 channel
    rows have none: they go without that column.
    """
    groups = [rows]
    if table == "channels":
        has_vector = pc.is_valid(rows["channel_fingerprint"])
        without = rows.filter(pc.invert(has_vector)).drop_columns(["channel_fingerprint"])
        groups = [rows.filter(has_vector), without]
    for group in groups:
        for request in requests(group):
            yield partial(transaction.insert, table, request)


def overwrites(
    transaction: VastTransaction, table: str, rows: pa.Table, columns: Mapping[str, pa.ChunkedArray]
) -> Iterator[Work]:
    """The update of some columns of rows that were selected with their ids, if there are any."""
    if rows.num_rows:
        changes = pa.table({ROW_ID: rows[ROW_ID], **columns})
        yield partial(transaction.update, table, changes)


def matched(standing: pa.Table, key: str, changes: pa.Table, changes_key: str) -> pa.Table:
    """The standing rows that a change is about, with the change's columns as ``new_NAME``."""
    at = {value: index for index, value in enumerate(standing[key].to_pylist())}
    wanted = changes[changes_key].to_pylist()
    rows = standing.take(pa.array([at[value] for value in wanted], pa.int64()))
    for name in changes.column_names:
        rows = rows.append_column(f"new_{name}", changes[name])
    return rows
