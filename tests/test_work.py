"""From files to a batch: whatever the files hold, a batch comes back."""

from __future__ import annotations

import datetime as dt
import os
import pickle
import struct
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import exrmaker
from exrindex.inspection import FIRST_READ, Inspected, inspect_file
from exrindex.model import Failure, FailureCode, FileRef, Indexed, Integrity
from exrindex.source import LocalSource
from exrindex.tables import TABLES, batch_schema, unpack_batch
from exrindex.work import ChunkIndexer, index_chunk, index_file
from exrmaker import attr, exr_file, header, minimal_part, raw_attr
from trees import OLD_NS, MemorySource, batch_of, frame, half_rendered, multipart, plant, write

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


def inspect(content: bytes | FailureCode) -> Inspected | Failure:
    return inspect_file(MemorySource({"/d/f.exr": content}, OLD_NS), FileRef("/d/f.exr", 0, 0))


@pytest.mark.parametrize(
    ("content", "stage", "code"),
    [
        (b"", "read", "empty"),
        (b"v", "parse", "truncated_header"),
        (b"plain text, and plenty of it", "parse", "not_exr"),
        (frame()[:50], "parse", "truncated_header"),
        (FailureCode.UNREADABLE, "read", "unreadable"),
        (FailureCode.VANISHED, "read", "vanished"),
    ],
)
def test_a_bad_file_is_a_value(content: bytes | FailureCode, stage: str, code: str) -> None:
    failure = inspect(content)
    assert isinstance(failure, Failure)
    assert (failure.stage, failure.code) == (stage, code)
    assert failure.reason


def test_size_and_time_are_those_of_the_moment_of_reading() -> None:
    found = inspect(frame())
    assert isinstance(found, Inspected)
    assert found.ref == FileRef("/d/f.exr", len(frame()), OLD_NS)
    assert found.integrity is Integrity.OK


def test_integrity_comes_along() -> None:
    half, cut = inspect(half_rendered()), inspect(frame()[:-1])
    assert isinstance(half, Inspected)
    assert isinstance(cut, Inspected)
    assert (half.integrity, cut.integrity) == (Integrity.INCOMPLETE, Integrity.TRUNCATED)


@pytest.mark.parametrize("size", [FIRST_READ - 400, FIRST_READ, 3 * FIRST_READ, 1_000_000])
def test_a_header_longer_than_the_first_read(size: int) -> None:
    found = inspect(exr_file(attributes=[attr("manifest", "string", "m" * size)]))
    assert isinstance(found, Inspected)
    assert found.header.nbytes > size
    assert found.integrity is Integrity.OK


def test_a_header_that_claims_more_than_the_file_holds() -> None:
    part = minimal_part(attributes=[raw_attr("liar", "string", b"short", size=2**31 - 1)])
    failure = inspect(header([part]))
    assert isinstance(failure, Failure)
    assert failure.code in (FailureCode.TRUNCATED_HEADER, FailureCode.DAMAGED_HEADER)


def test_unit_vectors_of_the_file_and_of_each_part() -> None:
    source = MemorySource({"/d/f.exr": multipart()}, OLD_NS)
    found = index_file(source, next(source.walk()))
    assert isinstance(found, Indexed)
    assert len(found.part_fingerprints) == 2
    for vector in (found.metadata_embedding, found.fingerprint, *found.part_fingerprints):
        assert abs(float(vector @ vector) - 1) < 1e-5


def test_what_a_pool_is_given_can_be_pickled(tmp_path: Path) -> None:
    path = write(tmp_path / "f.exr", frame())
    source = LocalSource([str(tmp_path)])
    indexer = ChunkIndexer(source, ((str(tmp_path), "/shows"),))
    batch = unpack_batch(pickle.loads(pickle.dumps(indexer))([FileRef(str(path), 0, 0)]))
    assert batch["files"]["file_path_normalized"].to_pylist() == ["/shows/f.exr"]
    assert batch["files"]["file_path"].to_pylist() == [str(path)]
    crashed = unpack_batch(indexer.crashed(FileRef("/d/f.exr", 7, OLD_NS), FailureCode.TIMEOUT))
    (row,) = crashed["failures"].to_pylist()
    assert (row["code"], row["size_bytes"], row["stage"]) == ("timeout", 7, "read")
    assert crashed["files"].num_rows == 0


def assert_valid(batch: dict[str, pa.Table] | object) -> None:
    """Every table has its schema exactly, and no null where none may be."""
    assert isinstance(batch, dict)
    assert set(batch) == set(TABLES) - {"scans"}
    for name, table in batch.items():
        assert table.schema.equals(batch_schema(name))
        table.validate(full=True)
        for field in table.schema:
            assert field.nullable or table[field.name].null_count == 0, (name, field.name)


TYPES = [*exrmaker._ENCODERS, "mystery", "unknown", ""]
names = st.text(st.characters(exclude_characters="\0", codec="utf-8"), min_size=1, max_size=8)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    attributes=st.lists(
        st.tuples(
            st.one_of(names, st.sampled_from(["comments", "owner", "software", "view", "name"])),
            st.sampled_from(TYPES),
            st.one_of(
                st.binary(max_size=70),
                st.sampled_from([1, 2, 4, 8, 16, 28, 64]).map(lambda size: b"\xff" * size),
                st.floats().map(lambda value: struct.pack("<d", value)),
                st.text(max_size=20).map(lambda text: text.encode("utf-8", "surrogatepass")),
            ),
        ),
        max_size=6,
    )
)
def test_any_attribute_fits_into_the_tables(attributes: list[tuple[str, str, bytes]]) -> None:
    made = [raw_attr(name, kind, raw) for name, kind, raw in attributes if kind]
    batch = batch_of({"/d/f.0001.exr": exr_file(attributes=made)}, NOW)
    assert batch["files"].num_rows + batch["failures"].num_rows == 1
    assert_valid(batch)


@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
@given(
    flips=st.lists(st.tuples(st.integers(0, 900), st.integers(0, 255)), max_size=6),
    cut=st.integers(0, 900),
)
def test_any_damage_yields_one_row(flips: list[tuple[int, int]], cut: int) -> None:
    content = bytearray(multipart("some note"))
    for offset, value in flips:
        content[offset % len(content)] = value
    batch = batch_of({"/d/f.0001.exr": bytes(content[: len(content) - cut % len(content)])}, NOW)
    assert batch["files"].num_rows + batch["failures"].num_rows == 1
    assert_valid(batch)


def test_a_name_that_is_not_utf_8(tmp_path: Path) -> None:
    write(Path(os.fsdecode(os.fsencode(tmp_path) + b"/latin-\xe9.0001.exr")), frame())
    source = LocalSource([str(tmp_path)])
    refs = [found for found in source.walk() if isinstance(found, FileRef)]
    batch = unpack_batch(ChunkIndexer(source)(refs))
    assert_valid(dict(batch))
    (row,) = batch["files"].to_pylist()
    assert row["file_path"] == f"{tmp_path}/latin-\\xe9.0001.exr"
    assert row["sequence_path"] == f"{tmp_path}/latin-\\xe9.####.exr"


def test_large_headers_become_rows_before_the_next_ones_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A task of manifests must not hold them all; the rows are the same either way."""
    plant(tmp_path, {f"{name}.exr": frame(name) for name in "abcd"} | {"bad.exr": b"no"})
    source = LocalSource([str(tmp_path)])
    refs = [found for found in source.walk() if isinstance(found, FileRef)]
    whole = index_chunk(source, refs, NOW)
    monkeypatch.setattr("exrindex.work._HELD_BYTES", 1)
    pieces = index_chunk(source, refs, NOW)
    assert pieces["files"].column("file_path").num_chunks > 1
    assert {name: table.to_pylist() for name, table in pieces.items()} == {
        name: table.to_pylist() for name, table in whole.items()
    }
