from __future__ import annotations

import os
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exrindex.exr import parse_header
from exrindex.naming import (
    FrameName,
    channel_place,
    channel_places,
    escape_text,
    normalize_path,
    place_of,
    sequence_of,
    split_channel,
    split_frame,
    unescape_text,
    version_of,
)
from exrmaker import attr, header, minimal_part

# --- text -------------------------------------------------------------------------------------


@given(st.binary(max_size=40))
def test_any_bytes_survive_escaping(raw: bytes) -> None:
    text = os.fsdecode(raw)
    escaped = escape_text(text)
    escaped.encode()  # raises where UTF-8 has no word for it
    assert unescape_text(escaped) == text


@pytest.mark.parametrize("name", ["\\xff", "\\x5cff", "\\\\xff", "\udcff\\xfe", "é\\x", "\\xFF"])
def test_names_that_look_escaped_survive_too(name: str) -> None:
    assert unescape_text(escape_text(name)) == name


def test_plain_names_stay_as_they_are() -> None:
    assert escape_text("beauty é 🎬 a\\b.exr") == "beauty é 🎬 a\\b.exr"
    assert escape_text("latin\udce9.exr") == "latin\\xe9.exr"


# --- places -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "place"),
    [
        ("/a/b.exr", "/a/b.exr"),
        ("/a/./x/../b.exr", "/a/b.exr"),
        ("//a//b.exr", "/a/b.exr"),
        ("/A/B.EXR", "/A/B.EXR"),
        ("p:\\shows\\x\\..\\b.exr", "P:/shows/b.exr"),
        ("\\\\server\\share\\b.exr", "//server/share/b.exr"),
        ("s3://bucket/b.exr", "s3://bucket/b.exr"),
        (unicodedata.normalize("NFD", "/é.exr"), "/é.exr"),
        ("/\udce9.exr", "/\\xe9.exr"),
    ],
)
def test_one_text_for_one_place(path: str, place: str) -> None:
    assert normalize_path(path) == place


def test_relative_paths_start_here() -> None:
    assert normalize_path("b.exr") == normalize_path(f"{os.getcwd()}/b.exr")


@given(st.text(st.characters(exclude_characters="\0"), min_size=1, max_size=30))
def test_normalising_again_changes_nothing(text: str) -> None:
    once = normalize_path("/" + text)
    if "\\x" not in once:
        assert normalize_path(once) == once


def test_path_maps() -> None:
    maps = [("P:\\shows", "/mnt/shows"), ("P:\\shows\\old", "/archive/"), ("/Volumes/s/", "/mnt/s")]
    assert normalize_path("p:/shows/a.exr", maps) == "/mnt/shows/a.exr"
    assert normalize_path("P:\\shows\\old\\a.exr", maps) == "/archive/a.exr"
    assert normalize_path("P:\\shows2\\a.exr", maps) == "P:/shows2/a.exr"
    assert normalize_path("/Volumes/s/a.exr", maps) == "/mnt/s/a.exr"
    assert normalize_path("/Volumes/s", maps) == "/mnt/s"


# --- frames -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "pattern", "frame"),
    [
        ("beauty.1001.exr", "beauty.####.exr", 1001),
        ("beauty_0001.exr", "beauty_####.exr", 1),
        ("beauty-7.exr", "beauty-#.exr", 7),
        ("beauty.-005.exr", "beauty.####.exr", -5),
        ("beauty1001.EXR", "beauty####.EXR", 1001),
        ("0001.exr", "####.exr", 1),
        ("shot010_beauty.1001.exr", "shot010_beauty.####.exr", 1001),
        ("beauty_v003.1001.exr", "beauty_v003.####.exr", 1001),
        ("img.86400123.exr", "img.########.exr", 86400123),
        ("img.123456789.exr", "img.#########.exr", 123456789),
        ("beauty_-5.exr", "beauty_##.exr", -5),
        ("-5.exr", "##.exr", -5),
        ("beauty--5.exr", "beauty--#.exr", 5),
        ("plate_2048X1152.1001.exr", "plate_2048X1152.####.exr", 1001),
    ],
)
def test_frame_numbers(name: str, pattern: str, frame: int) -> None:
    found = split_frame(name)
    assert isinstance(found, FrameName)
    assert (found.pattern, found.frame) == (pattern, frame)


@pytest.mark.parametrize(
    "name",
    [
        "beauty.exr",
        "comp_v003.exr",
        "comp.V003.exr",
        "v003.exr",
        "plate_2048x1152.exr",
        "plate_2048X1152.exr",
        "sh0100.exr",
        "cam2.exr",
        "1001",
        "é²",
        "img_20240131123456.exr",
        "img.1234567890.exr",
        "1234567890.exr",
    ],
)
def test_numbers_that_are_no_frames(name: str) -> None:
    assert split_frame(name) is None


def test_sequences() -> None:
    assert sequence_of("/s/a.1001.exr") == ("/s/a.####.exr", 1001)
    assert sequence_of("/s/a.exr") == (None, None)
    assert sequence_of("/hero/textures/a.1001.exr") == (None, None)
    assert sequence_of("/hero/textures/a.2001.exr") == ("/hero/textures/a.####.exr", 2001)


# --- channels ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "layer", "component"),
    [
        ("R", "", "R"),
        ("spec.R", "spec", "R"),
        ("light1.spec.R", "light1.spec", "R"),
        (".R", "", ".R"),
        ("R.", "", "R."),
        ("", "", ""),
    ],
)
def test_layers_and_components(name: str, layer: str, component: str) -> None:
    assert split_channel(name) == (layer, component)


@pytest.mark.parametrize(
    ("name", "part_name", "part_view", "views", "place"),
    [
        ("R", None, None, (), ("", "R", None)),
        ("spec.R", None, None, (), ("spec", "R", None)),
        ("R", None, None, ("left", "right"), ("", "R", "left")),
        ("right.R", None, None, ("left", "right"), ("", "R", "right")),
        ("spec.right.R", None, None, ("left", "right"), ("spec", "R", "right")),
        ("right.spec.R", None, None, ("left", "right"), ("spec", "R", "right")),
        ("spec.R", None, None, ("left", "right"), ("spec", "R", None)),
        ("R", "spec", None, (), ("spec", "R", None)),
        ("R", "rgba", None, (), ("", "R", None)),
        ("R", "spec.left", "left", (), ("spec", "R", "left")),
        ("R", "rgba_right", "right", (), ("", "R", "right")),
        ("R", "left", "left", (), ("", "R", "left")),
        ("diff.R", "spec", None, (), ("diff", "R", None)),
    ],
)
def test_channel_places(
    name: str,
    part_name: str | None,
    part_view: str | None,
    views: tuple[str, ...],
    place: tuple[str, str, str | None],
) -> None:
    assert channel_place(name, part_name, part_view, views) == place


def test_channel_places_of_a_header() -> None:
    part = [
        *minimal_part(channels=["R", "right.R"]),
        attr("multiView", "stringvector", ["l", "right"]),
    ]
    found = parse_header(header([part]))
    assert [place.view for place in channel_places(found, found.parts[0])] == ["l", "right"]


# --- versions, shows, shots -------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "version"),
    [
        ("/s/v001/a_v002.exr", 1),
        ("/s/a_v002.1001.exr", 2),
        ("/s/v001/x/V12/a.exr", 12),
        ("/s/a.exr", None),
        ("/s/nav2/a.exr", None),
        ("/s/v2x/a.exr", None),
    ],
)
def test_versions(path: str, version: int | None) -> None:
    assert version_of(path) == version


@pytest.mark.parametrize(
    ("directory", "show", "sequence", "shot"),
    [
        ("/shows/projx/sq010/sh0010/render/v001", "projx", "sq010", "sh0010"),
        ("/mnt/jobs/film/ABC_010_0020/comp", "film", "ABC_010", "ABC_010_0020"),
        ("/projects/film/sq010/assets", "film", "sq010", None),
        ("/tmp/x", None, None, None),
        ("/shows", None, None, None),
        ("/x/shot_010", None, None, "shot_010"),
        # words that only begin like a sequence
        ("/shows/film/scratch", "film", None, None),
        ("/shows/film/scans/sh0010", "film", None, "sh0010"),
        ("/shows/film/scenes/x", "film", None, None),
        ("/shows/film/sculpt01", "film", None, None),
        ("/shows/film/scene_01a/x", "film", "scene_01a", None),
        ("/shows/film/ep101/ABC_0020", "film", "ep101", "ABC_0020"),
        # in a show, only what is below it
        ("/mnt/sq999/sh9999/shows/film/assets", "film", None, None),
        ("/mnt/ABC_010_0020/shows/film/assets", "film", None, None),
        ("/shows/ABC_010/assets", "ABC_010", None, None),
        ("/shows/sq010/sh0010", "sq010", None, "sh0010"),
        # the surest rule wins, wherever its component stands
        ("/shows/film/sq010/sh0020/render/beauty_001", "film", "sq010", "sh0020"),
        ("/mnt/sq010/sh0020/render/beauty_001", None, "sq010", "sh0020"),
        ("/shows/film/ABC_010_0020/render/beauty_001", "film", "ABC_010", "ABC_010_0020"),
        ("/shows/film/sq010/ABC_0020/beauty_001", "film", "sq010", "ABC_0020"),
        ("/shows/film/ABC_010/comp", "film", "ABC", "ABC_010"),
        # without a show, one number is not enough
        ("/mnt/tmp_001/x", None, None, None),
        ("/mnt/ABC_010/x", None, None, None),
        ("/mnt/ABC_010_0020/x", None, "ABC_010", "ABC_010_0020"),
        ("/mnt/sq010/ABC_0020/x", None, "sq010", "ABC_0020"),
    ],
)
def test_shows_and_shots(
    directory: str, show: str | None, sequence: str | None, shot: str | None
) -> None:
    assert place_of(directory) == (show, sequence, shot)
