"""Questions to a store: renders like this one, what is broken, what is there.

Answers are pyarrow tables or plain values; nothing is written.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow as pa
from numpy.typing import NDArray

from exrindex.embed import embed_header, explain, explain_fingerprints
from exrindex.embed.explain import Share
from exrindex.errors import SourceError
from exrindex.inspection import inspect_file
from exrindex.model import EMBEDDING_VERSION, Failure, FailureCode, FileRef, JSONValue
from exrindex.naming import escape_text, normalize_path
from exrindex.plain import plain_rows
from exrindex.rows import PathMaps
from exrindex.source.base import Source
from exrindex.store.base import Store, VectorColumn

LAST_SCANS = 5


class Neighbour(NamedTuple):
    """One row of an answer, and why it is as far away as it is (empty unless asked for)."""

    row: dict[str, JSONValue]
    shares: list[Share]


def similar(
    store: Store,
    vector: NDArray[np.float32],
    *,
    column: VectorColumn = VectorColumn.METADATA,
    k: int = 10,
    where: str | None = None,
    frames: bool = False,
    explained: bool = False,
) -> list[Neighbour]:
    """The ``k`` nearest sequences (or files, with ``frames``), nearest first.

    Exact over all live files; a file that is itself indexed finds itself at distance 0.
    """
    table = store.nearest(vector, column, limit=k, where=where, by_sequence=not frames)
    rows = plain_rows(table.drop_columns(["file_id"]))
    if not explained:
        return [Neighbour(row, []) for row in rows]
    tell = explain if column is VectorColumn.METADATA else explain_fingerprints
    vectors = _vectors(store, table["file_id"].to_pylist(), column)
    return [
        Neighbour(row, tell(vector, vectors[file_id]))
        for row, file_id in zip(rows, table["file_id"].to_pylist(), strict=True)
    ]


def vector_of(
    path: str, source: Source, store: Store, column: VectorColumn, path_maps: PathMaps = ()
) -> NDArray[np.float32]:
    """The vector of a file: read from the file, or from the store where only that has it.

    Raises ``SourceError`` if neither does, or if the file is no readable EXR.
    """
    found = inspect_file(source, FileRef(path, 0, 0))
    if not isinstance(found, Failure):
        vectors = embed_header(found.header)
        return vectors.metadata if column is VectorColumn.METADATA else vectors.fingerprint
    if found.code is FailureCode.VANISHED:
        stored = store.sql(
            f"SELECT {column.value} AS vector FROM files WHERE retired_at IS NULL"
            f" AND embedding_version = '{EMBEDDING_VERSION}'"
            f" AND file_path_normalized = {_literal(normalize_path(path, path_maps))}"
        )
        if stored.num_rows:
            vector: NDArray[np.float32] = _floats(stored["vector"])[0]
            return vector
        raise SourceError(f"{escape_text(path)}: there is no such file, and the store knows none")
    where = f" (at byte {found.offset})" if found.offset is not None else ""
    raise SourceError(f"{escape_text(path)}: {found.reason}{where} [{found.code}]")


def broken(store: Store) -> pa.Table:
    """What is wrong now: files that cannot be indexed, and files that lack pixels.

    Columns: file_path, stage (list, read, parse or pixels), code, offset, reason, size_bytes,
    first_seen, last_seen, attempts.
    """
    return store.sql(
        """
        SELECT file_path, stage, code, "offset", reason, size_bytes, first_seen, last_seen,
               attempts
        FROM failures WHERE resolved_at IS NULL
        UNION ALL
        SELECT file_path, 'pixels', integrity, NULL,
               CASE integrity WHEN 'incomplete' THEN 'half rendered' ELSE 'cut off' END,
               size_bytes, first_seen, last_inspected, inspection_count
        FROM files WHERE retired_at IS NULL AND integrity IN ('incomplete', 'truncated')
        ORDER BY file_path
        """
    )


def status(store: Store) -> dict[str, Any]:
    """What is in the store, and the last scans, as a document."""
    (live,) = plain_rows(
        store.sql(
            "SELECT count(*) AS files, count(DISTINCT sequence_path) AS sequences,"
            " coalesce(sum(size_bytes), 0)::BIGINT AS bytes,"
            " count(DISTINCT header_hash) AS headers,"
            " max(last_inspected) AS last_inspected FROM files WHERE retired_at IS NULL"
        )
    )
    return {
        "store": store.url,
        **live,
        "rows": store.row_counts(),
        "integrity": _tally(
            store,
            "SELECT integrity AS name, count(*) AS n FROM files WHERE retired_at IS NULL"
            " GROUP BY integrity ORDER BY integrity",
        ),
        "open_failures": _tally(
            store,
            "SELECT code AS name, count(*) AS n FROM failures WHERE resolved_at IS NULL"
            " GROUP BY code ORDER BY code",
        ),
        "renderers": _tally(
            store,
            "SELECT coalesce(renderer, 'unknown') AS name, count(*) AS n FROM files"
            " WHERE retired_at IS NULL GROUP BY renderer ORDER BY n DESC, name LIMIT 10",
        ),
        "scans": _last_scans(store),
    }


def _last_scans(store: Store) -> list[dict[str, JSONValue]]:
    rows = plain_rows(
        store.sql(
            "SELECT scan_id, started_at, finished_at, host, roots, counts, exit_status FROM scans"
            f" ORDER BY started_at DESC LIMIT {LAST_SCANS}"
        )
    )
    for row in rows:
        for column in ("roots", "counts"):
            text = row[column]
            row[column] = orjson.loads(text) if isinstance(text, str) else None
    return rows


def _tally(store: Store, statement: str) -> dict[str, int]:
    return {row["name"]: row["n"] for row in store.sql(statement).to_pylist()}


def _vectors(
    store: Store, file_ids: Sequence[str], column: VectorColumn
) -> dict[str, NDArray[np.float32]]:
    if not file_ids:
        return {}
    listed = ", ".join(_literal(file_id) for file_id in file_ids)
    table = store.sql(
        f"SELECT file_id, {column.value} AS vector FROM files WHERE file_id IN ({listed})"
    )
    return dict(zip(table["file_id"].to_pylist(), _floats(table["vector"]), strict=True))


def _floats(column: pa.ChunkedArray) -> NDArray[np.float32]:
    """A column of vectors as one float32 array, a row each."""
    flat: NDArray[np.float32] = column.combine_chunks().flatten().to_numpy(zero_copy_only=False)
    return flat.reshape(len(column), -1)


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
