"""What the world does to a command: settings, signals, pipes, terminals, odd names, no home."""

from __future__ import annotations

import json
import os
import pty
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest
import typer.main

from cli.command import Shell
from cli.conftest import Catalog
from exrindex import __version__
from exrindex.cli import app
from exrindex.cli.progress import describe_scan, progress
from exrindex.naming import unescape_text
from exrindex.scan import Counts
from exrmaker import exr_file


def test_version_and_help(shell: Shell) -> None:
    assert shell.run("--version").out == f"exrindex {__version__}\n"
    page = shell.run("scan", "-h")
    assert page.code == 0
    assert "--from-file" in page.out
    nothing = shell.run()
    assert nothing.code == 2
    assert "inspect" in nothing.out + nothing.err
    assert shell.run("bogus").code == 2


def test_json_is_one_option_everywhere() -> None:
    def options(command: Any) -> Iterator[Any]:
        yield from (option for option in command.params if "--json" in option.opts)
        for below in getattr(command, "commands", {}).values():
            yield from options(below)

    found = list(options(typer.main.get_command(app)))
    assert len(found) == 11
    assert {option.help for option in found} == {"Print JSON on stdout."}


def test_the_store_that_is_used_is_named(shell: Shell) -> None:
    (shell.cwd / "x.exr").write_bytes(exr_file())
    default = shell.run("scan", "x.exr", "--json")
    place = f"{shell.home}/data/exrindex/catalog.duckdb"
    assert default.code == 0
    assert default.err == f"store: {place}; choose another with --store\n"
    assert default.json()["store"] == f"duckdb://{place}"
    assert shell.run("-q", "status", "--json").err == ""
    named = shell.run("schema", "create", environ={"EXRINDEX_STORE": "e.duckdb"})
    assert named.err == "store: e.duckdb, from EXRINDEX_STORE\n"
    assert (shell.cwd / "e.duckdb").exists()


def test_settings_files(shell: Shell) -> None:
    (shell.cwd / "exrindex.toml").write_text('store = "t.duckdb"\nexclude = ["skip/"]\n')
    for name in ("a.exr", "skip/b.exr"):
        (shell.cwd / name).parent.mkdir(exist_ok=True)
        (shell.cwd / name).write_bytes(exr_file())
    result = shell.run("scan", ".", "--json")
    assert result.err == "store: t.duckdb, from exrindex.toml\n"
    assert result.json()["found"] == 1
    (shell.cwd / "empty.toml").touch()
    (shell.cwd / "bad.toml").write_text("colour = 1\n")
    for words, environ, says in (
        (["--config", "bad.toml", "status"], {}, "unknown setting 'colour'; known are"),
        (["--config", "gone.toml", "status"], {}, "there is no settings file gone.toml"),
        (["status"], {"EXRINDEX_CONFIG": "bad.toml"}, "bad.toml: unknown setting"),
        (["status"], {"EXRINDEX_WORKERS": "0"}, "EXRINDEX_WORKERS=0: give a whole number"),
        (["--config", "empty.toml", "status"], {"VAST_DB_ENDPOINT": "http://v"}, "VAST_DB"),
    ):
        refused = shell.run(*words, environ=environ)
        assert refused.code == 3, says
        assert says in refused.err


def test_paths_that_make_no_sense(shell: Shell) -> None:
    for words, says in (
        (["--store", "a\udcff.duckdb", "status"], "a\\xff.duckdb, from --store: the path must be"),
        (["--config", "x" * 300, "status"], "File name too long"),
    ):
        refused = shell.run(*words)
        assert refused.code == 3, refused.err
        assert says in refused.err
        assert len(refused.err.splitlines()) == 1


def test_the_home_directory_is_expanded(shell: Shell) -> None:
    assert shell.run("--store=~/c.duckdb", "schema", "create").code == 0
    assert (shell.home / "c.duckdb").exists()


def test_no_home(shell: Shell) -> None:
    lost = {"HOME": "/dev/null", "XDG_DATA_HOME": "/dev/null/d", "XDG_CONFIG_HOME": "/dev/null/c"}
    result = shell.run("status", environ=lost)
    assert result.code == 3
    assert "name a file with --store PATH.duckdb" in result.err
    (shell.cwd / "x.exr").write_bytes(exr_file())
    assert shell.run("--store", "c.duckdb", "scan", "x.exr", environ=lost).code == 0
    assert shell.run("inspect", "x.exr", environ=lost).code == 0


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)], ids=["SIGINT", "SIGTERM"]
)
def test_an_interrupted_scan_goes_on_where_it_was(
    number: signal.Signals, code: int, shell: Shell, tmp_path: Path
) -> None:
    """The list of files never ends, so the scan is at work whenever the signal comes."""
    image = tmp_path / "image.bin"
    image.write_bytes(exr_file())
    names = [str(tmp_path / f"x.{frame}.exr") for frame in range(1001, 3001)]
    for name in names:
        os.link(image, name)
    listed = "".join(f"{name}\n" for name in names).encode()
    store = tmp_path / "c.duckdb"
    words = ("--store", store, "scan", "--commit-files", "100", "--from-file", "-", "--json")
    running = shell.start(*words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert running.stdin is not None
    running.stdin.write(listed)
    running.stdin.flush()
    _wait_for_rows(store)
    running.send_signal(number)
    out, err = running.communicate(timeout=30)
    assert running.returncode == code, err
    assert err == b"exrindex: interrupted\n"
    assert out == b""

    scans = shell.run("--store", store, "status", "--json").json()["scans"]
    assert [scan["exit_status"] for scan in scans] == [code]
    if number is signal.SIGINT:
        assert shell.run("--store", store, "schema", "check").code == 0
        again = shell.run(*words, stdin=listed)
        assert again.code == 0
        counts = again.json()
        assert counts["unchanged"] >= 100
        assert counts["unchanged"] + counts["inserted"] == 2000


# A command whose work and whose tidying up both take a minute.
_SLOW = """
import time
from exrindex import cli

def command(**options):
    try:
        print("working", flush=True)
        time.sleep(60)
    finally:
        print("tidying", flush=True)
        time.sleep(60)

cli.app = command
cli.main()
"""


@pytest.mark.parametrize("first", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("second", [signal.SIGINT, signal.SIGTERM])
def test_a_second_signal_ends_even_the_tidying_up(
    first: signal.Signals, second: signal.Signals, shell: Shell
) -> None:
    command = [sys.executable, "-c", _SLOW]
    with subprocess.Popen(command, env=shell.environ, stdout=subprocess.PIPE) as running:
        try:
            assert running.stdout is not None
            assert running.stdout.readline() == b"working\n"
            running.send_signal(first)
            assert running.stdout.readline() == b"tidying\n"
            running.send_signal(second)
            assert running.wait(10) == -second
        finally:
            running.kill()


def _wait_for_rows(store: Path) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            with duckdb.connect(store, read_only=True) as connection:
                if connection.sql("SELECT count(*) FROM files").fetchall()[0][0]:
                    return
        except duckdb.Error:
            pass  # not there yet, or the scan is writing just now
        time.sleep(0.05)
    pytest.fail("the scan wrote nothing")


@pytest.mark.parametrize(
    "words",
    [
        ["query", "sql", "SELECT * FROM channels", "--json"],
        ["schema", "show"],
        ["--help"],
    ],
)
def test_a_reader_that_leaves(words: list[str], catalog: Catalog) -> None:
    shell = catalog.shell
    running = shell.start("--store", catalog.store, *words, stdout=subprocess.PIPE)
    assert running.stdout is not None
    if words[0] == "query":  # the others could have written all by then
        running.stdout.read(1)
    running.stdout.close()
    _, err = running.communicate(timeout=30)
    assert err == b""
    assert running.returncode == 141


def test_odd_names_survive(shell: Shell, tmp_path: Path) -> None:
    folder = tmp_path / "odd"
    names = ["new\nline.exr", "esc\x1b[31m.exr", "bytes\udcff.exr", "back\\xff.exr", "🎬 film.exr"]
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(exr_file())
    (folder / "bad\x07\n.exr").touch()
    store = tmp_path / "c.duckdb"
    page = shell.run("--store", store, "scan", folder)
    assert page.code == 1
    assert "bad\\x07\\x0a.exr: the file is empty" in page.err
    shown = shell.run("--store", store, "query", "sql", "SELECT file_path FROM files")
    assert "\x1b" not in shown.out
    assert "🎬 film.exr" in shown.out
    rows = json.loads(
        shell.run("--store", store, "query", "sql", "SELECT file_path FROM files", "--json").out
    )
    assert {Path(unescape_text(row["file_path"])).name for row in rows} == set(names)
    again = shell.run("--store", store, "scan", folder, "--prune", "--json").json()
    assert (again["unchanged"], again["retired"], again["failed"]) == (5, 0, 1)
    similar = shell.run("--store", store, "query", "similar", "none\x1b.exr")
    assert "none\\x1b.exr: there is no such file" in similar.err


def test_progress_on_a_terminal_only(shell: Shell, catalog: Catalog, tmp_path: Path) -> None:
    terminal, theirs = pty.openpty()
    running = subprocess.Popen(
        shell.argv("--store", tmp_path / "c.duckdb", "scan", catalog.show, "--json"),
        env={**shell.environ, "TERM": "xterm"}, stdout=subprocess.PIPE, stderr=theirs,
    )  # fmt: skip
    os.close(theirs)
    shown = _drain(terminal)
    assert running.stdout is not None
    assert json.loads(running.stdout.read())["found"] == 151
    assert running.wait(30) == 1
    running.stdout.close()
    assert b"looking for files" in shown or b"found, " in shown
    silent = shell.run("--store", tmp_path / "c.duckdb", "scan", catalog.show, "--json")
    assert "found" not in silent.err


def test_time_goes_on_between_notifications(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal, theirs = pty.openpty()
    monkeypatch.setenv("TERM", "xterm")
    with os.fdopen(theirs, "w") as stderr:
        monkeypatch.setattr(sys, "stderr", stderr)
        with progress(describe_scan, quiet=False) as notify:
            time.sleep(1.3)
            notify(Counts(found=3000, inserted=2000))
            time.sleep(1)
    shown = _drain(terminal)
    assert b"looking for files, 0:00" in shown
    assert b"looking for files, 0:01" in shown
    lines = re.findall(rb"3,000 found, 2,000 done \(([0-9,]+)/s\), 0:0([0-9])", shown)
    assert len({rate for rate, _ in lines}) > 1
    assert len({seconds for _, seconds in lines}) > 1


def _drain(terminal: int) -> bytes:
    shown = b""
    try:
        while more := os.read(terminal, 4096):
            shown += more
    except OSError:  # how Linux says that the other side is closed
        pass
    finally:
        os.close(terminal)
    return shown


def test_a_directory_that_may_not_be_read(shell: Shell, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    closed = tree / "closed"
    closed.mkdir(parents=True)
    (tree / "x.exr").write_bytes(exr_file())
    closed.chmod(0)
    try:
        if os.access(closed, os.R_OK):
            pytest.skip("this user may read everything")
        result = shell.run("--store", tmp_path / "c.duckdb", "scan", tree, "--json")
        whole = shell.run("--store", tmp_path / "c.duckdb", "scan", closed)
    finally:
        closed.chmod(0o755)
    assert result.code == 1
    assert result.json()["failures"] == {"unreadable": 1}
    assert "closed: Permission denied" in result.err
    assert whole.code == 4
    assert "closed: Permission denied" in whole.err
