"""Every attribute type: bytes made here → the JSON value the documentation promises."""

from __future__ import annotations

import base64
import hashlib
import json
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exrindex.exr.spec import COMPRESSIONS, MAX_ESCAPED_BYTES
from exrindex.exr.values import decode_value, timecode_text
from exrindex.model import JSONValue
from exrindex.naming import escape_text, unescape_text
from exrmaker import Channel, chlist, encode


def described(raw: bytes) -> dict[str, JSONValue]:
    return {
        "bytes": len(raw),
        "sha256": hashlib.sha256(raw).hexdigest(),
        "base64": base64.b64encode(raw).decode(),
    }


PIXELS = bytes(range(24))
NINE = list(range(9))
SIXTEEN = list(range(16))

VALUES = [
    ("box2i", (-1, 2, 3, 2**31 - 1), {"min": [-1, 2], "max": [3, 2**31 - 1]}),
    ("box2f", (0.5, -1.5, 2.0, 3.0), {"min": [0.5, -1.5], "max": [2.0, 3.0]}),
    ("bytes", ("text/xml", b"<a/>"), {"hint": "text/xml", **described(b"<a/>")}),
    ("bytes", ("", b""), {"hint": "", **described(b"")}),
    (
        "chromaticities",
        (0.5, 0.25, 0.0, 1.0, 0.125, -0.5, 2.0, 3.0),
        {"red": [0.5, 0.25], "green": [0.0, 1.0], "blue": [0.125, -0.5], "white": [2.0, 3.0]},
    ),
    *(("compression", code, name) for code, name in enumerate(COMPRESSIONS)),
    ("compression", 200, "unknown_200"),
    ("deepImageState", 0, "messy"),
    ("deepImageState", 1, "sorted"),
    ("deepImageState", 2, "non_overlapping"),
    ("deepImageState", 3, "tidy"),
    ("deepImageState", 9, "unknown_9"),
    ("double", 0.1, 0.1),
    ("envmap", 0, "latlong"),
    ("envmap", 1, "cube"),
    ("envmap", 9, "unknown_9"),
    ("float", 1.5, 1.5),
    ("floatvector", [], []),
    ("floatvector", [0.5, math.inf], [0.5, "Infinity"]),
    ("idmanifest", (2**40, b"zlib"), {"uncompressed_size": 2**40, **described(b"zlib")}),
    ("int", -(2**31), -(2**31)),
    (
        "keycode",
        range(7),
        {
            "film_mfc_code": 0,
            "film_type": 1,
            "prefix": 2,
            "count": 3,
            "perf_offset": 4,
            "perfs_per_frame": 5,
            "perfs_per_count": 6,
        },
    ),
    ("lineOrder", 0, "increasing_y"),
    ("lineOrder", 1, "decreasing_y"),
    ("lineOrder", 2, "random_y"),
    ("lineOrder", 3, "unknown_3"),
    ("m33f", NINE, [NINE[0:3], NINE[3:6], NINE[6:9]]),
    ("m33d", NINE, [NINE[0:3], NINE[3:6], NINE[6:9]]),
    ("m44f", SIXTEEN, [SIXTEEN[i : i + 4] for i in range(0, 16, 4)]),
    ("m44d", SIXTEEN, [SIXTEEN[i : i + 4] for i in range(0, 16, 4)]),
    (
        "preview",
        (2, 3, PIXELS),
        {
            "width": 2,
            "height": 3,
            "sha256": hashlib.sha256(PIXELS).hexdigest(),
            "base64": base64.b64encode(PIXELS).decode(),
        },
    ),
    ("rational", (-24000, 2**32 - 1), {"num": -24000, "den": 2**32 - 1}),
    ("rational", (0, 0), {"num": 0, "den": 0}),
    ("string", "", ""),
    ("string", "größe\0end", "größe\0end"),
    ("stringvector", [], []),
    ("stringvector", ["left", "", "größe"], ["left", "", "größe"]),
    (
        "tiledesc",
        (64, 32, 0x12),
        {"x_size": 64, "y_size": 32, "level_mode": "ripmap_levels", "rounding_mode": "round_up"},
    ),
    (
        "tiledesc",
        (2**32 - 1, 0, 0x75),
        {
            "x_size": 2**32 - 1,
            "y_size": 0,
            "level_mode": "unknown_5",
            "rounding_mode": "unknown_7",
        },
    ),
    (
        "timecode",
        (0x10203063, 0xFFFFFFFF),
        {"time_and_flags": 0x10203063, "user_data": 0xFFFFFFFF, "text": "10:20:30;23"},
    ),
    ("v2i", (-1, 2), [-1, 2]),
    ("v2f", (0.5, math.nan), [0.5, "NaN"]),
    ("v2d", (0.1, -math.inf), [0.1, "-Infinity"]),
    ("v3i", (1, 2, 3), [1, 2, 3]),
    ("v3f", (1.5, 2.5, 3.5), [1.5, 2.5, 3.5]),
    ("v3d", (0.1, 0.2, 0.3), [0.1, 0.2, 0.3]),
    ("studioBlob", b"\0\1\2", described(b"\0\1\2")),
    ("studioBlob", b"", described(b"")),
]


@pytest.mark.parametrize(("type_name", "value", "expected"), VALUES)
def test_value_of_each_type(type_name: str, value: object, expected: JSONValue) -> None:
    decoded = decode_value(type_name, encode(type_name, value))
    assert decoded.problem is None
    assert decoded.value == expected
    json.dumps(decoded.value, allow_nan=False)


def test_a_float_keeps_its_32_bits() -> None:
    assert (
        decode_value("float", encode("float", 0.1)).value
        == struct.unpack("<f", struct.pack("<f", 0.1))[0]
    )


def test_channel_list_value() -> None:
    raw = chlist([Channel("Z", "float", 2, 1, 1), Channel(b"\xff\\x41", 7)])
    assert decode_value("chlist", raw).value == [
        {"name": "Z", "type": "float", "x_sampling": 2, "y_sampling": 1, "p_linear": True},
        {
            "name": r"\xff\x5cx41",
            "type": "unknown_7",
            "x_sampling": 1,
            "y_sampling": 1,
            "p_linear": False,
        },
    ]


SIZES = {
    "box2i": 16, "box2f": 16, "chromaticities": 32, "compression": 1, "deepImageState": 1,
    "double": 8, "envmap": 1, "float": 4, "int": 4, "keycode": 28, "lineOrder": 1, "m33f": 36,
    "m33d": 72, "m44f": 64, "m44d": 128, "rational": 8, "tiledesc": 9, "timecode": 8, "v2i": 8,
    "v2f": 8, "v2d": 16, "v3i": 12, "v3f": 12, "v3d": 24,
}  # fmt: skip

MALFORMED = [
    *((name, bytes(size + step)) for name, size in SIZES.items() for step in (-1, 1)),
    ("bytes", b"\1\0\0"),
    ("bytes", b"\4\0\0\0abc"),
    ("bytes", b"\xff\xff\xff\xffabc"),
    ("chlist", b"R"),
    ("chlist", chlist(["R"])[:-2]),
    ("chlist", chlist(["n" * 256])),
    ("floatvector", bytes(7)),
    ("idmanifest", bytes(7)),
    ("preview", bytes(7)),
    ("preview", struct.pack("<II", 2, 2) + bytes(15)),
    ("preview", struct.pack("<II", 2**32 - 1, 2**32 - 1) + bytes(16)),
    ("stringvector", b"\1\0\0"),
    ("stringvector", b"\2\0\0\0a"),
    ("stringvector", b"\xff\xff\xff\xffa"),
    ("", b"abc"),
]


@pytest.mark.parametrize(("type_name", "raw"), MALFORMED)
def test_bytes_that_do_not_fit_are_described(type_name: str, raw: bytes) -> None:
    decoded = decode_value(type_name, raw)
    assert decoded.problem
    assert decoded.value == described(raw)
    assert decoded.note is not None
    assert decoded.note[0] == "malformed_value"
    assert ("may lose its place" if raw else "drops the attribute") in decoded.note[1]


@pytest.mark.parametrize("raw", [b"caf\xe9", b"\xff" * 20, b"\\x41\xff", b"\xed\xa0\x80"])
def test_text_that_is_not_utf8_is_kept_recoverably(raw: bytes) -> None:
    decoded = decode_value("string", raw)
    text = escape_text(raw.decode("utf-8", "surrogateescape"))
    assert decoded.problem is None
    assert decoded.value == {**described(raw), "text": text}
    assert decoded.note is not None
    assert decoded.note[0] == "not_utf8"
    assert unescape_text(text).encode("utf-8", "surrogateescape") == raw


def _to_bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


@given(st.binary(max_size=30) | st.text("\\x4f\udcffé", max_size=12).map(_to_bytes))
def test_escaped_text_is_that_of_the_naming_rules(raw: bytes) -> None:
    value = decode_value("string", raw).value
    if isinstance(value, dict):
        assert value["text"] == escape_text(raw.decode("utf-8", "surrogateescape"))
    else:
        assert value == raw.decode("utf-8")


def test_long_text_that_is_not_utf8_is_not_escaped() -> None:
    limit = b"\xff" * MAX_ESCAPED_BYTES
    assert decode_value("string", limit).value == {**described(limit), "text": r"\xff" * len(limit)}
    beyond = limit + b"a"
    assert decode_value("string", beyond).value == {**described(beyond), "text": None}


def test_only_the_broken_item_of_a_stringvector_is_an_object() -> None:
    decoded = decode_value("stringvector", encode("stringvector", [b"left", b"\xff"]))
    assert decoded.value == ["left", {**described(b"\xff"), "text": r"\xff"}]
    assert decoded.note is not None
    assert decoded.note[0] == "not_utf8"


def test_a_hint_that_is_not_utf8() -> None:
    decoded = decode_value("bytes", encode("bytes", (b"\xff", b"abc")))
    assert decoded.value == {"hint": {**described(b"\xff"), "text": r"\xff"}, **described(b"abc")}


@pytest.mark.parametrize(
    ("bits", "text"),
    [
        (0x00000000, "00:00:00:00"),
        (0x10203023, "10:20:30:23"),
        (0x10203063, "10:20:30;23"),
        (0x23595939, "23:59:59:39"),
        (0xC0808080 | 0x01020304, "01:02:03:04"),  # flag bits do not matter
        (0x0000000A, None),
        (0x00000A00, None),
        (0x000B0000, None),
        (0x0C000000, None),
        (0x24000000, None),
        (0x00600000, None),
        (0x00006000, None),
        (0xFFFFFFFF, None),
    ],
)
def test_timecode_text(bits: int, text: str | None) -> None:
    assert timecode_text(bits) == text


def test_every_timecode_of_a_day_reads_back() -> None:
    for seconds in range(0, 86400, 7):
        fields = (seconds // 3600, seconds // 60 % 60, seconds % 60, seconds % 40)
        bits = int("".join(f"{field:02}" for field in fields), 16)
        assert timecode_text(bits) == "{:02}:{:02}:{:02}:{:02}".format(*fields)


def test_large_values_are_not_kept_by_the_cache() -> None:
    raw = b"x" * 100_000
    assert decode_value("string", raw).value is not decode_value("string", raw).value
    small = encode("m44f", SIXTEEN)
    assert decode_value("m44f", small) is decode_value("m44f", bytes(bytearray(small)))
