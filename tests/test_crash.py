"""Kill a scan at any moment, run it again: nothing is lost, doubled or half-written.

``EXRINDEX_CRASHES`` says how often to kill (10).
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from exrindex.store.base import SchemaState
from trees import children, command_of, duck, frame, mixed_tree, plant, run, snapshot

CRASHES = int(os.environ.get("EXRINDEX_CRASHES", "10"))
CODE = (
    "import sys; from pathlib import Path; from trees import duck, run\n"
    "if __name__ == '__main__':\n"
    "    print('go', flush=True)\n"
    "    run(duck(Path(sys.argv[1])), Path(sys.argv[2]), commit_files=20, workers=2)\n"
)


def start(catalog: Path, tree: Path) -> subprocess.Popen[str]:
    """A scan in a process of its own, at the moment when it begins."""
    path = os.pathsep.join(part for part in sys.path if part)
    process = subprocess.Popen(
        [sys.executable, "-c", CODE, str(catalog), str(tree)],
        env={**os.environ, "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "go\n"
    return process


def kill(process: subprocess.Popen[str]) -> None:
    """Kill the scan and wait until its workers have seen it."""
    workers = children(process.pid)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    deadline = time.monotonic() + 10
    while any(command_of(pid) for pid in workers):
        assert time.monotonic() < deadline, "workers outlive the scan"
        time.sleep(0.01)


def test_a_scan_may_be_killed_at_any_moment(tmp_path: Path) -> None:
    tree = mixed_tree(tmp_path / "shows", frames=60)
    plant(tree, {f"more/d{n % 7}/m.{n:04d}.exr": frame(f"m{n}") for n in range(180)})
    quiet = duck(tmp_path / "quiet.duckdb")
    run(quiet, tree)
    expected = snapshot(quiet)
    began = time.monotonic()
    start(tmp_path / "timed.duckdb", tree).communicate()
    whole = time.monotonic() - began

    seed = random.randrange(1 << 32)
    moments = random.Random(seed)
    store = duck(tmp_path / "c.duckdb")
    committed = 0
    for number in range(CRASHES):
        if number % 5 == 0:  # from nothing again, so that every phase of a scan is met
            committed = 0
            (tmp_path / "c.duckdb").unlink(missing_ok=True)
            (tmp_path / "c.duckdb.wal").unlink(missing_ok=True)
        process = start(tmp_path / "c.duckdb", tree)
        time.sleep(moments.uniform(0, whole * 0.6))
        kill(process)
        if store.state() is SchemaState.NEW:
            continue
        assert store.check() == [], f"seed {seed}, crash {number}"
        files = store.row_counts()["files"]
        assert files >= committed, f"seed {seed}, crash {number}"
        committed = files
    report = run(store, tree)
    assert report.counts.unchanged == committed
    assert snapshot(store) == expected, f"seed {seed}"
    assert store.check() == []


def test_a_killed_writer_leaves_a_log_that_readers_understand(tmp_path: Path) -> None:
    """A read-only question replays the log without writing; the next writer takes it in."""
    tree = plant(tmp_path / "t", {f"f.{n}.exr": frame(f"{n}") for n in range(5)})
    store = duck(tmp_path / "c.duckdb")
    run(store, tree)
    code = (
        "import sys, os, signal, duckdb\n"
        "connection = duckdb.connect(sys.argv[1])\n"
        "connection.execute(\"UPDATE stored.files SET shot = 'committed'\")\n"
        "connection.execute('BEGIN')\n"
        "connection.execute(\"UPDATE stored.files SET shot = 'not'\")\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "c.duckdb")], check=False)
    log = tmp_path / "c.duckdb.wal"
    before = ((tmp_path / "c.duckdb").read_bytes(), log.read_bytes())
    for _ in range(2):
        assert store.sql("SELECT DISTINCT shot FROM files").to_pylist() == [{"shot": "committed"}]
    assert ((tmp_path / "c.duckdb").read_bytes(), log.read_bytes()) == before
    assert run(store, tree).counts.unchanged == 5
    assert not log.exists()
    assert store.sql("SELECT DISTINCT shot FROM files").to_pylist() == [{"shot": "committed"}]


@pytest.mark.parametrize("cut", [1, 40, 400])
def test_a_torn_log_loses_the_torn_transaction_alone(tmp_path: Path, cut: int) -> None:
    tree = plant(tmp_path / "t", {f"f.{n}.exr": frame(f"{n}") for n in range(5)})
    store = duck(tmp_path / "c.duckdb")
    run(store, tree)
    code = (
        "import sys, os, signal, duckdb\n"
        "connection = duckdb.connect(sys.argv[1])\n"
        "connection.execute('DELETE FROM stored.files')\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "c.duckdb")], check=False)
    log = tmp_path / "c.duckdb.wal"
    os.truncate(log, max(1, log.stat().st_size - cut))
    assert store.row_counts()["files"] == 5
    assert store.check() == []
    assert run(store, tree).counts.unchanged == 5
