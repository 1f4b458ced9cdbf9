"""What ``Presence`` says is there, is gone, or cannot be told."""

from __future__ import annotations

import os
import unicodedata
from pathlib import Path

import pytest

from exrindex.naming import escape_text
from exrindex.source import Presence


def tree(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.fixture
def warnings() -> list[str]:
    return []


@pytest.fixture
def presence(tmp_path: Path, warnings: list[str]) -> Presence:
    return Presence(str(tmp_path), warnings.append)


def test_files_and_not_directories(tmp_path: Path, presence: Presence) -> None:
    tree(tmp_path, "a.exr", "d/b.exr", "was_a_file.exr/now_below", ".h")
    assert presence.files("") == {"a.exr", ".h"}
    assert presence.files("d") == {"b.exr"}


def test_what_is_gone_holds_nothing(
    tmp_path: Path, presence: Presence, warnings: list[str]
) -> None:
    tree(tmp_path, "a.exr", "d/b.exr")
    (tmp_path / "emptied").mkdir()
    for place in ("gone", "gone/and/below", "a.exr", "a.exr/below", "d/gone", "emptied"):
        assert presence.files(place) == set(), place
    assert presence.files("d") == {"b.exr"}
    assert warnings == []


def test_an_empty_directory_on_the_way_may_be_an_unmounted_volume(
    tmp_path: Path, presence: Presence, warnings: list[str]
) -> None:
    tree(tmp_path, "other/a.exr")
    (tmp_path / "volume").mkdir()
    assert presence.files("volume/sq010/sh0010") is None
    assert presence.files("volume/sq010/sh0020") is None
    assert presence.files("other") == {"a.exr"}
    assert len(warnings) == 1
    assert f"{tmp_path}/volume is empty" in warnings[0]


def test_an_empty_root_proves_nothing(
    tmp_path: Path, presence: Presence, warnings: list[str]
) -> None:
    assert presence.files("") is None
    assert presence.files("d") is None
    assert len(warnings) == 1
    assert f"exrindex scan --prune {tmp_path.parent}" in warnings[0]


def test_names_in_another_unicode_form_are_the_same_place(
    tmp_path: Path, presence: Presence
) -> None:
    composed = unicodedata.normalize("NFC", "caf\u00e9")
    decomposed = unicodedata.normalize("NFD", composed)
    tree(tmp_path, f"{decomposed}/{decomposed}.exr", f"{composed}/b.exr")
    assert presence.files(composed) == {f"{composed}.exr", "b.exr"}


def test_names_that_are_not_utf8(tmp_path: Path, presence: Presence) -> None:
    folder, name = b"d\xff", b"a\xfe.exr"
    os.mkdir(os.fsencode(tmp_path) + b"/" + folder)
    os.close(os.open(os.fsencode(tmp_path) + b"/" + folder + b"/" + name, os.O_CREAT))
    place = escape_text(os.fsdecode(folder))
    assert presence.files(place) == {escape_text(os.fsdecode(name))}


def test_what_cannot_be_listed_cannot_be_told(tmp_path: Path, presence: Presence) -> None:
    tree(tmp_path, "a.exr")
    (tmp_path / "link").symlink_to("/nowhere/at/all")
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert presence.files("link/below") is None
    assert presence.files("loop/below") is None
    assert Presence(str(tmp_path / "gone"), print).files("d") is None
    assert presence.files("") == {"a.exr", "link", "loop"}


def test_it_follows_links_to_directories(tmp_path: Path, presence: Presence) -> None:
    tree(tmp_path, "real/a.exr")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    assert presence.files("link") == {"a.exr"}
