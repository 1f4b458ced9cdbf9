"""The rules of an upsert, as a pure function: which rows to insert, to touch and to retire."""

from __future__ import annotations

from typing import NamedTuple

import pyarrow as pa

from exrindex.tables import Batch

# A file whose bytes are no longer a header has lost the header it had; one that merely could
# not be read has not.
CONTENT_LOST = ("empty", "not_exr", "truncated_header", "damaged_header", "not_a_file")

_COMPARED = ("size_bytes", "mtime", "integrity")
_TOUCHED = ("file_id", "last_inspected", "size_bytes", "mtime", "integrity")


class UpsertPlan(NamedTuple):
    """``insert``: file_ids that are new. ``touch``: rows of ``files`` known with this header, with
    the columns to overwrite; ``updated`` of them changed. ``retire``: file_id and moment of rows
    that gave way to another header."""

    insert: list[str]
    touch: pa.Table
    updated: int
    retire: pa.Table


def plan_upsert(files: pa.Table, existing: pa.Table) -> UpsertPlan:
    """Compare incoming rows of ``files`` with those that stand at the same places.

    ``existing`` has file_id, file_path_normalized, header_hash, size_bytes, mtime, integrity and
    is_retired of every row, retired ones too. A place must come in once.
    """
    at_place: dict[str, list[dict[str, object]]] = {}
    for row in _with_plain_times(existing).to_pylist():
        at_place.setdefault(row["file_path_normalized"], []).append(row)
    places = files["file_path_normalized"].to_pylist()
    facts = _with_plain_times(files.select(_COMPARED)).to_pylist()
    hashes = files["header_hash"].to_pylist()
    file_ids = files["file_id"].to_pylist()

    insert: list[str] = []
    touch: list[int] = []
    updated = 0
    retire: list[tuple[str, object]] = []
    for index, place in enumerate(places):
        known = None
        for row in at_place.get(place, ()):
            if row["header_hash"] == hashes[index]:
                known = row
            elif not row["is_retired"]:
                retire.append((str(row["file_id"]), files["last_inspected"][index]))
        if known is None:
            insert.append(file_ids[index])
        else:
            touch.append(index)
            changed = any(known[name] != value for name, value in facts[index].items())
            updated += changed or bool(known["is_retired"])
    return UpsertPlan(
        insert,
        files.select(_TOUCHED).take(pa.array(touch, pa.int64())),
        updated,
        pa.table(
            {
                "file_id": pa.array([file_id for file_id, _ in retire], pa.string()),
                "at": pa.array([at for _, at in retire], files.schema.field("last_inspected").type),
            }
        ),
    )


def require_places_once(batch: Batch) -> None:
    """Raise ``ValueError`` if a place comes in twice: which came last could not be told."""
    places = [
        place
        for table in ("files", "failures")
        for place in batch[table]["file_path_normalized"].to_pylist()
    ]
    if len(set(places)) != len(places):
        raise ValueError("a batch must hold each place once")


def _with_plain_times(table: pa.Table) -> pa.Table:
    """``mtime`` as microseconds: Arrow may hold times that Python's datetime cannot."""
    column = table.schema.get_field_index("mtime")
    return table.set_column(column, "mtime", table["mtime"].cast(pa.int64()))
