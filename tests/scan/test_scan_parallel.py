"""Scans by several workers and several processes: the same tables, and nothing lost."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from exrindex.errors import Interrupted
from exrindex.scan import Counts, ScanOptions, scan
from exrindex.source import LocalSource
from trees import (
    catalog,
    children,
    command_of,
    duck,
    frame,
    live,
    mixed_tree,
    plant,
    rows,
    run,
    snapshot,
)

Tables = dict[str, list[tuple[object, ...]]]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Tables]:
    """A tree, and the tables of an undisturbed scan of it."""
    folder = tmp_path_factory.mktemp("shared")
    tree = mixed_tree(folder / "shows", frames=20)
    store = duck(folder / "plain.duckdb")
    run(store, tree, workers=1)
    return tree, snapshot(store)


# Rarely can all be combined in the time that a test may take: each value comes up once.
WAYS: list[dict[str, Any]] = [
    {"workers": 1, "commit_files": 2},
    {"workers": 2, "commit_files": 3, "start_method": "spawn"},
    {"workers": 4, "commit_files": 7, "start_method": "forkserver"},
    {"workers": 2, "commit_files": 7, "start_method": "fork"},
    {"workers": 4, "commit_files": 2000},
]


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
@pytest.mark.parametrize("options", WAYS, ids=lambda options: "-".join(map(str, options.values())))
def test_every_way_to_scan_yields_the_same_tables(
    tmp_path: Path, shared: tuple[Path, Tables], options: dict[str, Any]
) -> None:
    tree, expected = shared
    store = duck(tmp_path / "c.duckdb")
    report = run(store, tree, **options)
    assert report.counts.inserted == len(expected["files"])
    assert snapshot(store) == expected


def test_ids_do_not_depend_on_the_order(tmp_path: Path, shared: tuple[Path, Tables]) -> None:
    tree, expected = shared
    store = duck(tmp_path / "c.duckdb")
    for root in sorted(tree.rglob("*"), reverse=True):
        if root.name == "sh0200" or root.parent.name == "sh0100":
            run(store, root)
    assert run(store, tree).counts.unchanged == 40
    assert snapshot(store) == expected


def test_an_interruption_keeps_what_was_committed(
    tmp_path: Path, shared: tuple[Path, Tables]
) -> None:
    tree, expected = shared

    def interrupt(counts: Counts) -> None:
        if counts.inserted >= 9:
            raise Interrupted(130)

    for workers in (1, 2):
        store = duck(tmp_path / f"{workers}.duckdb")
        options = ScanOptions(workers=workers, commit_files=3)
        with pytest.raises(Interrupted):
            scan(LocalSource([str(tree)]), store, options, roots=[str(tree)], notify=interrupt)
        assert rows(store, "SELECT exit_status FROM scans") == [(130,)]
        kept = len(live(store))
        assert 9 <= kept < len(expected["files"])
        assert store.check() == []
        report = run(store, tree)
        assert report.counts.unchanged == kept
        assert snapshot(store) == expected


@pytest.mark.parametrize("method", ["spawn", "fork"])
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_killed_worker_loses_nothing(
    tmp_path: Path, shared: tuple[Path, Tables], method: str
) -> None:
    tree, expected = shared
    killed: list[int] = []

    def kill_one(counts: Counts) -> None:
        for child in children(os.getpid()) if counts.done and not killed else []:
            if "tracker" not in command_of(child) and not killed:
                killed.append(child)
                os.kill(child, signal.SIGKILL)

    store = duck(tmp_path / "c.duckdb")
    options = ScanOptions(workers=2, commit_files=2, start_method=method)
    scan(LocalSource([str(tree)]), store, options, roots=[str(tree)], notify=kill_one)
    assert killed
    assert snapshot(store) == expected


SCANNER = (
    "import sys; from pathlib import Path; from trees import duck, run\n"
    "if __name__ == '__main__':\n"
    "    report = run(duck(Path(sys.argv[1])), Path(sys.argv[2]), commit_files=5)\n"
    "    sys.exit(report.exit_status)\n"
)


def test_many_processes_at_once(tmp_path: Path) -> None:
    """Four scanners of one tree on a store that does not exist yet, and one that asks."""
    tree = plant(tmp_path / "t", {f"s/f.{n:03d}.exr": frame(f"{n}") for n in range(60)})
    path = tmp_path / "c.duckdb"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(part for part in sys.path if part)}
    scanners = [
        subprocess.Popen(
            [sys.executable, "-c", SCANNER, str(path), str(tree)],
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(4)
    ]
    seen: list[object] = []
    while any(scanner.poll() is None for scanner in scanners):
        if path.exists() and duck(path).state() == "ready":
            seen += duck(path).sql("SELECT count(*) AS n FROM files").to_pylist()
        time.sleep(0.02)
    for scanner in scanners:
        assert (scanner.returncode, scanner.communicate()[1]) == (0, "")
    counts = [row["n"] for row in seen if isinstance(row, dict)]
    assert counts == sorted(counts)
    assert counts, "no question was answered during the scans"
    store = duck(path)
    assert rows(store, "SELECT count(*), count(DISTINCT file_path) FROM files") == [(60, 60)]
    assert rows(store, "SELECT exit_status, count(*) FROM scans GROUP BY ALL") == [(0, 4)]
    assert store.check() == []


def test_a_question_is_answered_in_the_middle_of_a_scan(
    tmp_path: Path, shared: tuple[Path, Tables]
) -> None:
    tree, expected = shared
    path = tmp_path / "c.duckdb"
    code = (
        "import sys; from pathlib import Path; from trees import duck\n"
        "print(duck(Path(sys.argv[1]), wait=5).row_counts()['files'])"
    )
    answers: list[int] = []

    def ask(counts: Counts) -> None:
        if counts.inserted and not answers:
            command = [sys.executable, "-c", code, str(path)]
            environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
            answers.append(int(subprocess.check_output(command, env=environment)))

    options = ScanOptions(commit_files=7)
    scan(LocalSource([str(tree)]), duck(path), options, roots=[str(tree)], notify=ask)
    assert 0 < answers[0] < len(expected["files"])


def test_threads_may_share_a_store(tmp_path: Path) -> None:
    tree = plant(tmp_path / "t", {f"f.{n:03d}.exr": frame(f"{n}") for n in range(30)})
    store = catalog(tmp_path / "c.duckdb")

    def work(number: int) -> None:
        for _ in range(2):
            if number % 2:
                duck(tmp_path / "c.duckdb").row_counts()
            else:
                run(store, tree, force=True, commit_files=10)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))
    assert len(live(store)) == 30
    assert store.check() == []
