"""The structure of headers: parts, names, meaning, damage, limits."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Sequence
from typing import Any

import pytest

from exrindex import exr
from exrindex.errors import HeaderError, HeaderTruncated
from exrindex.exr import parse_header
from exrindex.model import Box, Finding, Tile
from exrindex.model import Channel as ModelChannel
from exrmaker import (
    DEEP,
    LONG_NAMES,
    MAGIC,
    MULTIPART,
    TILED,
    Channel,
    attr,
    exr_file,
    header,
    minimal_part,
    raw_attr,
)

A_PART: dict[str, Any] = {"name": "a", "part_type": "scanlineimage", "chunk_count": 3}


def one(*attributes: bytes, flags: int = 0, without: Sequence[str] = ()) -> bytes:
    return header([minimal_part(attributes=attributes, without=without)], flags)


def codes(findings: Sequence[Finding]) -> list[str]:
    return [finding.code for finding in findings]


def error_of(data: bytes) -> HeaderError:
    with pytest.raises(HeaderError) as caught:
        parse_header(data)
    assert not isinstance(caught.value, HeaderTruncated)
    return caught.value


# --- what is read -----------------------------------------------------------------------------


def test_single_part() -> None:
    part = minimal_part(
        channels=[Channel("A", "float", p_linear=1), Channel("id", "uint"), "name with space"],
        data_window=(-5, 10, 94, 59),
        display_window=(0, 0, 99, 99),
        compression="zip",
    )
    made = header([part])
    parsed = parse_header(made + b"offset tables and pixels")
    assert (parsed.version, parsed.flags, parsed.nbytes) == (2, 0, len(made))
    assert parsed.hash == hashlib.sha256(made).hexdigest()
    assert parsed.findings == ()
    (only,) = parsed.parts
    assert only.channels == (
        ModelChannel("A", "float", 1, 1, True),
        ModelChannel("id", "uint", 1, 1, False),
        ModelChannel("name with space", "half", 1, 1, False),
    )
    assert (only.index, only.name, only.type, only.view) == (0, None, "scanlineimage", None)
    assert only.data_window == Box(-5, 10, 94, 59)
    assert only.display_window == Box(0, 0, 99, 99)
    assert (only.compression, only.line_order) == ("zip", "increasing_y")
    assert (only.pixel_aspect_ratio, only.screen_window_width) == (1.0, 1.0)
    assert only.screen_window_center == (0.0, 0.0)
    assert only.tile is None
    assert only.chunk_count == 4
    assert [attribute.raw for attribute in only.attributes] == [
        made[attribute.offset : attribute.offset + len(attribute.raw)]
        for attribute in only.attributes
    ]


def test_whole_file() -> None:
    parsed = parse_header(exr_file(attributes=[attr("fps", "rational", (24, 1))]))
    assert parsed.findings == ()
    assert parsed.parts[0].attributes[-1].value == {"num": 24, "den": 1}


def test_name_view_and_type_of_a_single_part() -> None:
    made = one(
        attr("name", "string", "beauty"),
        attr("view", "string", b"\xff"),
        attr("type", "string", "scanlineimage"),
    )
    (part,) = parse_header(made).parts
    assert (part.name, part.view, part.type) == ("beauty", "\udcff", "scanlineimage")


@pytest.mark.parametrize(
    ("flags", "implied"),
    [
        (0, "scanlineimage"),
        (TILED, "tiledimage"),
        (DEEP, "deepscanline"),
        (TILED | DEEP, "deeptile"),
    ],
)
def test_flags_imply_the_type(flags: int, implied: str) -> None:
    assert parse_header(header([minimal_part()], flags)).parts[0].type == implied


def test_tiles() -> None:
    parsed = parse_header(header([minimal_part(tiles=(64, 32, 0x11))], TILED))
    part = parsed.parts[0]
    assert part.tile == Tile(64, 32, "mipmap_levels", "round_up")
    assert part.is_tiled
    assert parsed.is_tiled
    assert parsed.findings == ()


def test_multi_part_with_views_and_deep() -> None:
    parts = [
        minimal_part(**A_PART, attributes=[attr("view", "string", "left")]),
        minimal_part(name="b", part_type="deepscanline", channels=["Z"], chunk_count=3),
    ]
    made = header(parts, MULTIPART | DEEP)
    parsed = parse_header(made + bytes(100))
    assert parsed.nbytes == len(made)
    assert parsed.findings == ()
    assert [part.index for part in parsed.parts] == [0, 1]
    assert [part.name for part in parsed.parts] == ["a", "b"]
    assert [part.view for part in parsed.parts] == ["left", None]
    assert [part.is_deep for part in parsed.parts] == [False, True]
    assert parsed.is_multipart
    assert parsed.is_deep


def test_a_written_chunk_count_wins_over_the_computed_one() -> None:
    assert parse_header(header([minimal_part(chunk_count=-7)])).parts[0].chunk_count == -7


def test_duplicates_are_all_kept_and_the_last_fitting_one_counts() -> None:
    made = one(
        attr("dataWindow", "box2i", (0, 0, 9, 9)),
        attr("dataWindow", "string", "no window"),
        raw_attr("dataWindow", "box2i", b"short"),
    )
    (part,) = parse_header(made).parts
    assert part.data_window == Box(0, 0, 9, 9)
    windows = [attribute for attribute in part.attributes if attribute.name == "dataWindow"]
    assert [attribute.type for attribute in windows] == ["box2i", "box2i", "string", "box2i"]
    assert windows[2].value == "no window"
    assert windows[3].problem


def test_names_that_are_not_utf8_survive() -> None:
    made = one(raw_attr(b"\xe9t\xe9", b"typ\xff", b"x"))
    attribute = parse_header(made).parts[0].attributes[-1]
    assert attribute.name.encode("utf-8", "surrogateescape") == b"\xe9t\xe9"
    assert attribute.type.encode("utf-8", "surrogateescape") == b"typ\xff"


@pytest.mark.parametrize("flags", [0, LONG_NAMES])
def test_names_of_255_bytes(flags: int) -> None:
    long = "n" * 255
    part = minimal_part(channels=[long], attributes=[raw_attr(long, "t" * 255, b"x")])
    parsed = parse_header(header([part], flags))
    assert parsed.parts[0].channels[0].name == long
    assert parsed.parts[0].attributes[-1].name == long
    assert codes(parsed.findings) == ([] if flags else ["long_name"] * 3)


def test_real_numbers_stay_real_in_the_fields() -> None:
    made = one(
        attr("pixelAspectRatio", "float", float("inf")),
        attr("screenWindowCenter", "v2f", (float("-inf"), 0.5)),
        without=("pixelAspectRatio", "screenWindowCenter"),
    )
    part = parse_header(made).parts[0]
    assert part.pixel_aspect_ratio == float("inf")
    assert part.screen_window_center == (float("-inf"), 0.5)
    assert part.attributes[-2].value == "Infinity"


# --- what cannot be read ----------------------------------------------------------------------


def test_no_bytes_at_all() -> None:
    error = error_of(b"")
    assert (error.code, error.offset) == ("empty", 0)


@pytest.mark.parametrize("data", [b"\x89PNG\r\n", b"\x76\x2f\x32", b"P", bytes(100)])
def test_other_files(data: bytes) -> None:
    assert error_of(data).code == "not_exr"


@pytest.mark.parametrize("length", range(1, 8))
def test_a_few_bytes_of_magic_and_version(length: int) -> None:
    with pytest.raises(HeaderTruncated) as caught:
        parse_header(header([minimal_part()])[:length])
    assert caught.value.needed == 8
    assert caught.value.code == "truncated_header"


@pytest.mark.parametrize("parts", [1, 2])
def test_no_more_is_asked_for_than_the_shortest_rest(parts: int) -> None:
    """An attribute may end with an empty type and an empty value, and the header right after."""
    made = header([minimal_part(attributes=[raw_attr("name", "", b"")])] * parts)
    for size in range(8, len(made)):
        with pytest.raises(HeaderTruncated) as caught:
            parse_header(made[:size])
        assert size < caught.value.needed <= len(made)


CHANNELS_AT = 8 + len(b"channels\0chlist\0") + 4

DAMAGED = [
    ("version 3", header([minimal_part()], version=3), 4),
    ("unknown flag", header([minimal_part()], 0x2000), 4),
    ("no attributes", MAGIC + b"\2\0\0\0\0", 8),
    ("no parts", MAGIC + b"\2\x10\0\0\0", 8),
    ("no channels", one(without=("channels",)), len(one(without=("channels",))) - 1),
    ("channels of another type", header([[attr("channels", "string", "RGB")]]), 8 + 20),
    ("malformed channels", header([[raw_attr("channels", "chlist", b"RGB")]]), CHANNELS_AT),
    ("name too long", MAGIC + b"\2\0\0\0" + b"n" * 256 + b"\0", 8),
    ("type too long", MAGIC + b"\2\0\0\0n\0" + b"t" * 256 + b"\0", 10),
    ("negative size", MAGIC + b"\2\0\0\0n\0int\0" + b"\xff" * 4, 14),
    ("claimed size", MAGIC + b"\2\0\0\0n\0int\0" + struct.pack("<i", 2**31 - 1), 14),
]


@pytest.mark.parametrize(
    ("data", "offset"), [pytest.param(*case[1:], id=case[0]) for case in DAMAGED]
)
def test_damage_names_its_place(data: bytes, offset: int) -> None:
    error = error_of(data + bytes(600))
    assert (error.code, error.offset) == ("damaged_header", offset)


def test_a_part_without_channels_in_a_multi_part_file() -> None:
    made = header([minimal_part(**A_PART), minimal_part(name="b", without=("channels",))])
    error = error_of(made)
    assert "part 1" in error.reason
    assert error.offset == len(made) - 2


# --- limits -----------------------------------------------------------------------------------


def test_claimed_sizes_up_to_the_limit_are_asked_for_and_no_further() -> None:
    start = MAGIC + b"\2\0\0\0n\0string\0"
    most = exr.MAX_HEADER_BYTES - len(start) - 4 - 1
    with pytest.raises(HeaderTruncated) as caught:
        parse_header(start + struct.pack("<i", most))
    assert caught.value.needed == exr.MAX_HEADER_BYTES
    error = error_of(start + struct.pack("<i", most + 1))
    assert error.offset == len(start)


def test_a_header_that_goes_on_at_the_limit_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exrindex.exr.parse.MAX_HEADER_BYTES", 1000)
    start = MAGIC + b"\2\0\0\0n\0string\0"
    most = 1000 - len(start) - 4 - 1
    data = start + struct.pack("<i", most) + b"x" * most + b"n"
    assert "limit" in error_of(data).reason


def test_attributes() -> None:
    full = [raw_attr("n", "t", b"")] * (exr.MAX_ATTRIBUTES - 8)
    parsed = parse_header(header([minimal_part(attributes=full)]))
    assert len(parsed.parts[0].attributes) == exr.MAX_ATTRIBUTES
    one_more = [raw_attr("n", "t", b"")] * (exr.MAX_ATTRIBUTES - 7)
    assert "attributes" in error_of(header([minimal_part(attributes=one_more)])).reason


def test_attributes_of_several_parts_count_together() -> None:
    half = [raw_attr("n", "t", b"")] * (exr.MAX_ATTRIBUTES // 2)
    made = header([minimal_part(attributes=half), minimal_part(attributes=half)])
    assert "attributes" in error_of(made).reason


def test_parts() -> None:
    tiny = [attr("channels", "chlist", ["Z"])]
    assert len(parse_header(header([tiny] * exr.MAX_PARTS)).parts) == exr.MAX_PARTS
    assert "parts" in error_of(header([tiny] * (exr.MAX_PARTS + 1))).reason


def test_channels() -> None:
    names = [f"c{i:05}" for i in range(exr.MAX_CHANNELS + 1)]
    full = header([minimal_part(channels=names[:-1])])
    assert len(parse_header(full).parts[0].channels) == exr.MAX_CHANNELS
    assert "channels" in error_of(header([minimal_part(channels=names)])).reason


def test_channels_of_several_parts_count_together() -> None:
    names = [f"c{i:05}" for i in range(exr.MAX_CHANNELS // 2 + 1)]
    part = minimal_part(channels=names)
    assert "channels" in error_of(header([part, part])).reason


def test_lists_beyond_the_limit_are_kept_as_bytes() -> None:
    half = bytes(exr.MAX_LIST_BYTES // 2)
    names = ("first", "second", "third")
    made = one(*(raw_attr(name, "floatvector", half) for name in names))
    first, _, third = parse_header(made).parts[0].attributes[-3:]
    assert isinstance(first.value, list)
    assert isinstance(third.value, dict)
    assert third.value["bytes"] == len(half)
    assert third.problem
