"""What ``schema check`` asks about the rows themselves: the same SQL for every store."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa

from exrindex.model import EMBEDDING_VERSION
from exrindex.store.base import Problem
from exrindex.tables import CHILD_TABLES, SCHEMA_VERSION, TABLES, is_vector

_NORM_TOLERANCE = 1e-5


def row_problems(ask: Callable[[str], pa.Table], remedy: str) -> list[Problem]:
    """Ask every question, in one statement that reads a table once; what counts is a problem."""
    checks = _row_checks()
    counts = ", ".join(f"({query}) AS c{number}" for number, query in enumerate(checks.values()))
    (row,) = ask(f"SELECT {counts}").to_pylist()
    return [
        Problem(f"{count} {what}", remedy)
        for what, count in zip(checks, row.values(), strict=True)
        if count
    ]


# What is wrong → a query that counts the rows of which it is true.
_CHECKS = {
    "places in files hold the same header twice": (
        "SELECT count(*) FROM (SELECT 1 FROM files GROUP BY file_path_normalized, header_hash"
        " HAVING count(*) > 1)"
    ),
    "places in files have two live headers": (
        "SELECT count(*) FROM (SELECT 1 FROM files WHERE retired_at IS NULL"
        " GROUP BY file_path_normalized HAVING count(*) > 1)"
    ),
    "places in failures stand open twice": (
        "SELECT count(*) FROM (SELECT 1 FROM failures WHERE resolved_at IS NULL"
        " GROUP BY file_path_normalized HAVING count(*) > 1)"
    ),
    f"rows of files hold vectors of another version than {EMBEDDING_VERSION}": (
        f"SELECT count(*) FROM files WHERE embedding_version <> '{EMBEDDING_VERSION}'"
    ),
    f"rows of files were written by another schema version than {SCHEMA_VERSION}": (
        f"SELECT count(*) FROM files WHERE schema_version <> {SCHEMA_VERSION}"
    ),
    "rows of files do not have as many parts or channels as they say": (
        "SELECT count(*) FROM files f LEFT JOIN"
        " (SELECT file_id, count(*) n FROM parts GROUP BY ALL) p USING (file_id) LEFT JOIN"
        " (SELECT file_id, count(*) n FROM channels GROUP BY ALL) c USING (file_id)"
        " WHERE coalesce(p.n, 0) <> f.multipart_count OR coalesce(c.n, 0) <> f.channel_count"
    ),
    "ids in scans stand twice": (
        "SELECT count(*) FROM (SELECT 1 FROM scans GROUP BY scan_id HAVING count(*) > 1)"
    ),
    "rows of channels lack the fingerprint of their part, or hold one too many": (
        "SELECT count(*) FROM channels"
        " WHERE (channel_index = 0) <> (channel_fingerprint IS NOT NULL)"
    ),
}


def _row_checks() -> dict[str, str]:
    checks = dict(_CHECKS)
    for table in CHILD_TABLES:
        row_id = TABLES[table].names[0]
        checks |= {
            f"rows of {table} belong to no file": (
                f"SELECT count(*) FROM {table} ANTI JOIN files USING (file_id)"
            ),
            f"ids in {table} stand twice": (
                f"SELECT count(*) FROM (SELECT 1 FROM {table} GROUP BY {row_id}"
                " HAVING count(*) > 1)"
            ),
        }
    for table, schema in TABLES.items():
        for field in schema:
            if is_vector(field):
                norm = f"sqrt(array_inner_product({field.name}, {field.name}))"
                checks[f"vectors in {table}.{field.name} are not of unit length"] = (
                    f"SELECT count(*) FROM {table} WHERE {field.name} IS NOT NULL"
                    f" AND NOT (abs({norm} - 1) <= {_NORM_TOLERANCE})"
                )
    return checks
