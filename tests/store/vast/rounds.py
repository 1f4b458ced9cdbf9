"""Rounds of scanners against a server that fails: used by tests, and at length by itself.

    PYTHONPATH=tests python -m store.vast.rounds [--rounds N] [--scanners N] [--seed N]

Every round scans one tree by several scanners at once, with faults injected at random, and then
counts what the tables hold: rows that are there twice, and rows that are missing.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NamedTuple

from exrindex.errors import StoreError
from exrindex.scan import ScanOptions, scan
from exrindex.source import LocalSource
from exrindex.store.base import Store
from trees import frame, plant
from vastserver import VastServer
from vaststore import made_on, store_on


class Outcome(NamedTuple):
    """What a round came to. ``doubled`` and ``missing`` count rows; both have to be 0."""

    faults: Counter[str]
    doubled: int
    missing: int
    gave_up: int
    problems: list[str]


class Tree(NamedTuple):
    """A tree of sequences, one file of which is broken."""

    root: Path
    folders: int = 6
    frames: int = 12

    @property
    def files(self) -> int:
        """Files that can be indexed."""
        return self.folders * self.frames


def plant_tree(root: Path, folders: int = 6, frames: int = 12) -> Tree:
    """Write a tree."""
    tree = Tree(root, folders, frames)
    names = [f"sh{f}/b.{n:04d}.exr" for f in range(folders) for n in range(frames)]
    plant(root, {name: frame(name) for name in names} | {"sh0/empty.exr": b""})
    return tree


def scan_together(stores: Sequence[Store], root: Path, *, commit_files: int = 15) -> int:
    """Scan one tree by all stores at once, each in a thread; how many of them gave up."""

    def run(store: Store) -> int:
        try:
            scan(
                LocalSource([str(root)]),
                store,
                ScanOptions(workers=1, commit_files=commit_files),
                roots=[str(root)],
                executor=lambda: ThreadPoolExecutor(1),
            )
        except StoreError:
            return 1
        return 0

    with ThreadPoolExecutor(len(stores)) as scanners:
        return sum(scanners.map(run, stores))


def play(
    server: VastServer, tree: Tree, schema: str, *, scanners: int, rate: float, seed: int
) -> Outcome:
    """One round in a schema of its own. A scan that gave up is run once more in peace."""
    quiet = made_on(server, schema)
    server.faults.clear()
    if rate:
        server.faults.chaos(seed=seed, rate=rate)
    before = Counter(server.faults.injected)
    stores = [store_on(server, schema, wait=30.0) for _ in range(scanners)]
    gave_up = scan_together(stores, tree.root)
    injected = Counter(server.faults.injected) - before
    server.faults.clear()
    if gave_up:
        scan_together([quiet], tree.root)
    for store in stores:
        store.close()
    return _count(quiet, tree, injected, gave_up)


def _count(store: Store, tree: Tree, injected: Counter[str], gave_up: int) -> Outcome:
    (row,) = store.sql(
        "SELECT count(*) AS files, sum(channel_count)::BIGINT AS channels,"
        " count(DISTINCT (file_path_normalized, header_hash)) AS different FROM files"
    ).to_pylist()
    channels = store.row_counts()["channels"]
    failures = store.sql("SELECT 1 FROM failures WHERE resolved_at IS NULL").num_rows
    wanted = tree.files
    doubled = row["files"] - row["different"] + max(channels - 3 * wanted, 0) + max(failures - 1, 0)
    missing = wanted - row["different"] + max(3 * wanted - channels, 0) + max(1 - failures, 0)
    problems = [problem.what for problem in store.check()]
    return Outcome(injected, doubled, missing, gave_up, problems)


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--scanners", type=int, nargs="*", default=[1, 8])
    parser.add_argument("--rates", type=float, nargs="*", default=[0.0, 0.02, 0.05])
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    print("scanners  rate  rounds  faults  doubled  missing  gave up  check  seconds")
    with tempfile.TemporaryDirectory() as folder, VastServer() as server:
        tree = plant_tree(Path(folder))
        number = 0
        for scanners in wanted.scanners:
            for rate in wanted.rates:
                started = time.monotonic()
                outcomes = []
                for _ in range(wanted.rounds):
                    number += 1
                    outcomes.append(
                        play(
                            server, tree, f"round_{number}",
                            scanners=scanners, rate=rate, seed=wanted.seed + number,
                        )
                    )  # fmt: skip
                kinds: Counter[str] = sum((o.faults for o in outcomes), Counter())
                print(
                    f"{scanners:8} {rate:5.2f} {len(outcomes):7} {kinds.total():7} "
                    f"{sum(o.doubled for o in outcomes):8} {sum(o.missing for o in outcomes):8} "
                    f"{sum(o.gave_up for o in outcomes):8} "
                    f"{sum(len(o.problems) for o in outcomes):6} {time.monotonic() - started:8.0f}"
                )
                print(f"          {dict(sorted(kinds.items()))}", flush=True)
        print(f"crashes of the server: {server.crashes}")


if __name__ == "__main__":
    main()
