"""Measure what docs/benchmarks.md quotes. Minutes long; not a test.

    make bench
    python tests/benchmarks/bench.py [--files 10000 100000] [--runs 3]

Whole processes on trees made for the occasion; the OpenEXR package runs beside the parser in
the same process and turn by turn. Times are medians of the runs, memory is the peak of one process.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, TypeVar

import OpenEXR
import psutil

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.make_tree import make_tree
from exrindex.errors import ExrIndexError
from exrindex.exr import parse_header
from exrindex.store import open_store
from sample_show import write_sample_show

T = TypeVar("T")


class Usage:
    """What a process and its descendants used: CPU seconds, peak memory in MB, MB written."""

    def __init__(self) -> None:
        self.parent_cpu = self.parent_mb = self.worker_mb = self.written_mb = 0.0
        self._workers: dict[int, float] = {}

    @property
    def workers_cpu(self) -> float:
        return sum(self._workers.values())

    def look(self, process: psutil.Process) -> None:
        """Read the counters; what has ended keeps those of the last look."""
        with contextlib.suppress(psutil.Error):
            for worker in process.children(recursive=True):
                times = worker.cpu_times()
                self._workers[worker.pid] = times.user + times.system
                self.worker_mb = max(self.worker_mb, worker.memory_info().rss / 1e6)
            times = process.cpu_times()
            self.parent_cpu = times.user + times.system
            self.parent_mb = max(self.parent_mb, process.memory_info().rss / 1e6)
            self.written_mb = process.io_counters().write_bytes / 1e6


def scan(root: Path, catalog: Path) -> tuple[dict[str, Any], Usage]:
    """Summary of one scan by a new process, with ``wall`` seconds, and what it used."""
    command = [sys.executable, "-m", "exrindex", "-q", "--store", str(catalog), "scan", "--json"]
    usage = Usage()
    started = time.perf_counter()
    with subprocess.Popen([*command, str(root)], stdout=subprocess.PIPE, text=True) as process:
        watched = psutil.Process(process.pid)
        while process.poll() is None:
            usage.look(watched)
            time.sleep(0.05)
        assert process.stdout is not None
        summary: dict[str, Any] = json.loads(process.stdout.read())
    assert process.returncode in (0, 1)
    return summary | {"wall": time.perf_counter() - started}, usage


def bench_parser(root: Path, rounds: int) -> None:
    """µs per file: our parser on bytes, on files, and the OpenEXR package's header-only open."""
    paths = [str(path) for path in sorted(root.rglob("*.exr"))]
    readable = [path for path in paths if _opens(path)]
    data = [Path(path).read_bytes() for path in readable]
    times: dict[str, list[float]] = {"parse": [], "read+parse": [], "OpenEXR.File": []}
    for _ in range(rounds):
        times["parse"].append(_each(parse_header, data))
        times["read+parse"].append(_each(_read_and_parse, readable))
        times["OpenEXR.File"].append(_each(_open_with_openexr, readable))
    medians = {name: statistics.median(values) for name, values in times.items()}
    print(f"\nheader of one file, {len(readable)} files, median of {rounds} rounds, one process")
    for name, seconds in medians.items():
        ratio = medians["OpenEXR.File"] / seconds
        print(f"  {name:14} {seconds * 1e6:8.1f} µs   OpenEXR.File takes {ratio:.1f} times as long")


def _each(function: Callable[[T], object], items: Sequence[T]) -> float:
    started = time.perf_counter()
    for item in items:
        function(item)
    return (time.perf_counter() - started) / len(items)


def _read_and_parse(path: str) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        parse_header(os.pread(descriptor, 65536, 0))
    finally:
        os.close(descriptor)


def _open_with_openexr(path: str) -> None:
    with OpenEXR.File(path, header_only=True) as file:
        file.header()


def _opens(path: str) -> bool:
    try:
        _read_and_parse(path)
        _open_with_openexr(path)
    except (ExrIndexError, RuntimeError, ValueError):
        return False
    return True


def bench_scan(name: str, root: Path, work: Path, runs: int) -> None:
    """New files, then the same tree again."""
    new, again = [], []
    for run in range(runs):
        catalog = work / f"{name}-{run}.duckdb"
        new.append(scan(root, catalog))
        again.append(scan(root, catalog))
        channels = open_store(str(catalog), lock_wait=1).sql("SELECT avg(channel_count) FROM files")
        size = catalog.stat().st_size
        catalog.unlink()
    found = new[0][0]["found"]
    mean = channels.column(0)[0].as_py()
    print(f"\n{name}: {found} files of {mean:.1f} channels on average, median of {runs} runs")
    for title, results in (("new", new), ("again", again)):
        whole = statistics.median(found / summary["wall"] for summary, _ in results)
        scanning = statistics.median(found / summary["seconds"] for summary, _ in results)
        used = results[0][1]
        print(
            f"  {title:6} {whole:9,.0f} files/s with start-up, {scanning:9,.0f} without; "
            f"CPU µs a file: parent {used.parent_cpu / found * 1e6:,.0f}, "
            f"workers {used.workers_cpu / found * 1e6:,.0f}; "
            f"peak MB: parent {used.parent_mb:,.0f}, worker {used.worker_mb:,.0f}; "
            f"written {used.written_mb / found * 1e6:,.0f} bytes a file"
        )
    print(f"  catalog {size / found:,.0f} bytes a file")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--files", type=int, nargs="*", default=[10_000, 100_000])
    parser.add_argument("--runs", type=int, default=3)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="exrindex-bench-") as folder:
        work = Path(folder)
        show = work / "show"
        write_sample_show(show, frames=200)
        bench_parser(show, rounds=9)
        bench_scan("sample show", show, work, wanted.runs)
        for count in wanted.files:
            tree = work / f"tree-{count}"
            make_tree(tree, count)
            if count == wanted.files[0]:
                bench_parser(tree, rounds=3)
            bench_scan(f"{count} frames", tree, work, wanted.runs if count <= 20_000 else 1)
        mixed = work / "mixed"
        make_tree(mixed, wanted.files[0], mixed=True)
        bench_scan(f"{wanted.files[0]} frames of 4 to 150 channels", mixed, work, wanted.runs)


if __name__ == "__main__":
    main()
