"""What ``--prune`` retires, and what it must leave alone."""

from __future__ import annotations

import os
import shutil
import unicodedata
from pathlib import Path

import pytest

from exrindex.source import LocalSource
from privileges import unprivileged
from trees import duck, frame, live, open_failures, plant, rows, run, write

NAMES = {"a.exr", "b.exr", "c.exr", "d.exr"}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    return plant(
        tmp_path / "t",
        {
            "a.exr": frame("a"),
            "s/b.exr": frame("b"),
            "s/t/c.exr": frame("c"),
            "st/d.exr": frame("d"),
        },
    )


def test_what_was_deleted_is_retired_and_comes_back(tmp_path: Path, tree: Path) -> None:
    store = duck(tmp_path / "c.duckdb")
    run(store, tree)
    (tree / "a.exr").unlink()
    shutil.rmtree(tree / "s")
    assert run(store, tree).counts.retired == 0
    assert set(live(store)) == NAMES
    report = run(store, tree, prune=True)
    assert (report.counts.retired, report.exit_status) == (3, 0)
    assert set(live(store)) == {"d.exr"}
    assert run(store, tree, prune=True).counts.retired == 0
    write(tree / "a.exr", frame("a"))
    report = run(store, tree, prune=True)
    assert (report.counts.inserted, report.counts.updated) == (0, 1)
    assert set(live(store)) == {"a.exr", "d.exr"}
    assert store.check() == []


def test_only_below_the_roots(tmp_path: Path, tree: Path) -> None:
    store = duck(tmp_path / "c.duckdb")
    run(store, tree)
    for name in ("a.exr", "s/b.exr", "st/d.exr"):
        (tree / name).unlink()
    assert run(store, tree / "s", prune=True).counts.retired == 1
    assert set(live(store)) == NAMES - {"b.exr"}


def test_roots_inside_each_other_are_counted_once(tmp_path: Path, tree: Path) -> None:
    store = duck(tmp_path / "c.duckdb")
    run(store, tree)
    (tree / "s/t/c.exr").unlink()
    roots = (tree, tree / "s", tree / "s/t")
    assert run(store, *roots, prune=True, dry_run=True).counts.retired == 1
    assert run(store, *roots, prune=True).counts.retired == 1
    assert set(live(store)) == NAMES - {"c.exr"}


def test_an_empty_root_is_taken_for_one_that_is_not_mounted(tmp_path: Path, tree: Path) -> None:
    store = duck(tmp_path / "c.duckdb")
    run(store, tree)
    shutil.rmtree(tree)
    tree.mkdir()
    report = run(store, tree, prune=True)
    assert report.counts.retired == 0
    (warning,) = report.warnings
    assert f"{tree} is empty" in warning
    assert f"exrindex scan --prune {tmp_path}" in warning
    assert set(live(store)) == NAMES
    assert run(store, tmp_path, prune=True).counts.retired == 1
    tree.rmdir()
    assert run(store, tmp_path, prune=True).counts.retired == 3


def test_a_root_that_is_gone_retires_nothing(tmp_path: Path, tree: Path) -> None:
    store = duck(tmp_path / "c.duckdb")
    run(store, tree)
    shutil.move(tree / "s", tmp_path / "away")
    report = run(store, tree / "s", tree / "st", prune=True)
    assert (report.counts.retired, report.exit_status) == (0, 4)
    assert set(live(store)) == NAMES


def test_what_cannot_be_listed_stays(public: Path, tmp_path: Path) -> None:
    tree = plant(public / "t", {"a.exr": frame("a"), "s/b.exr": frame("b"), "s/t/c.exr": frame()})
    for path in (tree, tree / "s", tree / "s/t"):
        path.chmod(0o755)
    for path in tree.rglob("*.exr"):
        path.chmod(0o644)
    (public / "db").mkdir()
    (public / "db").chmod(0o777)
    with unprivileged():
        store = duck(public / "db" / "c.duckdb")
        run(store, tree)
    (tree / "s/t/c.exr").unlink()
    (tree / "a.exr").unlink()
    (tree / "s").chmod(0o700)
    with unprivileged():
        report = run(store, tree, prune=True)
        assert report.counts.retired == (1 if os.geteuid() else 2)
        assert {"b.exr", "c.exr"} <= set(live(store)) or not os.geteuid()
        assert "s" in open_failures(store)


def test_a_directory_in_place_of_a_file(tmp_path: Path, tree: Path) -> None:
    store = duck(tmp_path / "c.duckdb")
    run(store, tree)
    (tree / "a.exr").unlink()
    write(tree / "a.exr" / "inner.exr", frame("inner"))
    report = run(store, tree, prune=True)
    assert (report.counts.inserted, report.counts.retired) == (1, 1)
    assert set(live(store)) == {"inner.exr", *NAMES} - {"a.exr"}


def test_a_file_in_place_of_a_directory(tmp_path: Path, tree: Path) -> None:
    store = duck(tmp_path / "c.duckdb")
    run(store, tree)
    shutil.rmtree(tree / "s")
    write(tree / "s", b"a file now")
    assert run(store, tree, prune=True).counts.retired == 2
    assert set(live(store)) == {"a.exr", "d.exr"}


@pytest.mark.parametrize("name", ["né/f.exr", "é/é/né.exr", "né.exr"])
def test_a_copy_in_another_unicode_form_is_not_gone(tmp_path: Path, name: str) -> None:
    tree = tmp_path / "t"
    write(tree / unicodedata.normalize("NFC", name), frame("f"))
    write(tree / "other.exr", frame("o"))
    store = duck(tmp_path / "c.duckdb")
    run(store, tree)
    top = name.split("/")[0]
    shutil.rmtree(tree, ignore_errors=True)
    write(tree / "other.exr", frame("o"))
    write(tree / unicodedata.normalize("NFD", name), frame("f"))
    for _ in range(2):
        report = run(store, tree, prune=True)
        assert (report.counts.unchanged, report.counts.retired) == (2, 0)
    shutil.rmtree(tree)
    write(tree / "other.exr", frame("o"))
    assert run(store, tree, prune=True).counts.retired == 1
    assert top not in live(store)


def test_names_of_every_kind_are_told_apart(tmp_path: Path) -> None:
    tree = tmp_path / "t"
    odd = ["back\\x41.exr", "new\nline.exr", os.fsdecode(b"latin-\xe9.exr"), "名.exr", "q'uote.exr"]
    plant(tree, {name: frame(ascii(name)) for name in odd})
    store = duck(tmp_path / "c.duckdb")
    run(store, tree)
    assert run(store, tree, prune=True).counts.unchanged == len(odd)
    for number, name in enumerate(odd[:-1], 1):
        (tree / name).unlink()
        assert run(store, tree, prune=True).counts.retired == 1
        assert rows(store, "SELECT count(*) FROM files WHERE retired_at IS NULL") == [
            (len(odd) - number,)
        ]


def test_prune_closes_failures_of_what_is_gone(tmp_path: Path, tree: Path) -> None:
    write(tree / "bad.exr", b"")
    store = duck(tmp_path / "c.duckdb")
    run(store, tree)
    run(store, tree, prune=True)
    assert open_failures(store) == {"bad.exr": "empty"}
    (tree / "bad.exr").unlink()
    assert run(store, tree).exit_status == 0
    assert open_failures(store) == {"bad.exr": "empty"}
    run(store, tree, prune=True)
    assert open_failures(store) == {}


def test_an_unmounted_volume_below_the_root_keeps_its_rows(tmp_path: Path, tree: Path) -> None:
    store = duck(tmp_path / "c.duckdb")
    run(store, tree)
    shutil.rmtree(tree / "s")
    (tree / "s").mkdir()
    (tree / "st/d.exr").unlink()
    report = run(store, tree, prune=True)
    assert report.counts.retired == 2  # s/b.exr and st/d.exr, whose own directories were listed
    assert set(live(store)) == {"a.exr", "c.exr"}
    assert f"{tree / 's'} is empty" in report.warnings[0]


def test_failures_close_beside_a_lasting_one(tmp_path: Path, tree: Path) -> None:
    store = duck(tmp_path / "c.duckdb")
    write(tree / "empty.exr", b"")
    (tree / "s/dangling.exr").symlink_to("/nowhere")
    run(store, tree)
    assert set(open_failures(store)) == {"empty.exr", "dangling.exr"}
    (tree / "empty.exr").unlink()
    run(store, tree)
    assert set(open_failures(store)) == {"empty.exr", "dangling.exr"}
    run(store, tree, prune=True)
    assert set(open_failures(store)) == {"dangling.exr"}


def test_failures_close_with_an_exclusion_but_not_what_it_excludes(
    tmp_path: Path, tree: Path
) -> None:
    store = duck(tmp_path / "c.duckdb")
    write(tree / "s/empty.exr", b"")
    write(tree / "st/empty2.exr", b"")
    run(store, tree)
    (tree / "s/empty.exr").unlink()
    (tree / "st/empty2.exr").unlink()
    selective = LocalSource([str(tree)], exclude=["st/"])
    run(store, tree, prune=True, source=selective)
    assert set(open_failures(store)) == {"empty2.exr"}
