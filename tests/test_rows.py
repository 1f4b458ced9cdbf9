"""What stands in the rows, and that it does not depend on who wrote them when."""

from __future__ import annotations

import datetime as dt
import json
import os
import subprocess
import sys
import uuid
from pathlib import Path

import numpy as np
import pytest

from exrindex.document import STORED_VALUE_BYTES
from exrindex.model import Failure, FailureCode, Stage
from exrindex.rows import failure_rows, make_file_id, to_microseconds
from exrindex.tables import Batch, batch_schema, concat_batches
from exrmaker import attr, exr_file, raw_attr
from trees import OLD_NS, batch_of, frame, multipart

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
FILES = {"/d/a.0001.exr": frame("a"), "/d/m.exr": multipart(), "/e/a.0001.exr": frame("a")}


def attributes_of(*made: bytes) -> dict[str, dict[str, object]]:
    batch = batch_of({"/d/f.exr": exr_file(attributes=made)}, NOW)
    return {row["attr_name"]: row for row in batch["attributes"].to_pylist()}


# --- ids --------------------------------------------------------------------------------------


def test_a_file_id_is_fixed_for_ever() -> None:
    """Changing this makes every catalog in the world index everything anew."""
    file_id = make_file_id("/shows/x/beauty.1001.exr", "ab" * 32)
    assert file_id == "96137463-baca-8a47-9da7-c2f953e6fab8"
    assert uuid.UUID(file_id).version == 8
    assert uuid.UUID(file_id).variant == uuid.RFC_4122
    assert file_id != make_file_id("/shows/x/beauty.1001.ex", "r" + "ab" * 32)


def test_ids_are_those_of_another_process_and_another_order() -> None:
    code = (
        "import datetime as dt, json; from trees import batch_of\n"
        "from test_rows import FILES, ids\n"
        "files = dict(reversed(FILES.items()))\n"
        "print(json.dumps(ids(batch_of(files, dt.datetime.now(dt.UTC), mtime_ns=5))))"
    )
    path = os.pathsep.join(part for part in sys.path if part)
    output = subprocess.check_output(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": "7"},
        text=True,
    )
    assert json.loads(output) == ids(batch_of(FILES, NOW))


def ids(batch: Batch) -> dict[str, list[str]]:
    tables = {"files": 0, "parts": 0, "channels": 0, "attributes": 0}
    return {name: sorted(batch[name].column(index).to_pylist()) for name, index in tables.items()}


def test_ids_are_unique_and_lead_to_their_owners() -> None:
    batch = batch_of(FILES, NOW)
    every = [value for values in ids(batch).values() for value in values]
    assert len(set(every)) == len(every)
    assert all(str(uuid.UUID(value)) == value for value in every)
    files = set(batch["files"]["file_id"].to_pylist())
    parts = dict(zip(*(batch["parts"][n].to_pylist() for n in ("part_id", "file_id")), strict=True))
    assert set(parts.values()) == files
    for table in ("channels", "attributes"):
        for row in batch[table].to_pylist():
            assert parts[row["part_id"]] == row["file_id"]


def test_the_same_header_elsewhere_is_another_file() -> None:
    rows = batch_of(FILES, NOW)["files"].to_pylist()
    first, _, third = rows
    assert first["header_hash"] == third["header_hash"]
    assert first["file_id"] != third["file_id"]


# --- files ------------------------------------------------------------------------------------


def test_the_row_of_a_file() -> None:
    path = "/shows/projx/sq010/sh0100/render/v012/beauty.1001.exr"
    (row,) = batch_of({path: frame("n")}, NOW, mtime_ns=OLD_NS + 1_999)["files"].to_pylist()
    expected = {
        "file_path": path,
        "directory": path.rpartition("/")[0],
        "size_bytes": len(frame("n")),
        "mtime": dt.datetime.fromtimestamp(OLD_NS // 10**9, dt.UTC) + dt.timedelta(microseconds=1),
        "integrity": "ok",
        "multipart_count": 1,
        "channel_count": 3,
        "width": 4,
        "height": 3,
        "sequence_path": path.replace("1001", "####"),
        "frame_number": 1001,
        "show": "projx",
        "sequence": "sq010",
        "shot": "sh0100",
        "version": 12,
        "first_seen": NOW,
        "last_inspected": NOW,
        "inspection_count": 1,
        "retired_at": None,
    }
    assert {name: row[name] for name in expected} == expected
    assert json.loads(row["raw_output"])["header_hash"] == row["header_hash"]


def test_a_file_right_below_the_root() -> None:
    (row,) = batch_of({"/f.exr": frame()}, NOW)["files"].to_pylist()
    assert row["directory"] == "/"


@pytest.mark.parametrize(
    ("mtime_ns", "expected"),
    [
        (0, 0),
        (1_999, 1),
        (-1, -1),
        (OLD_NS, OLD_NS // 1000),
        (2**80, 253_402_300_799_999_999),
        (-(2**80), -62_135_596_800_000_000),
    ],
)
def test_times_fit_the_calendar(mtime_ns: int, expected: int) -> None:
    assert to_microseconds(mtime_ns) == expected
    (row,) = batch_of({"/d/f.exr": frame()}, NOW, mtime_ns=mtime_ns)["files"].to_pylist()
    assert row["mtime"] == dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(
        microseconds=expected
    )


# --- parts and channels -----------------------------------------------------------------------


def test_the_fingerprint_stands_on_the_first_channel_of_each_part() -> None:
    batch = batch_of({"/d/m.exr": multipart()}, NOW)
    rows = batch["channels"].to_pylist()
    assert [(row["part_index"], row["channel_index"]) for row in rows] == [
        (0, 0), (0, 1), (0, 2), (0, 3), (1, 0),
    ]  # fmt: skip
    carried = [row["channel_fingerprint"] is not None for row in rows]
    assert carried == [True, False, False, False, True]
    for index in (0, 4):
        assert abs(np.linalg.norm(rows[index]["channel_fingerprint"]) - 1) < 1e-5
    assert [(row["layer_name"], row["component_name"], row["view_name"]) for row in rows] == [
        ("", "A", "left"), ("", "B", "left"), ("", "G", "left"), ("", "R", "left"),
        ("depth", "Z", "left"),
    ]  # fmt: skip


def test_a_file_without_channels_has_no_channel_rows() -> None:
    batch = batch_of({"/d/n.exr": exr_file(channels=()), "/d/f.exr": frame()}, NOW)
    assert batch["channels"].num_rows == 3
    assert batch["channels"]["channel_fingerprint"].null_count == 2


# --- attributes -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        (attr("x", "string", "text"), ('"text"', "text", None, None)),
        (attr("x", "string", ""), ('""', "", None, None)),
        (attr("x", "int", -7), ("-7", None, -7, -7.0)),
        (attr("x", "float", 0.5), ("0.5", None, None, 0.5)),
        (attr("x", "double", 1e300), ("1e+300", None, None, 1e300)),
        (attr("x", "float", float("inf")), ('"Infinity"', None, None, float("inf"))),
        (attr("x", "rational", (24, 5)), ('{"num":24,"den":5}', None, None, 4.8)),
        (attr("x", "rational", (1, 0)), ('{"num":1,"den":0}', None, None, None)),
        (attr("x", "v2i", (1, 2)), ("[1,2]", None, None, None)),
        (attr("x", "compression", "zip"), ('"zip"', "zip", 3, None)),
    ],
)  # fmt: skip
def test_values_of_attributes(made: bytes, expected: tuple[object, ...]) -> None:
    row = attributes_of(made)["x"]
    names = ("value_json", "value_text", "value_int", "value_float")
    assert tuple(row[name] for name in names) == expected


def test_not_a_number_is_a_float() -> None:
    row = attributes_of(attr("x", "float", float("nan")))["x"]
    assert (row["value_json"], row["value_float"] != row["value_float"]) == ('"NaN"', True)


def test_channels_have_their_own_table() -> None:
    rows = attributes_of()
    assert rows["channels"]["value_json"] is None
    assert rows["dataWindow"]["value_json"] == '{"min":[0,0],"max":[3,2]}'


def test_a_very_large_value_is_stored_by_size_digest_and_head() -> None:
    text = "m" * (STORED_VALUE_BYTES + 1)
    row = attributes_of(attr("manifest", "string", text))["manifest"]
    value = json.loads(str(row["value_json"]))
    assert value.keys() == {"cut", "bytes", "sha256", "head"}
    assert value["bytes"] == len(text)
    assert str(row["value_text"]) == value["head"]
    assert text.startswith(value["head"])


def test_a_value_that_does_not_fit_its_type_is_kept_as_bytes() -> None:
    row = attributes_of(raw_attr("x", "v2f", b"abc"))["x"]
    assert json.loads(str(row["value_json"]))["bytes"] == 3
    assert (row["value_text"], row["value_int"], row["value_float"]) == (None, None, None)


# --- failures and batches ---------------------------------------------------------------------


def test_the_row_of_a_failure() -> None:
    failure = Failure(
        "/d/./f\udcff.exr", Stage.PARSE, FailureCode.DAMAGED_HEADER, "why", 5, 9, 2_000
    )
    (row,) = failure_rows([failure], NOW).to_pylist()
    assert row == {
        "file_path": "/d/./f\\xff.exr",
        "file_path_normalized": "/d/f\\xff.exr",
        "directory": "/d",
        "size_bytes": 9,
        "mtime": dt.datetime(1970, 1, 1, microsecond=2, tzinfo=dt.UTC),
        "stage": "parse",
        "code": "damaged_header",
        "offset": 5,
        "reason": "why",
        "first_seen": NOW,
        "last_seen": NOW,
        "attempts": 1,
        "resolved_at": None,
    }


def test_empty_batches_have_the_schema_too() -> None:
    batch = batch_of({}, NOW)
    assert all(batch[name].schema.equals(batch_schema(name)) for name in batch)
    both = concat_batches([batch, batch_of(FILES, NOW)])
    assert both["files"].num_rows == 3
    assert Path(both["files"]["file_path"][0].as_py()).name == "a.0001.exr"
