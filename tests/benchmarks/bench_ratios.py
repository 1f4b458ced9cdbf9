"""How fast a scan is, beside other ways to read the same files and beside what cannot be beaten.

    make bench
    make bench-check      compare the ratios with those recorded; for people, not for CI
    python tests/benchmarks/bench_ratios.py [--files N] [--runs N] [--record | --check]

Everything runs turn by turn on one machine, in processes of its own, start-up included unless
said otherwise; figures are medians of the runs. What is not installed (exiftool, a C compiler)
is left out, and said.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from benchmarks.bench_vast import run
from benchmarks.make_tree import make_tree
from exrindex.pool import default_workers
from vastserver.process import served

RECORDED = Path(__file__).with_name("recorded.json")
# A ratio that is worse than the recorded one by more than this is worth a look.
TOLERANCE = 0.25

ONE_BY_ONE = """
import sys, duckdb, OpenEXR
store = duckdb.connect(sys.argv[1])
store.execute("CREATE TABLE headers (path VARCHAR, header VARCHAR)")
for path in sys.stdin.read().splitlines():
    with OpenEXR.File(path, header_only=True) as file:
        store.execute("INSERT INTO headers VALUES (?, ?)", [path, str(file.header())])
"""


class Bench:
    """Runs of one tree; ``rates`` holds files per second and ``seconds`` times, by name."""

    def __init__(self, work: Path, files: int) -> None:
        self.work = work
        self.root = work / "tree"
        make_tree(self.root, files)
        self.paths = sorted(str(path) for path in self.root.rglob("*.exr"))
        self.rates: dict[str, list[float]] = {}
        self.seconds: dict[str, list[float]] = {}

    def run(self, number: int) -> None:
        """Everything once."""
        catalog = self.work / f"{number}.duckdb"
        self._rate("floor", len(self.paths), lambda: read_all(self.paths))
        self._scan("new files", catalog)
        self._scan("unchanged files", catalog)
        self._one_file(catalog)
        few = self.paths[:1000]
        target = self.work / f"one-{number}.duckdb"
        command = [sys.executable, "-c", ONE_BY_ONE, str(target)]
        listed = "\n".join(few)
        self._rate("OpenEXR and an insert each", len(few), lambda: execute(command, stdin=listed))
        if shutil.which("exiftool"):
            folders = sorted({str(Path(path).parent) for path in few})
            command = ["exiftool", "-q", "-r", "-json", *folders]
            self._rate("exiftool -r -json", len(few), lambda: execute(command))
        with slow_files(self.work, self.root, 2000) as variables:
            if variables:
                self._scan("new files, 2 ms", self.work / f"slow-{number}.duckdb", variables)
        for latency in (0, 5):
            with served("--latency", str(latency)) as variables:
                self._scan(f"new files, VAST at {latency} ms", None, variables)

    def _rate(self, name: str, files: int, work: Callable[[], object]) -> None:
        started = time.perf_counter()
        work()
        self.rates.setdefault(name, []).append(files / (time.perf_counter() - started))

    def _scan(self, name: str, catalog: Path | None, variables: Mapping[str, str] = {}) -> None:
        store = ["--store", str(catalog)] if catalog else []
        if not catalog:
            run(["schema", "create"], dict(variables))
        files = len(self.paths)
        command = [*store, "scan", "--json", str(self.root)]
        self._rate(
            name, files, lambda: self._summary(name, json.loads(run(command, dict(variables))[0]))
        )

    def _summary(self, name: str, summary: dict[str, Any]) -> None:
        rates = self.rates.setdefault(f"{name}, without start-up", [])
        rates.append(summary["found"] / summary["seconds"])

    def _one_file(self, catalog: Path) -> None:
        one = self.work / "one.1001.exr"
        shutil.copy(self.paths[0], one)
        for name, arguments in (
            ("--help", ["--help"]),
            ("inspect FILE", ["inspect", str(one)]),
            ("scan FILE", ["--store", str(catalog), "scan", str(one)]),
            ("query similar FILE", ["--store", str(catalog), "query", "similar", str(one)]),
        ):
            self.seconds.setdefault(name, []).append(run(arguments, {})[1])


def execute(command: Sequence[str], stdin: str | None = None) -> None:
    """Run some other program."""
    done = subprocess.run(command, input=stdin, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr


def read_all(paths: Sequence[str]) -> None:
    """The floor: open, look at and read the beginning of every file, in as many processes."""
    workers = default_workers()
    with ProcessPoolExecutor(workers) as pool:
        list(pool.map(_read_some, [paths[start::workers] for start in range(workers)]))


def _read_some(paths: Sequence[str]) -> None:
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        os.fstat(descriptor)
        os.pread(descriptor, 8192, 0)
        os.close(descriptor)


@contextmanager
def slow_files(work: Path, below: Path, microseconds: int) -> Iterator[dict[str, str]]:
    """Variables under which opening and reading files takes long; empty without a compiler."""
    source, library = Path(__file__).with_name("slow_files.c"), work / "slow_files.so"
    compiler = shutil.which("cc")
    if compiler is None:
        yield {}
        return
    if not library.exists():
        subprocess.run(
            [compiler, "-shared", "-fPIC", "-o", str(library), str(source), "-ldl"], check=True
        )
    yield {
        "LD_PRELOAD": str(library),
        "SLOW_BELOW": str(below),
        "SLOW_US": str(microseconds),
    }


def ratios(rates: dict[str, float]) -> dict[str, float]:
    """What does not depend on the machine as much as the figures do; higher is better."""
    new = rates["new files"]
    found = {
        "new files / floor": rates["new files, without start-up"] / rates["floor"],
        "unchanged / new files": rates["unchanged files, without start-up"] / new,
    }
    for other in ("OpenEXR and an insert each", "exiftool -r -json"):
        if other in rates:
            found[f"new files / {other}"] = new / rates[other]
    for like in ("new files, 2 ms", "new files, VAST at 0 ms", "new files, VAST at 5 ms"):
        if like in rates:
            found[f"{like} / new files"] = rates[like] / new
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--files", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--record", action="store_true", help=f"write {RECORDED.name}")
    parser.add_argument("--check", action="store_true", help=f"compare with {RECORDED.name}")
    wanted = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="exrindex-bench-") as folder:
        bench = Bench(Path(folder), wanted.files)
        for number in range(wanted.runs):
            bench.run(number)
    rates = {name: statistics.median(values) for name, values in bench.rates.items()}
    print(
        f"\n{wanted.files:,} frames of 30 channels and 30 attributes, median of {wanted.runs} runs"
    )
    for name, rate in rates.items():
        print(f"  {name:42} {rate:12,.0f} files/s")
    for name, values in bench.seconds.items():
        print(f"  {name:42} {statistics.median(values):12.2f} s")
    found = ratios(rates)
    recorded = json.loads(RECORDED.read_text()) if wanted.check else {}
    worse = []
    for name, ratio in found.items():
        before = recorded.get(name)
        print(f"  {name:42} {ratio:12.3f}" + (f"   recorded {before:.3f}" if before else ""))
        if before and ratio < before * (1 - TOLERANCE):
            worse.append(name)
    if wanted.record:
        RECORDED.write_text(json.dumps({k: round(v, 3) for k, v in found.items()}, indent=2) + "\n")
    if worse:
        sys.exit("worse than recorded by more than a quarter: " + "; ".join(worse))


if __name__ == "__main__":
    main()
