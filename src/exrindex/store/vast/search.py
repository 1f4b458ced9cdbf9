"""Nearest neighbours through a vector index of VAST's.

The index finds the nearest files; the exact distances and, by sequence, the counts of all frames
are then asked for what was found. An index is allowed to miss: where it does, so do we.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from vastdb._internal import VectorIndex

from exrindex.model import EMBEDDING_VERSION
from exrindex.store.nearest import nearest_query

# Of the nearest files so many are asked for at first, for each neighbour that is wanted; with
# every further attempt eight times as many, until the sequences they belong to are enough.
_FIRST, _GROWTH = 16, 8

_NEAREST_FILES = """
SELECT file_id, coalesce(sequence_path, file_path) AS pattern,
       {function}("{column}"::FLOAT[{dims}], {vector}) AS by_index
FROM files
WHERE retired_at IS NULL AND embedding_version = {version} {condition}
ORDER BY by_index LIMIT {count}
"""

_FAMILY = re.compile(r"#+(\.[A-Za-z0-9]+)$")


def nearest(
    ask: Callable[[str], pa.Table],
    vector: NDArray[np.float32],
    index: VectorIndex,
    *,
    limit: int,
    where: str | None,
    by_sequence: bool,
) -> pa.Table:
    """The rows of ``Store.nearest``; ``ask`` runs SQL in the cluster."""
    literal = f"{vector.tolist()}::FLOAT[{len(vector)}]"
    condition = f"AND (\n{where}\n)" if where else ""
    count = _FIRST * limit
    while True:
        found = ask(
            _NEAREST_FILES.format(
                function=index.sql_distance_function, column=index.column, dims=len(vector),
                vector=literal, version=_text(EMBEDDING_VERSION), condition=condition, count=count,
            )
        )  # fmt: skip
        if found.num_rows < count or _are_enough(found, limit, by_sequence=by_sequence):
            break
        count *= _GROWTH
    query = nearest_query(index.column, len(vector), "$among", by_sequence=by_sequence)
    values = {
        "$vector": literal,
        "$version": _text(EMBEDDING_VERSION),
        "$k": str(limit),
        # The last: it holds what people write, and names of files.
        "$among": _among(found, where, by_sequence=by_sequence),
    }
    for name, value in values.items():
        query = query.replace(name, value)
    return ask(query)


def _are_enough(found: pa.Table, limit: int, *, by_sequence: bool) -> bool:
    """Whether ``limit`` neighbours are nearer than the farthest file that was found.

    Files as far as that one may have been cut off, and one of them may come first by name.
    """
    distances = found["by_index"].to_pylist()
    keys = found["pattern" if by_sequence else "file_id"].to_pylist()
    nearer = {
        _family(key) if by_sequence else key
        for key, distance in zip(keys, distances, strict=True)
        if distance < distances[-1]
    }
    return len(nearer) >= limit


def _among(found: pa.Table, where: str | None, *, by_sequence: bool) -> str:
    """The condition for what was found: its files, or all frames of its sequences."""
    if by_sequence:
        families = sorted({_family(pattern) for pattern in found["pattern"].to_pylist()})
        family = r"regexp_replace(coalesce(sequence_path, file_path), '#+(\.[A-Za-z0-9]+)$', '#\1')"
        among = f"{family} IN ({_listed(families)})"
    else:
        among = f"file_id IN ({_listed(sorted(map(str, found['file_id'].to_pylist())))})"
    return f"({among}) AND (\n{where}\n)" if where else among


def _family(pattern: str) -> str:
    return _FAMILY.sub(r"#\1", pattern)


def _listed(texts: Sequence[str]) -> str:
    return ", ".join(map(_text, texts)) or "NULL"


def _text(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
