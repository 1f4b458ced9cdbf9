"""Shares of a scan: each file in exactly one, and what one share does not see it leaves alone."""

from __future__ import annotations

import os
import shutil
from itertools import chain
from pathlib import Path

import pytest

from exrindex.errors import UsageError
from exrindex.scan import ScanOptions, scan
from exrindex.source import ListSource, LocalSource, Shard
from trees import duck, frame, open_failures, plant, rows, run, snapshot, write

SHARES = 3


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    names = [f"s{n}/d{m}/f.{k:04d}.exr" for n in range(4) for m in range(3) for k in range(2)]
    return plant(tmp_path / "t", {name: frame(name) for name in [*names, "top.exr"]})


def share(number: int, *roots: Path, count: int = SHARES) -> LocalSource:
    return LocalSource([str(root) for root in roots], shard=Shard(number, count))


def uris(source: LocalSource | ListSource) -> list[str]:
    return [found.uri for found in source.walk()]


def test_every_file_is_in_exactly_one_share(tree: Path) -> None:
    shares = [uris(share(number, tree)) for number in range(1, SHARES + 1)]
    assert sorted(chain(*shares)) == sorted(uris(LocalSource([str(tree)])))
    for mine in shares:
        for other in shares:
            if mine is not other:
                assert {os.path.dirname(p) for p in mine}.isdisjoint(map(os.path.dirname, other))


def test_lists_and_single_files_are_shared_out_alike(tree: Path) -> None:
    files = sorted(uris(LocalSource([str(tree)])))
    for number in range(1, SHARES + 1):
        expected = sorted(uris(share(number, tree)))
        assert sorted(uris(ListSource(files, shard=Shard(number, SHARES)))) == expected
        assert sorted(uris(share(number, *map(Path, files)))) == expected


def test_the_share_is_that_of_the_canonical_place() -> None:
    maps = [("/mnt/a", "/shows"), ("P:\\", "/shows")]
    for number in range(1, 5):
        here = Shard(number, 4, maps)
        assert here.holds("/mnt/a/x") == here.holds("/shows/x") == here.holds("P:\\x")
    assert Shard(1, 1).holds("/anything")
    # For ever: a directory must not change its share with a release.
    assert [n for n in range(1, 17) if Shard(n, 16).holds("/shows/projx/sh010")] == [4]


@pytest.mark.parametrize("text", ["0/4", "5/4", "1", "a/b", "1/0", "-1/2", "1/2/3", ""])
def test_shares_that_are_none(text: str) -> None:
    with pytest.raises(UsageError, match="--shard"):
        Shard.parse(text)
    assert str(Shard.parse("3/16")) == "3/16"


def test_all_shares_together_are_the_whole_scan(tmp_path: Path, tree: Path) -> None:
    whole, shared = duck(tmp_path / "whole.duckdb"), duck(tmp_path / "shared.duckdb")
    run(whole, tree)
    for number in (3, 1, 2):
        scan(share(number, tree), shared, ScanOptions(), roots=[str(tree)])
    assert snapshot(shared) == snapshot(whole)
    assert run(shared, tree).counts.unchanged == 25


def test_a_share_prunes_its_own(tmp_path: Path, tree: Path) -> None:
    store = duck(tmp_path / "c.duckdb")
    run(store, tree)
    shutil.rmtree(tree / "s1")
    for number in range(1, SHARES + 1):
        gone = [m for m in range(3) if Shard(number, SHARES).holds(f"{tree}/s1/d{m}")]
        report = scan(share(number, tree), store, ScanOptions(prune=True), roots=[str(tree)])
        assert report.counts.retired == 2 * len(gone)
    assert rows(store, "SELECT count(*) FROM files WHERE retired_at IS NULL") == [(25 - 6,)]


def test_a_share_closes_only_failures_that_it_came_by(tmp_path: Path, tree: Path) -> None:
    store = duck(tmp_path / "c.duckdb")
    bad = write(tree / "s0" / "d0" / "bad.exr", b"")
    write(tree / "top_bad.exr", b"")
    run(store, tree)
    assert len(open_failures(store)) == 2
    bad.unlink()
    owner = next(n for n in range(1, SHARES + 1) if Shard(n, SHARES).holds(str(bad.parent)))
    for number in range(1, SHARES + 1):
        if number != owner:
            scan(share(number, tree), store, ScanOptions(prune=True), roots=[str(tree)])
            assert len(open_failures(store)) == 2
    scan(share(owner, tree), store, ScanOptions(prune=True), roots=[str(tree)])
    assert len(open_failures(store)) == 1


def test_a_directory_that_cannot_be_listed_keeps_failures_below_it(
    tmp_path: Path, tree: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only the share that owns it said so, and the others closed what was below."""
    store = duck(tmp_path / "c.duckdb")
    write(tree / "s0" / "d0" / "bad.exr", b"")
    run(store, tree)
    real = os.scandir

    def refuse(path: str) -> object:
        if str(path) == str(tree / "s0"):
            raise PermissionError(13, "Permission denied")
        return real(path)

    monkeypatch.setattr("exrindex.source.walk.os.scandir", refuse)
    for number in range(1, SHARES + 1):
        report = scan(share(number, tree), store, ScanOptions(prune=True), roots=[str(tree)])
        assert report.exit_status == 1
        assert "bad.exr" in open_failures(store)


def test_a_listed_file_that_is_gone_fails_in_one_share(tree: Path) -> None:
    gone = str(tree / "s0" / "gone.exr")
    found = [uris(ListSource([gone], shard=Shard(n, SHARES))) for n in range(1, SHARES + 1)]
    assert sorted(found) == [[]] * (SHARES - 1) + [[gone]]
