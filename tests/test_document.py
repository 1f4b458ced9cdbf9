from __future__ import annotations

import math
from typing import Any

import orjson
import pytest

from exrindex.document import (
    STORED_HEAD_BYTES,
    STORED_VALUE_BYTES,
    failure_document,
    file_document,
    header_document,
    iso_time,
    json_float,
    stored_value,
)
from exrindex.exr import parse_header
from exrindex.model import Failure, FailureCode, FileRef, Header, Integrity, Stage
from exrmaker import attr, header, minimal_part, raw_attr

IDENTITY = [1.0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 1]


def _header(*attributes: bytes) -> Header:
    return parse_header(header([[*minimal_part(), *attributes]]))


def _value(*attribute: Any) -> Any:
    document: Any = header_document(_header(attr("x", *attribute)))
    orjson.dumps(document)  # raises for what JSON has no word for
    values = {a["name"]: a["value"] for a in document["parts"][0]["attributes"]}
    return values["x"]


@pytest.mark.parametrize(
    ("kind", "written", "value"),
    [
        ("int", -5, -5),
        ("float", 0.5, 0.5),
        ("double", 1e300, 1e300),
        ("float", math.nan, "NaN"),
        ("double", math.inf, "Infinity"),
        ("float", -math.inf, "-Infinity"),
        ("string", "wörd", "wörd"),
        ("string", "", ""),
        ("stringvector", ["left", "right"], ["left", "right"]),
        ("v2i", (1, 2), [1, 2]),
        ("v3f", (1, 2, math.nan), [1, 2, "NaN"]),
        ("m44f", IDENTITY, [[1, 0, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]]),
        ("m33f", range(9), [[0, 1, 2], [3, 4, 5], [6, 7, 8]]),
        ("box2i", (0, 1, 2, 3), {"min": [0, 1], "max": [2, 3]}),
        ("rational", (24000, 1001), {"num": 24000, "den": 1001}),
        ("compression", "dwaa", "dwaa"),
        ("lineOrder", 2, "random_y"),
        ("envmap", 1, "cube"),
        ("deepImageState", 3, "tidy"),
        ("tiledesc", (64, 32, 0), {"x_size": 64, "y_size": 32, "level_mode": "one_level",
                                   "rounding_mode": "round_down"}),
        ("chromaticities", [0.5, 0.25, 0.5, 0.25, 0.5, 0.25, 0.5, 0.25],
         {name: [0.5, 0.25] for name in ("red", "green", "blue", "white")}),
    ],
)  # fmt: skip
def test_values(kind: str, written: Any, value: Any) -> None:
    assert _value(kind, written) == value


def test_values_with_names() -> None:
    timecode = _value("timecode", (0x01_00_00_05, 7))
    assert timecode == {"time_and_flags": 0x01_00_00_05, "user_data": 7, "text": "01:00:00:05"}
    assert len(_value("keycode", (1, 2, 3, 4, 5, 6, 7))) == 7
    assert set(_value("preview", (1, 1, bytes(4)))) == {"width", "height", "sha256", "base64"}


def test_what_cannot_be_decoded_is_kept() -> None:
    document: Any = header_document(
        _header(raw_attr("x", "unheard", b"\xff\0"), raw_attr("y", "int", b"abc"))
    )
    values = {a["name"]: a["value"] for a in document["parts"][0]["attributes"]}
    for name, base64 in (("x", "/wA="), ("y", "YWJj")):
        assert set(values[name]) == {"bytes", "sha256", "base64"}
        assert values[name]["base64"] == base64
    assert [finding["code"] for finding in document["findings"]] == ["malformed_value"]
    assert list(document["findings"][0]) == ["code", "message", "part", "attribute", "offset"]


def test_text_that_is_not_utf8_is_escaped() -> None:
    document: Any = header_document(_header(raw_attr(b"caf\xe9", "string", b"x")))
    names = [attribute["name"] for attribute in document["parts"][0]["attributes"]]
    assert "caf\\xe9" in names
    orjson.dumps(document)


def test_only_the_store_shortens_large_values() -> None:
    text = "name" * STORED_VALUE_BYTES
    found = _header(attr("manifest", "string", text), attr("small", "string", "x"))
    whole: Any = header_document(found)
    values = {a["name"]: a["value"] for a in whole["parts"][0]["attributes"]}
    short: Any = {a.name: stored_value(a) for a in found.parts[0].attributes}
    assert values["manifest"] == text
    assert values["small"] == short["small"] == "x"
    assert short["manifest"]["bytes"] == len(text)
    assert short["manifest"]["head"] == text[:STORED_HEAD_BYTES]
    assert len(short["manifest"]["sha256"]) == 64


def test_the_head_is_cut_in_bytes() -> None:
    found = _header(attr("x", "string", "é" * STORED_VALUE_BYTES))
    attribute = next(a for a in found.parts[0].attributes if a.name == "x")
    value = stored_value(attribute)
    assert isinstance(value, dict)
    assert value["head"] == "é" * (STORED_HEAD_BYTES // 2)


def test_the_stored_limit_is_exact() -> None:
    for size, is_short in ((STORED_VALUE_BYTES, False), (STORED_VALUE_BYTES + 1, True)):
        found = _header(attr("x", "string", "a" * size))
        attribute = next(a for a in found.parts[0].attributes if a.name == "x")
        assert isinstance(stored_value(attribute), dict) == is_short


def test_a_file() -> None:
    found = _header()
    document = file_document(FileRef("/a\udcff.exr", 12, 1_500_000_000), found, Integrity.OK)
    assert document["path"] == "/a\\xff.exr"
    assert document["mtime"] == "1970-01-01T00:00:01.500000Z"
    assert document["integrity"] == "ok"
    assert document["header_hash"] == found.hash


def test_a_failure() -> None:
    failure = Failure("/a.exr", Stage.PARSE, FailureCode.NOT_EXR, "no", 0)
    assert failure_document(failure) == {
        "path": "/a.exr",
        "error": {"code": "not_exr", "offset": 0, "reason": "no"},
    }


def test_times_and_floats() -> None:
    assert iso_time(-1000) == "1969-12-31T23:59:59.999999Z"
    assert iso_time(10**21) == "@1000000000000"
    assert [json_float(x) for x in (None, 0.1, math.inf, -math.inf)] == [
        None, 0.1, "Infinity", "-Infinity",
    ]  # fmt: skip
