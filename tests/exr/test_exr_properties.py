"""Properties that hold for any bytes: what was made is read, cuts are seen, nothing else raises."""

from __future__ import annotations

import struct
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exrindex.errors import HeaderError, HeaderTruncated
from exrindex.exr import FINDINGS, MAX_HEADER_BYTES, parse_header
from exrindex.exr.spec import PIXEL_TYPES
from exrindex.model import Header
from exrmaker import (
    DEEP,
    LONG_NAMES,
    MAGIC,
    MULTIPART,
    TILED,
    Channel,
    attr,
    header,
    minimal_part,
    raw_attr,
)

names = st.binary(min_size=1, max_size=40).map(lambda raw: raw.replace(b"\0", b"_"))
int32 = st.integers(-(2**31), 2**31 - 1)
windows = st.tuples(int32, int32, int32, int32)
channels = st.builds(
    Channel, names, st.sampled_from(PIXEL_TYPES) | st.integers(3, 9), int32, int32, st.booleans()
)
types = st.sampled_from(
    "box2i bytes chlist compression double envmap float floatvector int keycode m44f preview"
    " rational string stringvector tiledesc timecode".split()
) | names.map(lambda raw: raw.decode("latin-1"))
attributes = st.builds(raw_attr, names, types, st.binary(max_size=40))
parts = st.builds(
    minimal_part,
    channels=st.lists(channels, max_size=4),
    data_window=windows,
    display_window=windows,
    compression=st.integers(0, 255),
    name=st.none() | st.text(max_size=5),
    part_type=st.sampled_from([None, "scanlineimage", "tiledimage", "deepscanline", "cloud"]),
    tiles=st.none()
    | st.tuples(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1), st.integers(0, 255)),
    chunk_count=st.none() | int32,
    attributes=st.lists(attributes, max_size=4),
    without=st.lists(st.sampled_from(["compression", "dataWindow", "lineOrder"]), max_size=2),
)
flag_sets = st.sampled_from([0, TILED, LONG_NAMES, DEEP, TILED | DEEP])


@st.composite
def headers(draw: st.DrawFn) -> bytes:
    made = draw(st.lists(parts, min_size=1, max_size=3))
    flags = draw(flag_sets)
    return header(made, flags | MULTIPART if len(made) > 1 else flags)


def outcome(data: bytes) -> Header | HeaderError:
    try:
        return parse_header(data)
    except HeaderError as error:
        return error


def parse_cut(data: bytes, size: int) -> Header:
    """Parse ever longer beginnings, each as long as was asked for, from ``size`` bytes on."""
    while isinstance(result := outcome(data[:size]), HeaderTruncated):
        assert size < result.needed <= len(data)
        size = result.needed
    assert isinstance(result, Header)
    return result


@given(st.lists(st.tuples(names, names, st.binary(max_size=30)), max_size=8), st.binary())
def test_attributes_come_back_as_they_were_made(
    made: list[tuple[bytes, bytes, bytes]], rest: bytes
) -> None:
    part = minimal_part(attributes=[raw_attr(*item) for item in made])
    data = header([part])
    parsed = parse_header(data + rest)
    assert parsed.nbytes == len(data)
    found = parsed.parts[0].attributes[8:]
    assert [
        (
            attribute.name.encode("utf-8", "surrogateescape"),
            attribute.type.encode("utf-8", "surrogateescape"),
            attribute.raw,
        )
        for attribute in found
    ] == made
    assert all(data[a.offset : a.offset + len(a.raw)] == a.raw for a in found)


@given(st.lists(channels, max_size=6), windows, windows)
def test_channels_and_windows_come_back(
    made: list[Channel], data_window: tuple[int, ...], display_window: tuple[int, ...]
) -> None:
    x0, y0, x1, y1 = data_window
    part = minimal_part(
        channels=made, data_window=(x0, y0, x1, y1), attributes=[attr("view", "string", "left")]
    )
    parsed = parse_header(header([part])).parts[0]
    assert parsed.data_window == data_window
    assert len(parsed.channels) == len(made)
    for channel, origin in zip(parsed.channels, made, strict=True):
        assert channel.name.encode("utf-8", "surrogateescape") == origin.name
        expected = origin.type if isinstance(origin.type, str) else f"unknown_{origin.type}"
        assert channel.type == expected
        assert (channel.x_sampling, channel.y_sampling) == origin[2:4]
        assert channel.p_linear is bool(origin.p_linear)


@given(headers())
def test_findings_use_the_vocabulary(data: bytes) -> None:
    parsed = parse_header(data)
    assert {finding.code for finding in parsed.findings} <= FINDINGS.keys()
    assert parsed == parse_header(data)


@settings(max_examples=25)
@given(headers())
def test_every_cut_is_seen_and_leads_to_the_whole(data: bytes) -> None:
    whole = parse_header(data)
    assert whole.nbytes == len(data)
    for size in range(1, len(data)):
        with pytest.raises(HeaderTruncated) as caught:
            parse_header(data[:size])
        assert size < caught.value.needed <= len(data)
    assert parse_cut(data, 1) == whole


@settings(max_examples=300)
@given(st.binary(max_size=200), st.sampled_from([0, TILED, DEEP, MULTIPART, LONG_NAMES, 0x8000]))
def test_arbitrary_bytes_raise_nothing_else(body: bytes, flags: int) -> None:
    for data in (body, MAGIC + body, MAGIC + struct.pack("<I", 2 | flags) + body):
        result = outcome(data)
        if isinstance(result, HeaderError):
            assert 0 <= result.offset <= len(data)


@settings(max_examples=300)
@given(headers(), st.data())
def test_mutated_headers_raise_nothing_else(data: bytes, draw: st.DataObject) -> None:
    mutated = bytearray(data)
    for _ in range(draw.draw(st.integers(1, 4))):
        place = draw.draw(st.integers(0, len(mutated) - 1))
        mutated[place : place + draw.draw(st.integers(0, 2))] = draw.draw(st.binary(max_size=2))
    result = outcome(bytes(mutated))
    if isinstance(result, HeaderTruncated):
        assert len(mutated) < result.needed <= MAX_HEADER_BYTES
    elif isinstance(result, HeaderError):
        assert 0 <= result.offset <= len(mutated)
    else:
        assert result.nbytes <= len(mutated)


@pytest.mark.parametrize("size", [100, 2**20, MAX_HEADER_BYTES - 100, 2**31 - 1, -1])
def test_claimed_sizes_cost_no_memory(size: int) -> None:
    claims = [
        raw_attr("x", "string", b"", size=size),
        raw_attr("x", "preview", struct.pack("<II", 2**31, 2**31)),
        raw_attr("x", "stringvector", struct.pack("<i", 2**31 - 1)),
        raw_attr("x", "bytes", struct.pack("<I", 2**32 - 1)),
        raw_attr("x", "idmanifest", struct.pack("<Q", 2**63)),
    ]
    tracemalloc.start()
    try:
        for claim in claims:
            with pytest.raises(HeaderError):
                parse_header(header([minimal_part(attributes=[claim])])[:-1])
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()
