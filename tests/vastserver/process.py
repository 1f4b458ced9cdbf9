"""The server in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def served(*arguments: str, python: str = sys.executable) -> Iterator[dict[str, str]]:
    """Serve while the block runs; yields the variables that say how to connect.

    ``arguments`` are those of ``python -m vastserver``.
    """
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[1])}
    command = [python, "-m", "vastserver", *arguments]
    with subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        lines = [server.stdout.readline().removeprefix("export ").strip() for _ in range(4)]
        try:
            yield dict(line.split("=", 1) for line in lines)
        finally:
            server.terminate()
