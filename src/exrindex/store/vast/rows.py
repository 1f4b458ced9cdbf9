"""Rows as VAST takes them: cells that fit, no nulls where none may be, requests of a size.

VAST's limits are facts of this store and stand here alone: a cell holds 128 KiB, a request 5 MiB.
"""

from __future__ import annotations

from collections.abc import Iterator

import pyarrow as pa
import pyarrow.compute as pc

from exrindex.cut import cut_json, cut_text
from exrindex.errors import StoreError
from exrindex.store.conform import conform
from exrindex.store.vast.tables import vast_schema
from exrindex.tables import TABLES, holds_json

# Whether a cell's limit counts anything besides the text is not known: a kilobyte is left.
CELL_BYTES = 127 * 1024
# The SDK splits a larger insert by columns, into an insert and updates; ours stay inserts.
REQUEST_BYTES = 4_900_000


def fit(table: str, rows: pa.Table) -> pa.Table:
    """The rows in VAST's schema, with texts that are too long for a cell cut.

    Raises ``StoreError`` where a column that must not be null is: VAST would take it.
    """
    for index, field in enumerate(TABLES[table]):
        column = rows[field.name]
        if column.null_count and not field.nullable:
            raise StoreError(f"{table}.{field.name} must not be null")
        if field.type == pa.string():
            fitting = _fit_text(column, is_json=holds_json(field))
            rows = rows.set_column(index, field.name, fitting)
    return conform(rows, vast_schema(table))


def requests(rows: pa.Table) -> Iterator[pa.RecordBatch]:
    """The rows in as few batches as fit a request each."""
    for batch in rows.combine_chunks().to_batches():
        yield from _slices(batch)


def _slices(batch: pa.RecordBatch) -> Iterator[pa.RecordBatch]:
    size = pa.ipc.get_record_batch_size(batch) + batch.schema.serialize().size
    count = -(-size // REQUEST_BYTES)
    if count <= 1 or batch.num_rows == 1:
        yield batch
        return
    # Rows differ in size, so a slice may still be too large; then it is sliced again.
    step = -(-batch.num_rows // count)
    for start in range(0, batch.num_rows, step):
        yield from _slices(batch.slice(start, step))


def _fit_text(column: pa.ChunkedArray, *, is_json: bool) -> pa.ChunkedArray:
    lengths = pc.binary_length(column)
    if (pc.max(lengths).as_py() or 0) <= CELL_BYTES:
        return column
    values = column.to_pylist()
    cut = cut_json if is_json else cut_text
    for index in pc.indices_nonzero(pc.greater(lengths, CELL_BYTES)).to_pylist():
        values[index] = cut(values[index], CELL_BYTES)
    # Two gigabytes of text and more come in several chunks.
    fitting = pa.array(values, pa.string())
    return fitting if isinstance(fitting, pa.ChunkedArray) else pa.chunked_array([fitting])
