"""The small rules: names taken apart, producers, values, numbers as bins and bars."""

from __future__ import annotations

import pytest

from embed.header_samples import REC709, SAMPLES, STEREO, channels, header, part
from exrindex.embed import PlacedChannel, placed_channels
from exrindex.embed.facts import value_text
from exrindex.embed.hashing import FULL, ONE, bars, octaves, signs, soft_bins, token_sum
from exrindex.embed.software import Producer, producer_source, producer_tokens, read_producer
from exrindex.embed.words import normal_name, words
from exrindex.model import Header, JSONValue
from exrindex.naming import channel_places


@pytest.mark.parametrize(
    ("name", "normal"),
    [
        ("arnold/stats/memory", "arnold/stats/memory"),
        ("cryptomatte/f834d0a/name", "cryptomatte/#/name"),
        ("exr/nuke/input/frame", "nuke/input/frame"),
        ("cycles.ViewLayer01.samples", "cycles/ViewLayer#/samples"),
        ("x:3f2504e0-4f89-11d3-9a0c-0305e82c3301", "x/#"),
        ("facade/deface", "facade/deface"),
        ("", ""),
    ],
)
def test_attribute_names_without_identifiers(name: str, normal: str) -> None:
    assert normal_name(name) == normal


@pytest.mark.parametrize(
    ("layer", "found"),
    [
        ("directDiffuse", ("diffuse", "direct")),
        ("diffuse_direct2", ("diffuse", "direct")),
        ("CTEXTURE_SourceColor", ("color", "ctexture", "source")),
        ("SSS2", ("sss",)),
        ("Überblendung", ("Überblendung",)),
        ("00", ()),
        ("", ()),
    ],
)
def test_words_of_a_layer(layer: str, found: tuple[str, ...]) -> None:
    assert words(layer) == found


@pytest.mark.parametrize(
    ("name", "text", "producer"),
    [
        ("software", "Arnold 7.1.4.2 [9c1f2e3a] oiio-2.4.1", Producer("arnold", "7.1.4.2")),
        ("Software", "Karma (cpu) 19.5.640", Producer("karma cpu", "19.5.640")),
        ("software", "OpenImageIO 2.3.17 : maketx a.1001.exr", Producer("openimageio", "2.3.17")),
        ("Software", "Corona Renderer 9 (Hotfix 2)", Producer("corona renderer", "9")),
        ("writer", "ProEXR for After Effects", Producer("proexr for after effects", "")),
        ("nuke/version", "13.2v5", Producer("nuke", "13.2v5")),
        ("vrayInfo/vraycore", "6.10.06", Producer("vrayinfo", "6.10.06")),
        ("unreal/engineVersion", "5.1.1-27405482+++UE5", Producer("unreal", "5.1.1")),
        ("comments", "created with mental ray 3.13.1.10", Producer("mental ray", "3.13.1.10")),
        ("comments", "shot note 1.2", None),
        ("studio/version", "v023", None),
        ("writer", "", None),
    ],
)
def test_producers(name: str, text: str, producer: Producer | None) -> None:
    source = producer_source(name)
    assert source is not None
    assert read_producer(*source, text) == producer


@pytest.mark.parametrize("name", ["version", "comment", "capDate", "x/softwareName", ""])
def test_names_that_tell_no_producer(name: str) -> None:
    assert producer_source(name) is None


def test_a_minor_release_keeps_product_and_major_version() -> None:
    old, new = (producer_tokens(Producer("nuke", v)) for v in ("13.2v5", "13.3v1"))
    assert set(old) & set(new) == {"p|nuke", "1|nuke|13"}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("ACEScg", "ACEScg"),
        (24, "24.000"),
        (24.0, "24.000"),
        ({"num": 24, "den": 1}, "24.000"),
        ({"num": 24000, "den": 1001}, "23.976"),
        ({"num": 1, "den": 0}, "1/0"),
        (-0.0, "0.000"),
        ([0.32168, 0.33767], "0.322,0.338"),
        (REC709, "0.640,0.330,0.300,0.600,0.150,0.060,0.313,0.329"),
        ({"text": "caf\udce9", "base64": "Y2Fm6Q=="}, "caf\udce9"),
        ({"bytes": 4, "base64": "AAAAAA==", "sha256": "0"}, None),
        (None, None),
    ],
)
def test_one_text_for_one_value(value: JSONValue, text: str | None) -> None:
    assert value_text(value) == text


def test_octaves_are_exact_and_monotone() -> None:
    assert [octaves(n) for n in (-5, 0, 1, 2, 3, 4, 1024)] == [
        *(0, 0, 0, ONE, ONE + ONE // 2, 2 * ONE, 10 * ONE)
    ]
    many = [octaves(n) for n in range(1, 5000)]
    assert many == sorted(many)
    assert octaves(2**31) == 31 * ONE


def test_soft_bins_share_between_neighbours_and_clamp() -> None:
    def bins(value: int) -> list[int]:
        return soft_bins(value, first=0.0, step=1.0, count=4, half_width=1.0)

    assert bins(ONE) == [0, FULL, 0, 0]
    assert bins(ONE + ONE // 4) == [0, 3 * FULL // 4, FULL // 4, 0]
    assert bins(99 * ONE) == [0, 0, 0, FULL]
    assert bins(-ONE) == [FULL, 0, 0, 0]


def test_bars_fill_one_after_the_other() -> None:
    knots = (0, 10, 50, 100)
    assert bars(0, 7, knots) == [0, 0, 0]
    assert bars(5, 100, knots) == [FULL // 2, 0, 0]
    assert bars(30, 100, knots) == [FULL, FULL // 2, 0]
    assert bars(900, 100, knots) == [FULL, FULL, FULL]


def test_signs_depend_on_block_and_token() -> None:
    row = signs("channels", "n|.R", 104)
    assert len(row) == 104
    assert set(row) == {1, 255}
    assert row != signs("layers", "n|.R", 104)
    assert row != signs("channels", "n|.G", 104)
    assert signs("b", "\udcc3\udca9", 64) != signs("b", "é", 64)


def test_token_sum_is_linear() -> None:
    one, two = token_sum("b", 16, {"x": 3}), token_sum("b", 16, {"y": 5})
    assert (token_sum("b", 16, {"y": 5, "x": 3}) == one + two).all()
    assert not token_sum("b", 16, {}).any()


def test_channels_are_placed_by_view_layer_and_part() -> None:
    (stereo,) = placed_channels(STEREO)
    assert PlacedChannel("spec", "R", "right", "half", 1, 1, False) in stereo
    assert PlacedChannel("spec", "R", "", "half", 1, 1, False) in stereo
    left, right = placed_channels(
        header(
            part(channels("R"), name="rgba.left", view="left"),
            part(channels("u"), name="uv.right", view="right"),
        )
    )
    assert [(c.layer, c.component, c.view) for c in (*left, *right)] == [
        ("", "R", ""),
        ("uv", "u", "right"),
    ]


@pytest.mark.parametrize("sample", SAMPLES.values(), ids=SAMPLES.keys())
def test_vectors_and_catalog_place_channels_alike(sample: Header) -> None:
    for part_, placed in zip(sample.parts, placed_channels(sample), strict=True):
        expected = channel_places(sample, part_)
        assert [(c.layer, c.component) for c in placed] == [(p[0], p[1]) for p in expected]
        assert all(c.view in ("", place.view) for c, place in zip(placed, expected, strict=True))
