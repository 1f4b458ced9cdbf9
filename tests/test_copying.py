"""Moving whole catalogs between stores of both kinds, interrupted and repeated."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from exrindex import copying
from exrindex.copying import copy, slices
from exrindex.errors import SchemaMismatch, StoreError, StoreUnavailable, UsageError
from exrindex.store.base import Slice, Store
from store.contract import NOW, A, B, put, whole
from trees import catalog, duck, mixed_tree, multipart, run
from vastserver import Fault, VastServer
from vaststore import made_on, store_on

DAY = dt.timedelta(days=1)


@pytest.fixture(scope="module")
def server() -> Iterator[VastServer]:
    with VastServer() as server:
        yield server
        assert server.crashes == 0


def filled(store: Store) -> Store:
    """History, failures open and resolved, and more than one directory."""
    put(store, {f"/s/sh{d}/b.{n}.exr": A for d in range(4) for n in range(5)})
    put(store, {"/s/sh0/b.0.exr": B, "/s/m.exr": multipart(), "/s/bad.exr": b""}, days=1)
    put(store, {"/s/bad.exr": A, "/s/sh1/b.1.exr": b"", "/s/worse.exr": b""}, days=2)
    store.retire(["/s/sh2/b.2.exr"], NOW + 3 * DAY)
    return store


def test_there_and_back_again(server: VastServer, tmp_path: Path) -> None:
    """A studio starts embedded, grows into VAST, and may come back."""
    first = catalog(tmp_path / "first.duckdb")
    run(first, mixed_tree(tmp_path / "tree"))
    filled(first)
    there = store_on(server, "there")
    done = copy(first, there)
    assert (done.written, done.equal, done.scans) == (done.files, 0, 1)
    assert done.rows == {
        name: count for name, count in first.row_counts().items() if name in done.rows
    }
    assert whole(there) == whole(first)
    back = duck(tmp_path / "back.duckdb")
    assert copy(there, back).written == done.files
    assert whole(back) == whole(first)
    assert back.check() == there.check() == []
    assert done.document()["verified"] == done.rows


def test_a_copy_that_is_repeated_brings_what_has_changed(
    server: VastServer, tmp_path: Path
) -> None:
    source = filled(catalog(tmp_path / "c.duckdb"))
    target = store_on(server, "repeated")
    files = copy(source, target).files
    again = copy(source, target)
    assert (again.written, again.equal, again.scans) == (0, files, 0)
    put(source, {"/s/sh3/b.0.exr": A, "/s/sh3/new.exr": A, "/s/sh3/b.1.exr": B}, days=5)
    put(target, {"/elsewhere/x.exr": A}, days=5)
    third = copy(source, target)
    assert (third.written, third.files) == (4, files + 2)
    assert copy(source, target).written == 0
    assert target.check() == []
    places = "SELECT file_path FROM files WHERE retired_at IS NULL AND directory LIKE '/s%'"
    assert sorted(target.sql(places).column(0).to_pylist()) == sorted(
        source.sql(places).column(0).to_pylist()
    )


def test_a_copy_that_breaks_goes_on_where_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "GROUP_FILES", 5)
    source = filled(catalog(tmp_path / "c.duckdb"))
    with VastServer() as server:
        target = made_on(server, wait=0.5)
        server.faults.add(Fault("error", on="POST rows", table="channels", times=None, after=4))
        with pytest.raises(StoreUnavailable):
            copy(source, target)
        server.faults.clear()
        assert target.check() == []
        half = target.row_counts()["files"]
        assert 0 < half < source.row_counts()["files"]
        rest = copy(source, target)
        assert (rest.equal, rest.written) == (half, rest.files - half)
        assert whole(target) == whole(source)


def test_rows_that_do_not_arrive_are_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = filled(catalog(tmp_path / "c.duckdb"))
    target = catalog(tmp_path / "d.duckdb")
    add_rows = target.add_rows

    def lossy(batch: Any) -> int:
        return add_rows({**batch, "channels": batch["channels"].slice(1)})

    monkeypatch.setattr(target, "add_rows", lossy)
    with pytest.raises(StoreError, match=r"of \d+ rows of channels .* the target holds \d+; run"):
        copy(source, target)


def test_a_directory_that_was_copied_in_part_is_not_taken_for_equal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source, target = catalog(tmp_path / "c.duckdb"), catalog(tmp_path / "d.duckdb")
    files = {f"/d/{n}.exr": A for n in range(20)}
    put(source, files)
    copy(source, target)
    put(source, files, days=1)
    monkeypatch.setattr(copying, "GROUP_FILES", 3)
    add_rows, left = target.add_rows, [4]

    def interrupted(batch: Any) -> int:
        left[0] -= 1
        if not left[0]:
            raise StoreUnavailable("gone")
        return add_rows(batch)

    monkeypatch.setattr(target, "add_rows", interrupted)
    with pytest.raises(StoreUnavailable):
        copy(source, target)
    copy(source, target)
    assert whole(target) == whole(source)


def test_clusters_may_have_buckets_of_one_name() -> None:
    with VastServer() as here, VastServer() as there:
        source, target = made_on(here), made_on(there)
        put(source, {"/d/a.exr": A})
        assert source.url == target.url
        assert copy(source, target).written == 1


def test_copies_of_one_catalog_at_once_bring_each_scan_once(
    server: VastServer, tmp_path: Path
) -> None:
    source = catalog(tmp_path / "c.duckdb")
    run(source, mixed_tree(tmp_path / "tree"))
    made_on(server, "at_once")
    targets = [store_on(server, "at_once") for _ in range(4)]
    with ThreadPoolExecutor(4) as pool:
        assert sum(done.scans for done in pool.map(partial(copy, source), targets)) == 1
    assert whole(targets[0]) == whole(source)
    assert targets[0].check() == []


def test_an_empty_store_is_copied_too(server: VastServer, tmp_path: Path) -> None:
    done = copy(catalog(tmp_path / "c.duckdb"), store_on(server, "empty"))
    assert (done.files, done.written) == (0, 0)
    with pytest.raises(SchemaMismatch):
        copy(duck(tmp_path / "none.duckdb"), store_on(server, "never"))


def test_a_store_is_not_copied_into_itself(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="both source and target"):
        copy(catalog(tmp_path / "c.duckdb"), duck(tmp_path / "c.duckdb"))


def test_directories_are_grouped_and_large_ones_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copying, "GROUP_FILES", 10)
    found = list(slices([("/a", 4), ("/b", 5), ("/c", 30), ("/d", 3), ("/e", 0)]))
    assert found[0] == Slice(["/c"], "0", failures=True)
    assert [part.prefix for part in found[:16]] == list("0123456789abcdef")
    assert [part.failures for part in found[:16]] == [True] + [False] * 15
    assert found[16:] == [Slice(["/a", "/b"]), Slice(["/d", "/e"])]
    assert len(list(slices([("/huge", 500)]))) == 256


def test_a_large_directory_is_copied_in_slices(
    server: VastServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(copying, "GROUP_FILES", 3)
    source = catalog(tmp_path / "c.duckdb")
    put(source, {f"/d/{n}.exr": A for n in range(20)} | {"/d/bad.exr": b""})
    target = store_on(server, "slices")
    assert copy(source, target).written == 20
    assert whole(target) == whole(source)
