"""The row of ``scans`` that tells of a run."""

from __future__ import annotations

import datetime as dt
import getpass
import os
import socket

import orjson
import pyarrow as pa

from exrindex.naming import escape_text
from exrindex.scan.report import Report, ScanOptions
from exrindex.tables import SCANS


def scan_row(
    report: Report, options: ScanOptions, started_at: dt.datetime, exit_status: int | None
) -> pa.Table:
    """One row; without an exit status that of a run which has not ended."""
    has_ended = exit_status is not None
    row = {
        "scan_id": report.scan_id,
        "started_at": started_at,
        "finished_at": dt.datetime.now(dt.UTC) if has_ended else None,
        "host": socket.gethostname(),
        "user": _user(),
        "roots": _json([escape_text(root) for root in report.roots]),
        "options": _json(
            {
                "workers": options.workers,
                "commit_files": options.commit_files,
                "force": options.force,
                "prune": options.prune,
            }
        ),
        "counts": _json(report.document()) if has_ended else None,
        "exit_status": exit_status,
    }
    return pa.Table.from_pylist([row], schema=SCANS)


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
