"""Runs exrindex as a shell does: another process, an environment of its own, nothing inherited."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import exrindex

_SOURCE = str(Path(exrindex.__file__).parents[1])


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str

    def json(self) -> Any:
        """Stdout, which must be one JSON document and nothing else."""
        return json.loads(self.out)


class Shell:
    """A user with a home directory of their own, standing in ``cwd``."""

    def __init__(self, home: Path, cwd: Path | None = None) -> None:
        home.mkdir(parents=True, exist_ok=True)
        self.home = home
        self.cwd = cwd or home
        self.environ = {
            "PATH": os.environ["PATH"],
            "PYTHONPATH": _SOURCE,
            "HOME": str(home),
            "XDG_DATA_HOME": str(home / "data"),
            "XDG_CONFIG_HOME": str(home / "config"),
            "XDG_CACHE_HOME": str(home / "cache"),
            "LANG": "C.UTF-8",
            "COLUMNS": "80",
        }

    def argv(self, *words: str | Path) -> list[str]:
        return [sys.executable, "-m", "exrindex", *map(str, words)]

    def run(
        self, *words: str | Path, stdin: bytes = b"", environ: dict[str, str] | None = None
    ) -> Result:
        done = subprocess.run(
            self.argv(*words),
            input=stdin,
            capture_output=True,
            cwd=self.cwd,
            env={**self.environ, **(environ or {})},
            timeout=60,
            check=False,
        )
        # Output is always UTF-8; a byte that is not would fail the test here.
        return Result(done.returncode, done.stdout.decode(), done.stderr.decode())

    def start(self, *words: str | Path, **options: Any) -> subprocess.Popen[bytes]:
        """Begin a command; the caller waits for its end."""
        return subprocess.Popen(
            self.argv(*words), cwd=self.cwd, env=self.environ, stderr=subprocess.PIPE, **options
        )
