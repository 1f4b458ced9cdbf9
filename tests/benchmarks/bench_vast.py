"""Measure what docs/benchmarks.md quotes about the VAST store. Minutes long; not a test.

    make bench
    python tests/benchmarks/bench_vast.py [--files 10000] [--latency 0 2 20] [--runs 3]

The test server runs in a process of its own on the same machine, so its work is in every time; the
embedded catalog is measured beside it, turn by turn. Times are medians of the runs.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.make_tree import make_tree
from exrindex.scan import ScanOptions, scan
from exrindex.source import LocalSource
from vastserver import VastServer
from vastserver.process import served
from vaststore import made_on, requests_of


def run(arguments: Sequence[str], variables: dict[str, str]) -> tuple[str, float]:
    """What a command prints, and for how long it ran, start-up included."""
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "exrindex", "-q", *arguments],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode in (0, 1), done.stderr
    return done.stdout, time.perf_counter() - started


def bench_scans(root: Path, work: Path, latencies: Sequence[float], runs: int) -> None:
    """New and unchanged files, on the catalog and on VAST at each latency, turn by turn."""
    rates: dict[tuple[str, str], list[float]] = {}
    example = str(next(root.rglob("*.exr")))
    for number in range(runs):
        catalog = work / f"run-{number}.duckdb"
        _measure("catalog", ["--store", str(catalog)], {}, root, example, rates)
        for latency in latencies:
            with served("--latency", str(latency)) as variables:
                _measure(f"VAST, {latency:g} ms", [], variables, root, example, rates)
    print(f"\nmedian of {runs} runs")
    for (where, what), values in sorted(rates.items(), key=lambda pair: pair[0][1]):
        print(f"  {what:24} {where:14} {statistics.median(values):9,.1f}")


def _measure(
    where: str,
    store: list[str],
    variables: dict[str, str],
    root: Path,
    example: str,
    rates: dict[tuple[str, str], list[float]],
) -> None:
    run([*store, "schema", "create"], variables)
    for what in ("new files/s", "unchanged files/s"):
        summary: dict[str, Any] = json.loads(
            run([*store, "scan", "--json", str(root)], variables)[0]
        )
        rates.setdefault((where, what), []).append(summary["found"] / summary["seconds"])
    questions = {
        "status, s": ["status"],
        "similar, s": ["query", "similar", example],
        "count by shot, s": ["query", "sql", "SELECT shot, count(*) FROM files GROUP BY ALL"],
    }
    for what, arguments in questions.items():
        rates.setdefault((where, what), []).append(run([*store, *arguments], variables)[1])
    copied = str(root.parent / f"copy-{time.time_ns()}.duckdb")
    origin = store[1] if store else f"vast://{variables['VAST_DB_BUCKET']}/exr_metadata"
    summary = json.loads(run(["copy", "--from", origin, "--to", copied, "--json"], variables)[0])
    Path(copied).unlink()
    rate = summary["files"] / summary["seconds"]
    rates.setdefault((where, "copied out, files/s"), []).append(rate)


def count_requests(root: Path) -> None:
    """Requests and bytes of a scan, by what they are."""
    with VastServer() as server:
        store = made_on(server)
        for title in ("new files", "unchanged files"):
            server.log.clear()
            report = scan(LocalSource([str(root)]), store, ScanOptions(), roots=[str(root)])
            made = requests_of(server)
            sent: Counter[str] = Counter()
            for entry in server.log:
                sent[f"{entry.method} {entry.command} {entry.table}".strip()] += entry.bytes_in
            total = sum(entry.bytes_in + entry.bytes_out for entry in server.log)
            print(f"\n{title}: {report.counts.found} files in {report.counts.found // 2000} chunks")
            print(f"  {made.total()} requests, {total / 1e6:.1f} MB in all")
            for name, count in made.most_common():
                print(f"  {name:28} {count:5}  {sent[name] / 1e6:7.2f} MB sent")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--latency", type=float, nargs="*", default=[0, 2, 20])
    parser.add_argument("--runs", type=int, default=3)
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="exrindex-bench-") as folder:
        tree = Path(folder) / "tree"
        make_tree(tree, wanted.files)
        count_requests(tree)
        bench_scans(tree, Path(folder), wanted.latency, wanted.runs)


if __name__ == "__main__":
    main()
