"""Row ids on the wire: unsigned integers, or wide decimals where a table's order may change."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vastserver.request import invalid

RowIds = NDArray[np.int64]

ROW_ID = "$row_id"
ROW_ID_COLUMN = "vastdb_rowid"
# Marks the end of a scan, so no row can have it.
NO_ROW = (1 << 48) - 1
ROWS_PER_GROUP = 1 << 16

NARROW, WIDE = pa.uint64(), pa.decimal128(38, 0)
_ROW_BITS = (1 << 56) - 1
# Guess: what stands above the low 56 bits. Here it is more than fits into 64 bits, so that a
# client that squeezes row ids is found out.
_ABOVE = 1


def wire_type(wide: bool) -> Any:
    return WIDE if wide else NARROW


def to_wire(row_ids: RowIds, wide: bool) -> Any:
    """Row ids as an Arrow array."""
    if not wide:
        return pa.array(row_ids.astype(np.uint64))
    words = np.empty((len(row_ids), 2), "<u8")
    words[:, 0] = row_ids
    words[:, 1] = _ABOVE
    return pa.Array.from_buffers(WIDE, len(row_ids), [None, pa.py_buffer(words)])


def from_wire(array: Any, wide: bool) -> RowIds:
    """Row ids that a client sent for an update or a delete: ascending, each once."""
    if not array.type.equals(wire_type(wide)) or array.null_count:
        raise invalid(f"{ROW_ID} must be {wire_type(wide)} without nulls, not {array.type}")
    if wide:
        words = np.frombuffer(array.buffers()[1], "<u8").reshape(-1, 2)
        words = words[array.offset : array.offset + len(array)]
        if (words[:, 1] != _ABOVE).any():
            raise invalid(f"no such {ROW_ID}")
        row_ids = (words[:, 0] & np.uint64(_ROW_BITS)).astype(np.int64)
    else:
        row_ids = array.to_numpy().astype(np.int64)
    check_ascending(row_ids)
    return row_ids


def check_ascending(row_ids: RowIds) -> None:
    if (np.diff(row_ids) <= 0).any():
        raise invalid("Found duplicate row ids or not in ascending order")
    if len(row_ids) and not 0 <= row_ids[0] <= row_ids[-1] < NO_ROW:
        raise invalid("row ids must be between 0 and 2^48-2")
