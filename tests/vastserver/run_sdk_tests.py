"""Run the tests that the VAST SDK brings along against this server, module by module.

    PYTHONPATH=tests python -m vastserver.run_sdk_tests [--python PYTHON] [--slow] [MODULE ...]

The interpreter needs vastdb, adbc-driver-vastdb, duckdb, "pandas<3", pytest, pytest-check,
pytest-retry and boto3; it is used for the server, too. Ends with 1 if a test fails that is not
known to.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ET
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from vastserver.process import served

BUCKET = "vastdb"
MODULES = (
    "sanity schemas tables nested fixed_list table_in_tx by_column_inserter util ibis_utils"
    " configs adbc_integration vector_search vector_index projections duckdb"
).split()

CATALOG = "reads tables that VAST itself fills, which this server does not have"
# Tests that are not run at all, with the reason.
DESELECTED = {
    "test_tables.py::test_catalog_select": CATALOG,
    "test_tables.py::test_audit_log_select": CATALOG,
    "test_tables.py::test_catalog_snapshots_select": CATALOG,
}
# Tests that sleep; run with --slow only.
SLOW = {
    "test_tables.py::test_elysium_splits": "sleeps for 300 s",
    "test_projections.py::test_query_data_with_projection": "sleeps for 15 s",
    "test_projections.py::test_projection_stats": "sleeps for 15 s",
}
# Tests that may fail, with the reason.
KNOWN_FAILURES = {
    "test_duckdb.py::test_duckdb": "calls a method of connections that DuckDB 2.0 removed",
}


class Outcome(NamedTuple):
    """How the tests of a module ended."""

    passed: int
    failed: list[str]
    skipped: int
    deselected: list[str]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--python", default=sys.executable, help="interpreter to run the tests")
    parser.add_argument("--slow", action="store_true", help="also the tests that sleep")
    parser.add_argument("--version", default="5.5.0.0", help="the release to be taken for")
    parser.add_argument("modules", nargs="*", default=MODULES, help="such as tables; default: all")
    options = parser.parse_args()
    # Not resolved: a link into a virtual environment has to stay one.
    options.python = os.path.abspath(options.python)
    unexpected = 0
    arguments = ("--bucket", BUCKET, "--version", options.version)
    with served(*arguments, python=options.python) as environment:
        print(f"{'module':<20} {'passed':>6} {'failed':>6} {'skipped':>7} {'deselected':>10}")
        for module in options.modules:
            outcome = _run(options.python, module, options.slow, environment)
            unexpected += sum(name not in KNOWN_FAILURES for name in outcome.failed)
            _show(module, outcome)
    return 1 if unexpected else 0


def _show(module: str, outcome: Outcome) -> None:
    passed, failed, skipped, deselected = outcome
    numbers = f"{passed:>6} {len(failed):>6} {skipped:>7} {len(deselected):>10}"
    print(f"{module:<20} {numbers}", flush=True)
    for name in failed:
        print(f"    failed: {name}: {KNOWN_FAILURES.get(name, 'NOT EXPECTED')}")
    for name in deselected:
        print(f"    deselected: {name}: {(DESELECTED | SLOW)[name]}")


def _run(python: str, module: str, slow: bool, environment: dict[str, str]) -> Outcome:
    file = f"test_{module}.py"
    left_out = DESELECTED if slow else DESELECTED | SLOW
    deselected = [name for name in left_out if name.startswith(f"{file}::")]
    with tempfile.TemporaryDirectory() as folder:
        report = Path(folder) / "report.xml"
        package = _package(python)
        command = [
            *(python, "-m", "pytest", "-q", "--no-header", "-p", "no:cacheprovider"),
            # Without a file of its own pytest would take ours, from a folder above.
            *("-c", os.devnull),
            *(f"--rootdir={package}", f"--confcutdir={package}", f"--junit-xml={report}"),
            f"--tabular-endpoint-url={environment['VAST_DB_ENDPOINT']}",
            f"--tabular-access-key={environment['VAST_DB_ACCESS_KEY']}",
            f"--tabular-secret-key={environment['VAST_DB_SECRET_KEY']}",
            f"--tabular-bucket-name={BUCKET}",
            *(f"--deselect=tests/{name}" for name in deselected),
            f"tests/{file}",
        ]
        ended = subprocess.run(command, cwd=package, capture_output=True, text=True, check=False)
        if not report.exists():
            sys.exit(f"pytest did not run:\n{ended.stdout}{ended.stderr}")
        return _read(report, file, deselected, ended.stdout)


def _package(python: str) -> Path:
    code = "import importlib.util as u; print(u.find_spec('vastdb').origin)"
    found = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True)
    return Path(found.stdout.strip()).parent


def _read(report: Path, file: str, deselected: Sequence[str], output: str) -> Outcome:
    cases = list(ET.parse(report).iter("testcase"))
    failed = [
        f"{file}::{case.get('name')}"
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    ]
    skipped = sum(case.find("skipped") is not None for case in cases)
    if not KNOWN_FAILURES.keys() >= set(failed):
        print(output)
    return Outcome(len(cases) - len(failed) - skipped, failed, skipped, list(deselected))


if __name__ == "__main__":
    sys.exit(main())
