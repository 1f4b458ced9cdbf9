"""The sample show and the demo, as `make demo` runs them."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import OpenEXR
import pytest

from cli.command import Shell
from sample_show import FRAMES, PASSES, write_sample_show

TESTS = Path(__file__).parents[1]


def _contents(show: Path) -> dict[str, tuple[bytes, int]]:
    return {
        str(path.relative_to(show)): (path.read_bytes(), path.stat().st_mtime_ns)
        for path in sorted(show.rglob("*"))
        if path.is_file()
    }


def test_the_sample_show_is_the_same_each_time(tmp_path: Path) -> None:
    first = write_sample_show(tmp_path / "a")
    assert _contents(first) == _contents(write_sample_show(tmp_path / "b"))
    assert len(_contents(first)) == sum(p.frames or FRAMES for p in PASSES) - 1 + 3
    with pytest.raises(ValueError, match="at least 10 frames"):
        write_sample_show(tmp_path / "c", frames=9)


def test_the_reference_reader_agrees_that_it_is_a_show(tmp_path: Path) -> None:
    show = write_sample_show(tmp_path, frames=10)
    kinds = set()
    for sequence in PASSES:
        path = show / sequence.path.replace("#", "1001")
        parts = OpenEXR.File(str(path)).parts
        kinds |= {str(part.type()) for part in parts}
        assert len(parts) == (7 if "rman" in str(sequence.header(1)) else 1)
    assert kinds == {"Storage.scanlineimage", "Storage.tiledimage", "Storage.deepscanline"}


def test_the_demo(shell: Shell, tmp_path: Path) -> None:
    programs = tmp_path / "bin"
    programs.mkdir()
    command = programs / "exrindex"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m exrindex "$@"\n')
    command.chmod(0o755)
    environ = {**shell.environ, "PATH": f"{programs}:{shell.environ['PATH']}"}
    folder = tmp_path / "a folder"
    write_sample_show(folder / "shows")
    words = ["sh", str(TESTS / "demo.sh"), str(folder)]
    done = subprocess.run(words, capture_output=True, text=True, env=environ, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "exrindex scan PATH" in done.stdout.splitlines()[-1]

    command.write_text("#!/bin/sh\nexit 5\n")
    failed = subprocess.run(words, capture_output=True, text=True, env=environ, check=False)
    assert failed.returncode == 1
    assert "exit code 5 instead of 1" in failed.stderr
