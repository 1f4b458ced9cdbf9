"""What scans do to a catalog over the life of a tree."""

from __future__ import annotations

import datetime as dt
import os
import shutil
import tempfile
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest

from exrindex.errors import SourceError
from exrindex.model import Failure, FailureCode, FileRef, Skipped
from exrindex.scan import ScanOptions, scan
from exrindex.source import ListSource
from exrindex.source.local import LocalBlob
from privileges import unprivileged
from trees import (
    OLD_NS,
    CountingSource,
    catalog,
    duck,
    frame,
    half_rendered,
    live,
    mixed_tree,
    multipart,
    open_failures,
    plant,
    rows,
    run,
    snapshot,
    write,
)

__all__ = ["unprivileged"]


@pytest.fixture
def shows(tmp_path: Path) -> Path:
    return plant(
        tmp_path / "shows",
        {"a.exr": frame("a"), "sub/b.exr": frame("b"), "sub/m.exr": multipart()},
    )


# --- again ------------------------------------------------------------------------------------


def test_a_second_scan_opens_only_what_failed_and_changes_nothing(tmp_path: Path) -> None:
    tree = mixed_tree(tmp_path / "shows")
    store = duck(tmp_path / "c.duckdb")
    first = run(store, tree)
    counts, before = store.row_counts(), snapshot(store)
    source = CountingSource(tree)
    second = run(store, tree, source=source)
    assert (first.counts.found, first.counts.inserted, first.counts.failed) == (33, 29, 4)
    assert (second.counts.found, second.counts.inserted, second.counts.updated) == (33, 0, 0)
    assert (second.counts.unchanged, second.counts.failed, second.counts.retired) == (29, 4, 0)
    assert set(source.opened) == {"empty.exr", "text.exr", "header.exr", "damaged.exr"}
    assert store.row_counts() == {**counts, "scans": 2}
    assert snapshot(store) == before
    assert first.counts.broken == second.counts.broken
    assert (first.exit_status, second.exit_status) == (1, 1)
    assert store.check() == []


def test_force_opens_everything_and_changes_only_the_count(tmp_path: Path, shows: Path) -> None:
    store = duck(tmp_path / "c.duckdb")
    run(store, shows)
    before = snapshot(store)
    source = CountingSource(shows)
    report = run(store, shows, source=source, force=True)
    assert source.opened == {"a.exr": 1, "b.exr": 1, "m.exr": 1}
    assert (report.counts.inserted, report.counts.updated, report.counts.unchanged) == (0, 3, 0)
    assert snapshot(store) == before
    assert rows(store, "SELECT DISTINCT inspection_count FROM files") == [(2,)]


# --- one file over time -----------------------------------------------------------------------


def test_changed_content_replaces_the_row(tmp_path: Path, shows: Path) -> None:
    store = duck(tmp_path / "c.duckdb")
    run(store, shows)
    write(shows / "a.exr", frame("A"), mtime_ns=OLD_NS + 10**9)
    report = run(store, shows)
    assert (report.counts.inserted, report.counts.retired, report.counts.unchanged) == (1, 1, 2)
    write(shows / "a.exr", frame("a"), mtime_ns=OLD_NS + 2 * 10**9)
    report = run(store, shows)
    assert (report.counts.inserted, report.counts.updated, report.counts.retired) == (0, 1, 1)
    assert store.row_counts()["files"] == 4
    assert set(live(store)) == {"a.exr", "b.exr", "m.exr"}
    assert store.check() == []


def test_a_half_rendered_frame_that_is_finished_keeps_its_row(tmp_path: Path) -> None:
    path = write(tmp_path / "t" / "f.exr", half_rendered("f"))
    store = duck(tmp_path / "c.duckdb")
    assert run(store, tmp_path / "t").exit_status == 1
    (before,) = rows(store, "SELECT file_id, integrity FROM files")
    write(path, frame("f"), mtime_ns=OLD_NS + 10**9)
    report = run(store, tmp_path / "t")
    assert (report.counts.updated, report.counts.inserted, report.exit_status) == (1, 0, 0)
    assert rows(store, "SELECT file_id, integrity FROM files") == [(before[0], "ok")]


def test_a_broken_frame_finished_within_a_tick_is_seen(tmp_path: Path) -> None:
    """Same size and same time stamp: what a frame server with coarse clocks leaves behind."""
    path = write(tmp_path / "t" / "f.exr", half_rendered("f"), mtime_ns=None)
    status = path.stat()
    store = duck(tmp_path / "c.duckdb")
    run(store, tmp_path / "t")
    write(path, frame("f"), mtime_ns=status.st_mtime_ns)
    assert run(store, tmp_path / "t").counts.updated == 1
    assert live(store) == {"f.exr": "ok"}


def test_a_new_time_alone_is_an_update(tmp_path: Path, shows: Path) -> None:
    store = duck(tmp_path / "c.duckdb")
    run(store, shows)
    os.utime(shows / "a.exr", ns=(OLD_NS + 1000, OLD_NS + 1000))
    report = run(store, shows)
    assert (report.counts.updated, report.counts.unchanged) == (1, 2)
    assert run(store, shows).counts.unchanged == 3
    assert store.row_counts()["files"] == 3


def test_a_file_cut_to_nothing_is_a_failure_and_no_longer_live(tmp_path: Path, shows: Path) -> None:
    store = duck(tmp_path / "c.duckdb")
    run(store, shows)
    write(shows / "a.exr", b"")
    report = run(store, shows)
    assert (report.counts.failed, report.counts.retired, report.exit_status) == (1, 1, 1)
    assert set(live(store)) == {"b.exr", "m.exr"}
    assert open_failures(store) == {"a.exr": "empty"}
    write(shows / "a.exr", frame("a"))
    assert run(store, shows).exit_status == 0
    assert set(live(store)) == {"a.exr", "b.exr", "m.exr"}
    assert open_failures(store) == {}


def test_what_cannot_be_read_stays_and_is_tried_again(tmp_path: Path) -> None:
    class Unlucky(CountingSource):
        def open(self, ref: FileRef) -> LocalBlob:
            os.unlink(ref.uri)
            return super().open(ref)

    path = write(tmp_path / "t" / "f.exr", frame("f"))
    store = duck(tmp_path / "c.duckdb")
    run(store, tmp_path / "t")
    report = run(store, tmp_path / "t", source=Unlucky(tmp_path / "t"), force=True)
    assert report.counts.failures == {"vanished": 1}
    assert live(store) == {"f.exr": "ok"}
    assert open_failures(store) == {"f.exr": "vanished"}
    write(path, frame("f"))
    source = CountingSource(tmp_path / "t")
    assert run(store, tmp_path / "t", source=source).counts.unchanged == 1
    assert source.opened == {"f.exr": 1}
    assert open_failures(store) == {}


def test_a_file_that_is_gone_for_good_is_no_lasting_failure(tmp_path: Path) -> None:
    store = catalog(tmp_path / "c.duckdb")
    gone = plant(tmp_path / "t", {"f.exr": frame("f"), "g.exr": frame("g")}) / "f.exr"
    refs = [FileRef(str(gone), 1, 1)]

    class Stale(CountingSource):
        def walk(self) -> Iterator[FileRef | Failure | Skipped]:
            yield from refs

    gone.unlink()
    run(store, tmp_path / "t", source=Stale(tmp_path / "t"))
    run(store, tmp_path / "t")
    assert open_failures(store) == {}


@pytest.mark.parametrize("seconds", [2**62 // 10**6, 253_402_300_800, -62_135_596_801, -(10**14)])
def test_a_time_beyond_all_calendars_stops_nothing(tmp_path: Path, seconds: int) -> None:
    # Disk file systems clamp such times; one in memory keeps them.
    parent = "/dev/shm" if os.path.isdir("/dev/shm") else tmp_path
    with tempfile.TemporaryDirectory(dir=parent) as name:
        folder = Path(name)
        write(folder / "f.exr", frame("f"), mtime_ns=seconds * 10**9)
        store = duck(tmp_path / "c.duckdb")
        assert run(store, folder).counts.inserted == 1
        assert run(store, folder).counts.unchanged == 1
        report = run(store, folder, force=True)
        assert (report.counts.updated, report.counts.failed) == (1, 0)
        assert store.sql("SELECT mtime FROM files").to_pylist()


# --- dry run ----------------------------------------------------------------------------------


def test_a_dry_run_predicts_and_writes_nothing(tmp_path: Path, shows: Path) -> None:
    store = duck(tmp_path / "c.duckdb")
    missing = tmp_path / "missing"
    predicted = run(store, shows, missing, dry_run=True)
    assert not (tmp_path / "c.duckdb").exists()
    assert predicted.counts.inserted == 3
    assert (predicted.counts.failed, predicted.exit_status) == (0, 4)
    run(store, shows)
    write(shows / "a.exr", frame("other"), mtime_ns=OLD_NS + 10**9)
    write(shows / "new.exr", frame("new"))
    (shows / "sub/m.exr").unlink()
    content = (tmp_path / "c.duckdb").read_bytes()
    roots = (shows, shows / "sub", missing)
    source = CountingSource(*roots)
    predicted = run(store, *roots, source=source, dry_run=True, prune=True)
    assert not source.opened
    assert (tmp_path / "c.duckdb").read_bytes() == content
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.duckdb", "shows"]
    real = run(store, *roots, prune=True)
    for name in ("found", "unchanged", "failed"):
        assert getattr(predicted.counts, name) == getattr(real.counts, name)
    assert (predicted.counts.inserted, predicted.counts.updated, predicted.counts.retired) == (
        1,
        1,
        1,
    )
    assert (real.counts.inserted, real.counts.updated, real.counts.retired) == (2, 0, 2)
    assert predicted.exit_status == real.exit_status == 4


# --- roots ------------------------------------------------------------------------------------


def test_a_missing_root_among_good_ones(tmp_path: Path, shows: Path) -> None:
    store = duck(tmp_path / "c.duckdb")
    report = run(store, tmp_path / "missing", shows)
    assert (report.exit_status, report.counts.inserted) == (4, 3)
    assert [failure.uri for failure in report.root_failures] == [str(tmp_path / "missing")]
    assert open_failures(store) == {}
    assert rows(store, "SELECT exit_status FROM scans") == [(4,)]


def test_no_root_at_all_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="missing") as caught:
        run(duck(tmp_path / "c.duckdb"), tmp_path / "missing")
    assert caught.value.exit_code == 4
    assert list(tmp_path.iterdir()) == []


def test_an_unlisted_directory_keeps_its_failure_and_those_below(tmp_path: Path) -> None:
    """Nothing below a directory that cannot be listed is disproved by the walk."""
    store = catalog(tmp_path / "c.duckdb")
    tree = plant(tmp_path / "t", {"ok.exr": frame(), "a/x.exr": frame("x")})
    (tree / "a/loop.exr").symlink_to("nowhere")
    run(store, tree)
    assert open_failures(store) == {"loop.exr": "vanished"}

    class Closed(CountingSource):
        def walk(self) -> Iterator[FileRef | Failure | Skipped]:
            for found in super().walk():
                if "/a/" not in found.uri:
                    yield found
            yield Failure(str(tree / "a"), "list", FailureCode.UNREADABLE, "no")  # type: ignore[arg-type]

    run(store, tree, source=Closed(tree))
    assert open_failures(store) == {"loop.exr": "vanished", "a": "unreadable"}
    assert set(live(store)) == {"ok.exr", "x.exr"}
    (tree / "a/loop.exr").unlink()
    run(store, tree)
    assert open_failures(store) == {}


def test_what_is_excluded_is_not_disproved(tmp_path: Path) -> None:
    from exrindex.source import LocalSource

    store = catalog(tmp_path / "c.duckdb")
    tree = plant(tmp_path / "t", {"ok.exr": frame()})
    (tree / "a").mkdir()
    (tree / "a/loop.exr").symlink_to("nowhere")
    run(store, tree)
    run(store, tree, source=LocalSource([str(tree)], exclude=["a/"]))
    assert open_failures(store) == {"loop.exr": "vanished"}


# --- the same place ---------------------------------------------------------------------------


def test_a_list_may_name_a_file_often(tmp_path: Path, shows: Path) -> None:
    store = duck(tmp_path / "c.duckdb")
    entries = [str(shows / "a.exr"), str(shows / "sub" / ".." / "a.exr"), str(shows)] * 3
    for _ in range(2):
        report = scan(ListSource(entries), store, ScanOptions(), roots=["-"])
        assert report.counts.found == 3
    assert (report.counts.unchanged, report.counts.inserted) == (3, 0)
    assert len(live(store)) == 3
    assert rows(store, "SELECT DISTINCT inspection_count FROM files") == [(1,)]


@pytest.mark.parametrize("between", [0, 1200])
def test_names_that_differ_in_unicode_form_do_not_take_turns(tmp_path: Path, between: int) -> None:
    """Both stand at one place: the first is indexed, the other is reported, every time."""
    tree = tmp_path / "t"
    composed, decomposed = (unicodedata.normalize(form, "né.exr") for form in ("NFC", "NFD"))
    plant(tree, {composed: frame("one"), decomposed: frame("two")})
    for number in range(between):
        os.link(tree / composed, tree / f"nf{number}.exr")
    store = duck(tmp_path / "c.duckdb")
    first = run(store, tree)
    before = snapshot(store)
    second = run(store, tree, prune=True)
    for report in (first, second):
        assert report.counts.skipped == {"another file stands at the same place": 1}
    assert (second.counts.inserted, second.counts.updated, second.counts.retired) == (0, 0, 0)
    assert snapshot(store) == before
    assert rows(store, "SELECT count(*) FROM files") == [(1 + between,)]


def test_path_maps_make_one_place_of_two(tmp_path: Path, shows: Path) -> None:
    store = duck(tmp_path / "c.duckdb")
    maps = ((str(tmp_path / "mirror"), str(shows)),)
    run(store, shows, path_maps=maps)
    shutil.copytree(shows, tmp_path / "mirror")
    report = run(store, tmp_path / "mirror", path_maps=maps, prune=True)
    assert (report.counts.unchanged, report.counts.retired) == (3, 0)
    shutil.rmtree(tmp_path / "mirror" / "sub")
    assert run(store, tmp_path / "mirror", path_maps=maps, prune=True).counts.retired == 0


def test_a_scan_is_recorded_with_its_end(tmp_path: Path, shows: Path) -> None:
    store = duck(tmp_path / "c.duckdb")
    report = run(store, shows)
    (row,) = store.sql("SELECT * FROM scans").to_pylist()
    assert (row["scan_id"], row["exit_status"]) == (report.scan_id, 0)
    assert row["started_at"] <= row["finished_at"] <= dt.datetime.now(dt.UTC)
    assert '"inserted":3' in row["counts"]


def test_a_file_and_something_else_at_one_place_do_not_take_turns(tmp_path: Path) -> None:
    """The names differ in Unicode form only, so both are one place; the file counts."""
    store = duck(tmp_path / "c.duckdb")
    tree = plant(tmp_path / "t", {unicodedata.normalize("NFC", "\u00e9.1.exr"): frame()})
    os.mkfifo(tree / unicodedata.normalize("NFD", "\u00e9.1.exr"))
    for _ in range(3):
        report = run(store, tree)
        assert (report.counts.retired, report.counts.failed) == (0, 0)
        assert len(live(store)) == 1
