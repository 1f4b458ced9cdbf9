"""A scan on a Dask cluster: the same rows as a local one, whatever happens to its workers."""

from __future__ import annotations

import gc
import os
import signal
import warnings
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import dask
import distributed
import pytest

from cli.command import Shell
from exrindex.errors import SchedulerUnavailable
from exrindex.model import FileRef
from exrindex.scan import Counts, ScanOptions, scan
from exrindex.scheduler import SchedulerExecutor
from exrindex.source import LocalSource
from exrindex.source.local import LocalBlob
from trees import duck, frame, live, plant, run, snapshot

# Dask's own threads and sockets outlive it by moments.
pytestmark = pytest.mark.filterwarnings("ignore")


@pytest.fixture(scope="module")
def cluster() -> Iterator[str]:
    path = os.pathsep.join((str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")))
    os.environ["PYTHONPATH"] = path
    # By default a task may kill four workers before Dask gives it up.
    with (
        dask.config.set({"distributed.scheduler.allowed-failures": 0}),
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None
        ) as made,
    ):
        yield made.scheduler_address
    # Sockets to workers that were killed are closed by nobody else.
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        gc.collect()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    names = [f"s{n}/f.{k:04d}.exr" for n in range(8) for k in range(60)]
    return plant(tmp_path / "t", {**{name: frame(name) for name in names}, "bad.exr": b"no exr"})


def test_the_rows_are_those_of_a_local_scan(tmp_path: Path, tree: Path, cluster: str) -> None:
    here, there = duck(tmp_path / "here.duckdb"), duck(tmp_path / "there.duckdb")
    run(here, tree)
    shell = Shell(tmp_path / "home", tmp_path)
    done = shell.run("--store", tmp_path / "there.duckdb", "scan", tree, "--scheduler", cluster)
    assert done.code == 1, done.err
    assert "480 inserted, 1 failed" in done.out
    assert snapshot(there) == snapshot(here)


def test_a_killed_worker_costs_a_retry(tmp_path: Path, tree: Path, cluster: str) -> None:
    here, there = duck(tmp_path / "here.duckdb"), duck(tmp_path / "there.duckdb")
    run(here, tree)
    with distributed.Client(cluster, set_as_default=False) as client:
        pids = list(client.run(os.getpid).values())
    killed: list[int] = []

    def kill_one(counts: Counts) -> None:
        if counts.found and not killed:
            killed.append(pids[0])
            os.kill(pids[0], signal.SIGKILL)

    options = ScanOptions(workers=2, commit_files=50, is_local=False)
    make = partial(SchedulerExecutor, cluster)
    source = LocalSource([str(tree)])
    report = scan(source, there, options, roots=[str(tree)], notify=kill_one, executor=make)
    assert killed
    assert report.counts.inserted == 480
    assert snapshot(there) == snapshot(here)


class DeadlySource(LocalSource):
    """Opening one of its files kills the worker."""

    def open(self, ref: FileRef) -> LocalBlob:
        if ref.uri.endswith("f.0007.exr"):
            os.kill(os.getpid(), signal.SIGKILL)
        return super().open(ref)


def test_a_file_that_kills_workers_is_recorded(tmp_path: Path, cluster: str) -> None:
    names = [f"f.{k:04d}.exr" for k in range(4, 13)]
    tree = plant(tmp_path / "t", {name: frame(name) for name in names})
    store = duck(tmp_path / "c.duckdb")
    source = DeadlySource([str(tree)])
    options = ScanOptions(workers=2, is_local=False)
    report = scan(
        source, store, options, roots=[str(tree)], executor=partial(SchedulerExecutor, cluster)
    )
    assert report.counts.failures == {"crashed": 1}
    assert set(live(store)) == set(names) - {"f.0007.exr"}


def test_what_is_said_where_there_is_no_scheduler(tmp_path: Path, tree: Path) -> None:
    shell = Shell(tmp_path / "home", tmp_path)
    done = shell.run("scan", tree, "--scheduler", "tcp://127.0.0.1:9")
    assert done.code == 5
    assert "no Dask scheduler can be reached at tcp://127.0.0.1:9" in done.err
    assert "Traceback" not in done.err
    both = shell.run("scan", tree, "--scheduler", "tcp://127.0.0.1:9", "--workers", "2")
    assert both.code == 2


def test_a_scheduler_without_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exrindex.scheduler._WORKERS_S", 1)
    with distributed.LocalCluster(n_workers=0, dashboard_address=None) as made:
        executor = SchedulerExecutor(made.scheduler_address)
        with pytest.raises(SchedulerUnavailable, match="has no workers; start some with"):
            executor.threads()
        executor.shutdown()
