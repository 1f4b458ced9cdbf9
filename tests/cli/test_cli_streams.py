"""Commands whose standard streams, working directory or store are not what they should be."""

from __future__ import annotations

import os
import subprocess
from io import FileIO, TextIOWrapper

import pytest

from cli.command import Shell
from exrindex.cli import progress as progress_module
from exrindex.cli.progress import describe_scan, progress
from exrindex.scan import Counts
from exrmaker import exr_file


def sh(shell: Shell, script: str) -> tuple[int, str]:
    """Run a shell script in which ``$X`` is the command; exit code and all that was printed."""
    done = subprocess.run(
        ["sh", "-c", script],
        capture_output=True,
        cwd=shell.cwd,
        env={**shell.environ, "X": " ".join(shell.argv())},
        timeout=60,
        check=False,
    )
    return done.returncode, (done.stdout + done.stderr).decode()


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&- <&-"])
def test_without_standard_streams(shell: Shell, closed: str) -> None:
    (shell.cwd / "x.exr").write_bytes(exr_file())
    code, printed = sh(shell, f"$X --store c.duckdb scan x.exr {closed}")
    assert code == 0
    assert "Traceback" not in printed
    assert sh(shell, "$X --store c.duckdb -q query sql 'SELECT count(*) AS n FROM files'")[1] == (
        "n\n─\n1\n"
    )


def test_a_list_from_a_closed_standard_input(shell: Shell) -> None:
    code, printed = sh(shell, "$X --store c.duckdb scan --from-file - <&-")
    assert code == 4
    assert "standard input is closed" in printed


@pytest.mark.parametrize("command", ["--version", "inspect x.exr", "inspect x.exr --json"])
def test_output_that_cannot_be_written(shell: Shell, command: str) -> None:
    (shell.cwd / "x.exr").write_bytes(exr_file())
    code, printed = sh(shell, f"$X {command} >/dev/full")
    assert (code, printed) == (74, "exrindex: cannot write the output: No space left on device\n")


def test_progress_that_cannot_be_written_stops_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress_module, "_QUIET_SECONDS", 0.0)
    with FileIO("/dev/full", "w") as device:
        full = TextIOWrapper(device, write_through=True)
        monkeypatch.setattr("sys.stderr", full)
        with pytest.raises(OSError, match="No space left"):
            print("this one is not caught", file=full)
        with progress(describe_scan, quiet=False) as notify:
            notify(Counts(found=1))
        full.detach()


def test_a_working_directory_that_is_gone(shell: Shell) -> None:
    (shell.cwd / "gone").mkdir()
    code, printed = sh(shell, "cd gone && rmdir ../gone && $X inspect x.exr")
    assert (code, printed) == (4, "exrindex: the current directory is gone; change to another\n")


def test_a_store_that_is_a_pipe_is_not_waited_for(shell: Shell) -> None:
    os.mkfifo(shell.cwd / "c.duckdb")
    code, printed = sh(shell, "$X --store c.duckdb status")
    assert code == 5
    assert "is no regular file" in printed


@pytest.mark.parametrize(
    "words",
    [
        r"""query sql "$(printf 'SELECT \377')" """,
        r"""query similar x.exr --where "$(printf '\377')" """,
    ],
)
def test_sql_that_is_not_utf8(shell: Shell, words: str) -> None:
    (shell.cwd / "x.exr").write_bytes(exr_file())
    assert sh(shell, "$X --store c.duckdb -q scan x.exr") == (0, "")
    code, printed = sh(shell, f"$X --store c.duckdb {words}")
    assert code == 2
    assert "the SQL is not UTF-8" in printed


def test_numbers_beyond_reason(shell: Shell) -> None:
    for words in (
        "scan --workers 99999999999 .",
        "scan --commit-files 99999999999999999999999 .",
        "query similar -k 99999999999999999999 x.exr",
    ):
        code, printed = sh(shell, f"$X --store c.duckdb {words}")
        assert code == 2, words
        assert "Traceback" not in printed
