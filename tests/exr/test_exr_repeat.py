"""Headers that repeat the one before: quicker, and the same in every case."""

from __future__ import annotations

import struct
from collections.abc import Iterable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exr.test_exr_properties import headers
from exrindex.errors import HeaderError, HeaderTruncated
from exrindex.exr import repeat
from exrindex.exr.parse import parse_header as parse_whole
from exrindex.exr.repeat import HeaderParser
from exrindex.model import Header
from exrmaker import Channel, attr, header, minimal_part, raw_attr

Outcome = Header | tuple[object, ...]


def outcome(parse: object, data: bytes) -> Outcome:
    assert callable(parse)
    try:
        result = parse(data)
    except HeaderError as error:
        needed = error.needed if isinstance(error, HeaderTruncated) else None
        return type(error), error.code, error.offset, error.reason, needed
    assert isinstance(result, Header)
    return result


def taken_over(first: Header, second: Header) -> int:
    """How many attributes are not merely equal but the same objects."""
    pairs = zip(first.parts, second.parts, strict=True)
    return sum(a in map(id, one.attributes) for one, two in pairs for a in map(id, two.attributes))


def frame(*extra: bytes, time: float = 1.0, date: str = "2026:01:01") -> bytes:
    changing = [attr("capDate", "string", date), attr("stats/time", "float", time)]
    return header([minimal_part(attributes=[*changing, *extra])])


def test_frames_of_a_sequence_share_what_is_equal() -> None:
    parse = HeaderParser()
    first = parse(frame(time=1.0))
    second = parse(frame(time=2.5, date="2026:01:02") + b"and what follows")
    assert second == parse_whole(frame(time=2.5, date="2026:01:02"))
    assert taken_over(first, second) == len(first.parts[0].attributes) - 2
    assert second.parts[0].channels is first.parts[0].channels
    third = parse(frame(time=2.5, date="2026:01:02"))
    assert taken_over(first, third) == taken_over(first, second)


VARIANTS = {
    "a longer text": frame(date="2026:01:01 12:00"),
    "another type of one size": header(
        [
            minimal_part(
                attributes=[attr("capDate", "string", "x" * 10), attr("stats/time", "int", 1)]
            )
        ]
    ),
    "a text that is not UTF-8": frame(date="2026:01:0\udce9"),
    "another data window": header(
        [
            minimal_part(
                data_window=(1, 1, 2, 2),
                attributes=[
                    attr("capDate", "string", "2026:01:01"),
                    attr("stats/time", "float", 1),
                ],
            )
        ]
    ),
    "another channel": header(
        [
            minimal_part(
                channels=[Channel("Z")],
                attributes=[
                    attr("capDate", "string", "2026:01:01"),
                    attr("stats/time", "float", 1),
                ],
            )
        ]
    ),
    "one more": frame(attr("x", "int", 1)),
    "a name twice": frame(attr("capDate", "string", "2026:01:01")),
    "cut short": frame()[:-1],
    "nothing": b"",
    "another version": frame()[:4] + b"\3" + frame()[5:],
    "another flag": frame()[:5] + b"\4" + frame()[6:],
}


@pytest.mark.parametrize("data", VARIANTS.values(), ids=list(VARIANTS))
@pytest.mark.parametrize("first", [frame(), VARIANTS["a name twice"], VARIANTS["one more"]])
def test_what_differs_otherwise_is_parsed_as_a_whole(first: bytes, data: bytes) -> None:
    parse = HeaderParser()
    parse(first)
    for _ in range(2):
        assert outcome(parse, data) == outcome(parse_whole, data)


@settings(max_examples=300)
@given(
    headers(),
    st.lists(
        st.lists(st.tuples(st.integers(0, 4000), st.integers(0, 255)), max_size=4), max_size=4
    ),
    st.integers(0, 30),
)
def test_any_change_gives_what_a_whole_parse_gives(
    base: bytes, changes: list[list[tuple[int, int]]], cut: int
) -> None:
    parse = HeaderParser()
    variants = [base, base[: len(base) - cut]]
    for flips in changes:
        changed = bytearray(base)
        for offset, value in flips:
            changed[offset % len(changed)] = value
        variants.append(bytes(changed))
    for data in [*variants, *variants]:
        assert outcome(parse, data) == outcome(parse_whole, data)


types = st.sampled_from("string int float double m44f timecode stringvector preview odd".split())


@settings(max_examples=200)
@given(st.lists(st.tuples(types, st.binary(min_size=1, max_size=12)), max_size=5), st.data())
def test_other_values_of_the_same_size(made: list[tuple[str, bytes]], data: st.DataObject) -> None:
    parse = HeaderParser()
    for _ in range(3):
        attributes = [
            raw_attr(f"a{n}", kind, data.draw(st.binary(min_size=len(raw), max_size=len(raw))))
            for n, (kind, raw) in enumerate(made)
        ]
        content = header([minimal_part(attributes=attributes)])
        assert parse(content) == parse_whole(content)


def test_numbers_are_compared_by_their_bytes() -> None:
    """-0.0 equals 0.0, and a NaN does not equal itself."""
    parse = HeaderParser()
    for raw in (struct.pack("<f", 0.0), struct.pack("<f", -0.0), b"\0\0\xc0\x7f", b"\1\0\xc0\x7f"):
        content = header([minimal_part(attributes=[raw_attr("n", "float", raw)])])
        assert parse(content).parts[0].attributes[-1].raw == raw
        assert repr(parse(content)) == repr(parse_whole(content))


def test_attributes_are_copied_once_however_many_differ(monkeypatch: pytest.MonkeyPatch) -> None:
    """Once for each that differs made the time grow with the square of their number."""
    copies: list[int] = []

    def counting(items: Iterable[object]) -> list[object]:
        made = [*items]
        copies.append(len(made))
        return made

    def content(value: int) -> bytes:
        attributes = [raw_attr(f"a{n}", "odd", bytes([value])) for n in range(50)]
        return header([minimal_part(attributes=attributes)])

    parse = HeaderParser()
    parse(content(1))
    monkeypatch.setattr(repeat, "list", counting, raising=False)
    assert parse(content(2)) == parse_whole(content(2))
    assert sum(copies) < 100
