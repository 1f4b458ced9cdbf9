"""Every finding: a fault gives its code, what hosts accept gives none."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from exrindex import exr
from exrindex.exr import parse_header
from exrindex.exr.spec import MAX_FINDINGS
from exrmaker import (
    DEEP,
    LONG_NAMES,
    MULTIPART,
    TILED,
    Channel,
    attr,
    chlist,
    header,
    minimal_part,
    raw_attr,
)

A_PART: dict[str, Any] = {"name": "a", "part_type": "scanlineimage", "chunk_count": 3}


def one(*attributes: bytes, flags: int = 0, without: Sequence[str] = ()) -> bytes:
    return header([minimal_part(attributes=attributes, without=without)], flags)


def two(second: Sequence[bytes], first: Sequence[bytes] | None = None) -> bytes:
    return header([first or minimal_part(**A_PART), second])


def b_part(**other: Any) -> list[bytes]:
    return minimal_part(**{**A_PART, "name": "b", **other})


def listed(raw: bytes) -> bytes:
    return header([[raw_attr("channels", "chlist", raw), *minimal_part(without=("channels",))]])


def without(name: str, *instead: bytes) -> bytes:
    return one(*instead, without=(name,))


def deep(**other: Any) -> bytes:
    arguments: dict[str, Any] = {"part_type": "deepscanline", "chunk_count": 3, **other}
    return header([minimal_part(**arguments)], DEEP)


COLOURS = attr("chromaticities", "chromaticities", range(8))

FINDINGS = [
    ("flag_conflict", header([b_part()], TILED | MULTIPART), None),
    ("type_conflict", one(attr("type", "string", "tiledimage")), "type"),
    ("type_conflict", one(attr("type", "string", "deepscanline")), "type"),
    ("type_conflict", one(attr("type", "string", "cloud")), "type"),
    ("type_conflict", deep(part_type="scanlineimage"), "type"),
    ("type_conflict", two(b_part(part_type="deepscanline")), "type"),
    ("missing_required", without("compression"), "compression"),
    ("missing_required", without("dataWindow"), "dataWindow"),
    ("missing_required", without("displayWindow"), "displayWindow"),
    ("missing_required", without("lineOrder"), "lineOrder"),
    ("missing_required", without("pixelAspectRatio"), "pixelAspectRatio"),
    ("missing_required", without("screenWindowCenter"), "screenWindowCenter"),
    ("missing_required", without("screenWindowWidth"), "screenWindowWidth"),
    ("missing_required", two(b_part(name=None)), "name"),
    ("missing_required", two(b_part(part_type=None)), "type"),
    ("missing_required", two(b_part(chunk_count=None)), "chunkCount"),
    ("missing_required", deep(without=["version"]), "version"),
    ("reserved_type", one(attr("version", "string", "v003")), "version"),
    ("reserved_type", one(attr("name", "int", 3)), "name"),
    ("duplicate_attribute", one(*[attr("gain", "float", 1)] * 2), "gain"),
    ("duplicate_attribute", one(*[attr("name", "string", "a")] * 2), "name"),
    ("parser_differential", one(*[attr("note", "string", "a")] * 2), "note"),
    ("parser_differential", one(attr("x", "int", 1), attr("x", "float", 1)), "x"),
    ("malformed_value", one(raw_attr("gain", "float", b"abc")), "gain"),
    ("malformed_value", one(raw_attr("gain", "", b"")), "gain"),
    ("not_decoded", one(raw_attr("v", "floatvector", bytes(exr.MAX_LIST_BYTES))), "v"),
    ("long_name", one(attr("n" * 32, "int", 1)), "n" * 32),
    ("long_name", one(raw_attr("n", "t" * 32, b"")), "n"),
    ("long_name", listed(chlist(["n" * 32])), "channels"),
    ("long_text", one(attr("view", "string", "v" * 256)), "view"),
    ("not_utf8", one(attr("note", "string", b"\xff")), "note"),
    ("not_utf8", one(attr("views", "stringvector", [b"\xff"])), "views"),
    ("not_utf8", one(attr(b"\xff", "int", 1)), "\udcff"),
    ("not_utf8", one(raw_attr("n", b"\xff", b"")), "n"),
    ("not_utf8", listed(chlist([Channel(b"\xff")])), "channels"),
    ("unknown_enum", one(attr("envmap", "envmap", 9)), "envmap"),
    (
        "unknown_enum",
        without("compression", attr("compression", "compression", 200)),
        "compression",
    ),
    ("unknown_enum", without("lineOrder", attr("lineOrder", "lineOrder", 9)), "lineOrder"),
    ("bad_window", without("dataWindow", attr("dataWindow", "box2i", (5, 0, 4, 2))), "dataWindow"),
    ("bad_window", without("dataWindow", attr("dataWindow", "box2i", (0, 5, 4, 2))), "dataWindow"),
    (
        "bad_window",
        without("displayWindow", attr("displayWindow", "box2i", (0, 0, 2**30 - 1, 2))),
        "displayWindow",
    ),
    (
        "bad_window",
        without("displayWindow", attr("displayWindow", "box2i", (0, 1 - 2**30, 3, 2))),
        "displayWindow",
    ),
    *(
        (
            "bad_number",
            without("pixelAspectRatio", attr("pixelAspectRatio", "float", number)),
            "pixelAspectRatio",
        )
        for number in (0.0, -1.0, 2e6, float("nan"), float("inf"))
    ),
    (
        "bad_number",
        without("screenWindowWidth", attr("screenWindowWidth", "float", -1.0)),
        "screenWindowWidth",
    ),
    ("bad_tiles", header([minimal_part()], TILED), "tiles"),
    ("bad_tiles", header([minimal_part(tiles=(0, 64, 0))], TILED), "tiles"),
    ("bad_tiles", header([minimal_part(tiles=(64, 2**29, 0))], TILED), "tiles"),
    ("bad_tiles", header([minimal_part(tiles=(64, 64, 3))], TILED), "tiles"),
    ("bad_tiles", header([minimal_part(tiles=(64, 64, 0x20))], TILED), "tiles"),
    ("bad_chunk_count", header([minimal_part(chunk_count=99)]), "chunkCount"),
    ("deep_compression", deep(compression="piz", chunk_count=1), "compression"),
    ("deep_compression", deep(compression="zip", chunk_count=1), "compression"),
    ("no_channels", listed(b"\0"), "channels"),
    ("duplicate_channel", listed(chlist(["R", "R"])), "channels"),
    ("bad_pixel_type", listed(chlist([Channel("R", 7)])), "channels"),
    ("bad_sampling", listed(chlist([Channel("R", x_sampling=0)])), "channels"),
    ("bad_sampling", listed(chlist([Channel("R", y_sampling=-1)])), "channels"),
    ("bad_sampling", listed(chlist([Channel("R", x_sampling=3)])), "channels"),
    ("bad_sampling", listed(chlist([Channel("R", y_sampling=2)])), "channels"),
    ("bad_sampling", deep(channels=[Channel("Z", x_sampling=2)]), "channels"),
    ("unsorted_channels", listed(chlist(["R", "G"])), "channels"),
    ("channel_list_end", listed(chlist(["R"], terminated=False)), "channels"),
    ("channel_list_end", listed(chlist(["R"]) + b"xy"), "channels"),
    ("duplicate_part_name", two(b_part(name="a")), "name"),
    ("shared_conflict", two(b_part(display_window=(0, 0, 9, 9))), "displayWindow"),
    ("shared_conflict", two(b_part(attributes=[COLOURS])), "chromaticities"),
]


@pytest.mark.parametrize(("code", "data", "attribute"), FINDINGS)
def test_finding(code: str, data: bytes, attribute: str | None) -> None:
    """Each fault gives its finding, and no other but what follows from it."""
    found = parse_header(data).findings
    assert (code, attribute) in [(finding.code, finding.attribute) for finding in found]
    follows = {"reserved_type": {"missing_required"}, "flag_conflict": {"bad_tiles"}}
    assert {finding.code for finding in found} <= {code} | follows.get(code, set())


def test_the_vocabulary_is_closed_and_every_word_is_used() -> None:
    assert {code for code, _, _ in FINDINGS} == set(exr.FINDINGS)


def test_findings_say_where() -> None:
    made = two(b_part(attributes=[raw_attr("gain", "float", b"abc")]))
    (finding,) = parse_header(made).findings
    assert (finding.part, finding.offset) == (1, made.index(b"abc"))


ACCEPTED = [
    one(attr("version", "int", 1)),
    one(attr("deepImageState", "deepImageState", 3)),
    without("screenWindowWidth", attr("screenWindowWidth", "float", 0.0)),
    without("pixelAspectRatio", attr("pixelAspectRatio", "float", 1e6)),
    without("dataWindow", attr("dataWindow", "box2i", (2 - 2**30, 0, 2**30 - 2, 2))),
    header([minimal_part(tiles=(0, 0, 7))]),
    header([minimal_part(channels=[Channel("R", x_sampling=2), "RY"])]),
    two(b_part(), minimal_part(**A_PART, attributes=[COLOURS])),
    header([b_part()], MULTIPART),
    deep(),
    one(attr("view", "int", 3)),
    one(raw_attr("n", "t", b""), flags=LONG_NAMES),
]


@pytest.mark.parametrize("data", ACCEPTED)
def test_what_hosts_accept_is_no_finding(data: bytes) -> None:
    assert parse_header(data).findings == ()


def test_findings_are_bounded() -> None:
    """A damaged header of a few megabytes must not become a flood of findings."""
    repeated = [raw_attr("odd", "int", b"x") for _ in range(3 * MAX_FINDINGS)]
    found = parse_header(header([[*minimal_part(), *repeated]]))
    assert len(found.findings) == MAX_FINDINGS
    assert len(found.parts[0].attributes) == 8 + len(repeated)


def test_a_long_part_name_is_kept_but_not_used() -> None:
    """Used as the layer of every channel it would be copied thousands of times."""
    name = "n" * 1_000_000
    part = minimal_part(name=name, part_type="scanlineimage", chunk_count=1)
    (parsed,) = parse_header(header([part], MULTIPART)).parts
    assert parsed.name is None
    assert next(a.value for a in parsed.attributes if a.name == "name") == name
