"""Tables in exactly the contract's types, whatever an engine made of them on the way."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray


def conform(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """The columns that ``schema`` names, in its order and types."""
    columns = [_with_type(rows[field.name], field.type) for field in schema]
    return pa.table(columns, schema=schema)


def _with_type(column: pa.ChunkedArray, kind: pa.DataType) -> pa.ChunkedArray:
    if pa.types.is_dictionary(column.type):
        chunks = [chunk.dictionary_decode() for chunk in column.chunks]
        column = pa.chunked_array(chunks, column.type.value_type)
    if column.type == kind:
        return column
    if not pa.types.is_fixed_size_list(kind):
        return column.cast(kind)
    # Engines say that the items of a vector may be null, and leave them null where the vector is.
    values = pa.array(dense_vectors(column).reshape(-1), kind.value_type)
    dense = pa.FixedSizeListArray.from_arrays(values, type=kind)
    is_valid = column.is_valid().to_numpy(zero_copy_only=False)
    return pa.chunked_array([dense.take(pa.array(np.cumsum(is_valid) - 1, mask=~is_valid))])


def dense_vectors(column: pa.ChunkedArray | pa.Array) -> NDArray[np.float32]:
    """The vectors that are not null, one below the other: float32[count, length]."""
    values = column.drop_null()
    if isinstance(values, pa.ChunkedArray):
        values = values.combine_chunks()
    flat = values.flatten().to_numpy()
    return np.ascontiguousarray(flat, np.float32).reshape(-1, column.type.list_size)
