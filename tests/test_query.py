"""Neighbours are exact and grouped by sequence; answers are plain values."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from numpy.typing import NDArray

from exrindex import query
from exrindex.errors import SourceError, UsageError
from exrindex.model import FailureCode, JSONValue
from exrindex.plain import plain_rows
from exrindex.source import LocalSource
from exrindex.store.base import Store, VectorColumn
from exrindex.tables import TABLES
from trees import batch_of, catalog, duck, frame, half_rendered, mixed_tree, multipart, run, write

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
Vectors = NDArray[np.float32]
ONE = frame("one")


def unit(count: int, dims: int, seed: int) -> Vectors:
    vectors = np.random.default_rng(seed).standard_normal((count, dims)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def put(store: Store, names: Sequence[str], vectors: Vectors | None = None) -> None:
    """Index one file at many places, with the vectors given instead of its own."""
    batch = dict(batch_of({f"/d/{name}": ONE for name in names}, NOW))
    if vectors is not None:
        files = batch["files"]
        for column in VectorColumn:
            index = files.schema.get_field_index(column.value)
            field = TABLES["files"].field(column.value)
            dims = field.type.list_size
            part = np.ascontiguousarray(vectors[:, :dims])
            part /= np.linalg.norm(part, axis=1, keepdims=True)
            array = pa.FixedSizeListArray.from_arrays(pa.array(part.ravel()), type=field.type)
            files = files.set_column(index, field, array)
        batch["files"] = files
    store.upsert(batch)


def paths(found: Sequence[query.Neighbour]) -> list[JSONValue]:
    return [neighbour.row["file_path"] for neighbour in found]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return catalog(tmp_path / "c.duckdb")


# --- exactness --------------------------------------------------------------------------------


@pytest.mark.parametrize("column", list(VectorColumn))
def test_neighbours_are_those_of_brute_force(store: Store, column: VectorColumn) -> None:
    vectors = unit(400, 384, seed=1)
    vectors[7] = vectors[3]
    names = [f"f{chr(97 + n // 26)}{chr(97 + n % 26)}.exr" for n in range(400)]
    put(store, names, vectors)
    dims = 384 if column is VectorColumn.METADATA else 128
    theirs = vectors[:, :dims].astype(np.float64)
    theirs /= np.linalg.norm(theirs, axis=1, keepdims=True)
    for wanted in (theirs[3], unit(1, dims, seed=2)[0].astype(np.float64)):
        distances = 1 - theirs @ wanted
        found = query.similar(store, wanted.astype(np.float32), column=column, k=50, frames=True)
        got = np.array([neighbour.row["distance"] for neighbour in found], np.float64)
        expected = np.argsort(distances, kind="stable")[:50]
        assert np.abs(got - distances[expected]).max() < 1e-6
        assert paths(found) == [f"/d/{names[n]}" for n in expected]


def test_equal_distances_are_sorted_by_path(store: Store) -> None:
    put(store, ["c.exr", "a.exr", "b.exr"])
    vector = np.array(
        store.sql("SELECT metadata_embedding AS v FROM files")["v"][0].as_py(), np.float32
    )
    for frames in (True, False):
        found = query.similar(store, vector, frames=frames)
        assert paths(found) == ["/d/a.exr", "/d/b.exr", "/d/c.exr"]
        assert {neighbour.row["distance"] for neighbour in found} == {0.0}


@pytest.mark.parametrize(("k", "expected"), [(1, 1), (2, 2), (5, 3)])
def test_k_is_the_most_that_comes(store: Store, k: int, expected: int) -> None:
    put(store, ["a.exr", "b.exr", "x.0001.exr", "x.0002.exr"])
    vector = unit(1, 384, seed=3)[0]
    assert len(query.similar(store, vector, k=k)) == expected
    assert len(query.similar(store, vector, k=k, frames=True)) == min(k, 4)


def test_an_empty_catalog_has_no_neighbours(store: Store) -> None:
    assert query.similar(store, unit(1, 384, seed=4)[0], explained=True) == []


# --- sequences --------------------------------------------------------------------------------

FAMILIES: list[tuple[list[str], list[tuple[str | None, int | None, int | None, int]]]] = [
    (["x.8.exr", "x.9.exr", "x.10.exr"], [("x.#.exr", 8, 10, 3)]),
    (["x.9.exr", "x.10.exr", "x.100.exr", "x.1000.exr"], [("x.#.exr", 9, 1000, 4)]),
    (["x.0098.exr", "x.0099.exr", "x.0100.exr"], [("x.####.exr", 98, 100, 3)]),
    (["x.9999.exr", "x.10000.exr"], [("x.####.exr", 9999, 10000, 2)]),
    (["x.0099.exr", "x.100.exr"], [("x.###.exr", 100, 100, 1), ("x.####.exr", 99, 99, 1)]),
    (["x.1.exr", "x.001.exr"], [("x.###.exr", 1, 1, 1), ("x.#.exr", 1, 1, 1)]),
    (["x.1.exr", "x.2.exr", "x.001.exr", "x.002.exr"],
     [("x.###.exr", 1, 2, 2), ("x.#.exr", 1, 2, 2)]),
    (["x.-2.exr", "x.-1.exr", "x.0.exr", "x.1.exr"], [("x.#.exr", -2, 1, 4)]),
    (["x.1.exr", "y.1.exr"], [("x.#.exr", 1, 1, 1), ("y.#.exr", 1, 1, 1)]),
    (["s/x.1.exr", "t/x.2.exr"], [("s/x.#.exr", 1, 1, 1), ("t/x.#.exr", 2, 2, 1)]),
    (["x.1.exr", "x.2.EXR"], [("x.#.EXR", 2, 2, 1), ("x.#.exr", 1, 1, 1)]),
    (["still.exr", "x.0001.exr"], [(None, None, None, 1), ("x.####.exr", 1, 1, 1)]),
    (["x_v001.exr", "x_v002.exr"], [(None, None, None, 1), (None, None, None, 1)]),
]  # fmt: skip


@pytest.mark.parametrize(("names", "expected"), FAMILIES, ids=[" ".join(f[0]) for f in FAMILIES])
def test_frames_are_grouped_into_sequences(
    store: Store,
    names: list[str],
    expected: list[tuple[str | None, int | None, int | None, int]],
) -> None:
    put(store, names)
    vector = unit(1, 384, seed=5)[0]
    found = [
        (
            row["sequence_path"] and str(row["sequence_path"]).removeprefix("/d/"),
            row["first_frame"],
            row["last_frame"],
            row["frame_count"],
        )
        for row, _ in query.similar(store, vector)
    ]
    assert sorted(found, key=repr) == sorted(expected, key=repr)


def test_a_sequence_is_as_near_as_its_nearest_frame(store: Store) -> None:
    names = [f"x.{n}.exr" for n in range(5, 15)] + [f"y.{n:04d}.exr" for n in range(10)]
    vectors = unit(20, 384, seed=6)
    put(store, names, vectors)
    distances = 1 - vectors.astype(np.float64) @ vectors[16]
    found = query.similar(store, vectors[16])
    assert [row["sequence_path"] for row, _ in found] == ["/d/y.####.exr", "/d/x.#.exr"]
    assert paths(found) == ["/d/y.0006.exr", f"/d/{names[int(np.argmin(distances[:10]))]}"]
    assert found[0].row["distance"] == 0.0
    assert found[1].row["distance"] == pytest.approx(distances[:10].min(), abs=1e-6)


# --- conditions -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("file_path = '/d/a.exr'", ["/d/a.exr"]),
        ("file_path = '/d/a.exr' OR file_path = '/d/b.exr'", ["/d/a.exr", "/d/b.exr"]),
        ("file_path = '/d/a.exr' -- a comment", ["/d/a.exr"]),
        ("/* a comment */ file_path > '/d/a.exr'", ["/d/b.exr", "/d/c{k}.exr"]),
        ("file_path LIKE '%{k}%'", ["/d/c{k}.exr"]),
        ("file_id IN (SELECT file_id FROM channels WHERE channel_name = 'Z')", []),
        ("\nwidth = 4\nAND file_path = '/d/b.exr'\n", ["/d/b.exr"]),
        ("retired_at IS NOT NULL", []),
        ("false", []),
    ],
)
def test_a_condition_narrows_the_search(store: Store, where: str, expected: list[str]) -> None:
    put(store, ["a.exr", "b.exr", "c{k}.exr", "gone.exr"])
    store.retire(["/d/gone.exr"], NOW)
    vector = unit(1, 384, seed=7)[0]
    for frames in (True, False):
        assert paths(query.similar(store, vector, where=where, frames=frames)) == expected


@pytest.mark.parametrize(
    "where",
    ["retired_at IS NULL) OR (true", "true) UNION SELECT * FROM near --", "1; DELETE FROM files",
     "no_such = 1", "count(*) > 0", "$vector IS NULL) OR ($k > 0"],
)  # fmt: skip
def test_no_condition_reaches_beyond_its_brackets(store: Store, where: str) -> None:
    put(store, ["a.exr", "gone.exr"])
    store.retire(["/d/gone.exr"], NOW)
    with pytest.raises(UsageError):
        query.similar(store, unit(1, 384, seed=8)[0], where=where, frames=True)


# --- explanations -----------------------------------------------------------------------------


@pytest.mark.parametrize("column", list(VectorColumn))
@pytest.mark.parametrize("frames", [True, False])
def test_shares_add_up_to_the_distance(store: Store, column: VectorColumn, frames: bool) -> None:
    files = {
        "/d/a.exr": frame("a"),
        "/d/z.exr": frame("z", channels="Z"),
        "/d/m.exr": multipart(),
        "/d/q.0001.exr": frame("q", comment="much longer"),
        "/d/q.0002.exr": frame("r", channels=("A", "spec.R")),
    }
    batch = batch_of(files, NOW)
    store.upsert(batch)
    vector = np.array(batch["files"][column.value][0].as_py(), np.float32)
    found = query.similar(store, vector, column=column, frames=frames, explained=True)
    assert len(found) == (5 if frames else 4)
    for row, shares in found:
        assert sum(share.share for share in shares) == pytest.approx(row["distance"], abs=1e-5)
    assert query.similar(store, vector, column=column)[0].shares == []


# --- the vector of a file ---------------------------------------------------------------------


def test_a_file_need_not_be_indexed(tmp_path: Path, store: Store) -> None:
    path = write(tmp_path / "new.exr", frame("a"))
    source = LocalSource([])
    stored = batch_of({"/d/a.exr": frame("a")}, NOW)
    store.upsert(stored)
    for column in VectorColumn:
        vector = query.vector_of(str(path), source, store, column)
        assert vector.tolist() == stored["files"][column.value][0].as_py()
        assert query.vector_of("/d/a.exr", source, store, column).tolist() == vector.tolist()


def test_a_file_that_nobody_knows(tmp_path: Path, store: Store) -> None:
    source = LocalSource([])
    with pytest.raises(SourceError, match="the store knows none"):
        query.vector_of("/d/it's.exr", source, store, VectorColumn.METADATA)
    bad = write(tmp_path / "bad.exr", b"no EXR file")
    with pytest.raises(SourceError, match="not_exr") as caught:
        query.vector_of(str(bad), source, store, VectorColumn.METADATA)
    assert str(bad) in str(caught.value)


# --- what is wrong, what is there -------------------------------------------------------------


def test_broken_lists_failures_and_missing_pixels(store: Store) -> None:
    store.upsert(
        batch_of(
            {
                "/d/ok.exr": frame(),
                "/d/half.exr": half_rendered(),
                "/d/cut.exr": frame()[:-1],
                "/d/empty.exr": b"",
                "/d/unread.exr": FailureCode.UNREADABLE,
            },
            NOW,
        )
    )
    rows = plain_rows(query.broken(store))
    assert [(row["file_path"], row["stage"], row["code"]) for row in rows] == [
        ("/d/cut.exr", "pixels", "truncated"),
        ("/d/empty.exr", "read", "empty"),
        ("/d/half.exr", "pixels", "incomplete"),
        ("/d/unread.exr", "read", "unreadable"),
    ]


def test_status_counts_what_is_live(tmp_path: Path) -> None:
    tree = mixed_tree(tmp_path / "t")
    store = duck(tmp_path / "c.duckdb")
    report = run(store, tree)
    status = query.status(store)
    assert status["files"] == report.counts.inserted == 29
    assert status["integrity"] == {"incomplete": 1, "ok": 27, "truncated": 1}
    assert sum(status["open_failures"].values()) == 4
    assert status["scans"][0]["counts"]["inserted"] == 29
    assert json.dumps(status)


# --- plain values -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("TIMESTAMPTZ '2026-03-01 12:00:00.5+02'", "2026-03-01T10:00:00.500000Z"),
        ("TIMESTAMP '2026-03-01 12:00:00'", "2026-03-01T12:00:00.000000"),
        ("TIMESTAMP_NS '2026-03-01 12:00:00.123456789'", "2026-03-01 12:00:00.123456789"),
        ("DATE '20000-01-01'", "20000-01-01"),
        ("'nan'::FLOAT", "NaN"),
        ("'-infinity'::DOUBLE", "-Infinity"),
        ("1.50::DECIMAL(4, 2)", 1.5),
        ("3::HUGEINT", 3),
        ("'a'::BLOB", "YQ=="),
        ("[1, NULL, 3]", [1, None, 3]),
        ("{'a': 'inf'::FLOAT, 'b': [true]}", {"a": "Infinity", "b": [True]}),
        ("MAP {'k': 1}", [["k", 1]]),
        ("UUID '00000000-0000-4000-8000-000000000001'", "00000000-0000-4000-8000-000000000001"),
        ("NULL", None),
        ("'a' || chr(0) || '🎬'", "a\0🎬"),
    ],
)  # fmt: skip
def test_any_value_becomes_plain(store: Store, expression: str, expected: object) -> None:
    (row,) = plain_rows(store.sql(f"SELECT {expression} AS x"))
    assert row == {"x": expected}
    json.dumps(row, allow_nan=False)


@pytest.mark.parametrize("moment", ["'infinity'", "'-infinity'", "'290000-01-01'"])
def test_times_beyond_the_calendar_are_text(store: Store, moment: str) -> None:
    statement = f"SELECT {moment}::TIMESTAMP AS a, {moment}::TIMESTAMPTZ AS b, {moment}::DATE AS c"
    (row,) = plain_rows(store.sql(statement))
    assert all(isinstance(value, str) for value in row.values())
    with pytest.raises(UsageError, match="cast"):
        plain_rows(store.sql(f"SELECT [{moment}::TIMESTAMP] AS a"))


def test_columns_of_one_name_are_told_apart(store: Store) -> None:
    assert plain_rows(store.sql("SELECT 1 AS a, 2 AS a, 3 AS b")) == [{"a": 1, "a_1": 2, "b": 3}]
