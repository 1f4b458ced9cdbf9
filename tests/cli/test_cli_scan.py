from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from cli.command import Shell
from cli.conftest import Catalog
from exrmaker import exr_file

SUMMARY_KEYS = [
    "scan_id", "store", "roots", "found", "inserted", "updated", "unchanged", "retired", "failed",
    "seconds", "files_per_second",
]  # fmt: skip


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Four good files in two directories."""
    root = tmp_path / "tree"
    for name in ("a/x.1001.exr", "a/x.1002.exr", "b/y.exr", "b/z.exr"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(exr_file())
    return root


def _counts(document: dict[str, object]) -> dict[str, object]:
    names = ("found", "inserted", "updated", "unchanged", "retired", "failed")
    return {name: document[name] for name in names if document[name]}


def test_the_whole_life_of_a_tree(shell: Shell, tree: Path, tmp_path: Path) -> None:
    def scan(*words: str | Path) -> dict[str, object]:
        result = shell.run("--store", store, "scan", *words, "--json")
        assert result.code == 0, result.err
        document: dict[str, object] = result.json()
        return document

    store = tmp_path / "c.duckdb"
    dry = scan(tree, "--dry-run")
    assert _counts(dry) == {"found": 4, "inserted": 4}
    assert not store.exists()

    first = scan(tree)
    assert set(SUMMARY_KEYS) <= first.keys()
    assert first["store"] == f"duckdb://{store}"
    assert first["roots"] == [str(tree)]
    assert first["exit_status"] == 0
    assert _counts(first) == {"found": 4, "inserted": 4}
    assert _counts(scan(tree)) == {"found": 4, "unchanged": 4}
    assert _counts(scan(tree, "--force")) == {"found": 4, "updated": 4}

    (tree / "a/x.1001.exr").write_bytes(exr_file(width=5))
    (tree / "b/y.exr").unlink()
    changed = scan(tree)
    assert _counts(changed) == {"found": 3, "inserted": 1, "unchanged": 2, "retired": 1}
    assert _counts(scan(tree, "--prune")) == {"found": 3, "unchanged": 3, "retired": 1}


def test_people_read_a_summary_and_every_bad_file(shell: Shell, tree: Path, tmp_path: Path) -> None:
    (tree / "b/empty.exr").touch()
    (tree / "b/cut.exr").write_bytes(exr_file()[:-1])
    store = tmp_path / "c.duckdb"
    first = shell.run("--store", store, "scan", tree)
    assert first.code == 1
    assert "6 files found" in first.out
    assert "5 inserted, 1 failed" in first.out
    assert "failed: 1 empty\nbroken: 1 truncated" in first.out
    assert f"{tree}/b/cut.exr: cut off" in first.err
    assert f"{tree}/b/empty.exr: the file is empty [empty]" in first.err
    assert "store:" not in first.err  # it was named on the command line

    quiet = shell.run("-q", "--store", store, "scan", tree)
    assert quiet.code == 1
    assert quiet.out == ""
    assert "empty.exr" in quiet.err


def test_a_dry_run_takes_every_changed_file_for_updated(
    shell: Shell, tree: Path, tmp_path: Path
) -> None:
    words = ("--store", tmp_path / "c.duckdb", "scan", tree, "--json")
    assert shell.run(*words).code == 0
    os.utime(tree / "b/y.exr", (1, 1))
    (tree / "b/z.exr").write_bytes(exr_file(width=5))
    os.utime(tree / "b/z.exr", (1, 1))
    dry = shell.run(*words, "--dry-run").json()
    assert _counts(dry) == {"found": 4, "updated": 2, "unchanged": 2}
    done = shell.run(*words).json()
    assert _counts(done) == {
        "found": 4, "inserted": 1, "updated": 1, "retired": 1, "unchanged": 2,
    }  # fmt: skip


def test_lists_of_files(shell: Shell, tree: Path, tmp_path: Path) -> None:
    names = [f"{tree}/a/x.1001.exr", "tree/b/y.exr", f"{tree}/gone.exr"]
    shell.cwd = tmp_path
    plain = shell.run("--store", "c.duckdb", "scan", "--from-file", "-", "--json",
                      stdin="\n".join(names).encode())  # fmt: skip
    assert plain.code == 1
    assert _counts(plain.json()) == {"found": 3, "inserted": 2, "failed": 1}
    assert "gone.exr" in plain.err

    (tmp_path / "list").write_bytes("\0".join(names[:2]).encode())
    nul = shell.run("--store", "c.duckdb", "scan", "--from-file", "list", "--json")
    assert nul.code == 0
    assert _counts(nul.json()) == {"found": 2, "unchanged": 2}
    assert nul.json()["roots"] == [str(tmp_path / "list")]


def test_exclude_workers_and_commit_files(shell: Shell, tree: Path, tmp_path: Path) -> None:
    result = shell.run(
        "-v", "--store", tmp_path / "c.duckdb", "scan", tree / "a", tree / "b/y.exr",
        "--exclude", "*.1002.exr", "--exclude", "nothing", "--workers", "2", "--commit-files", "1",
    )  # fmt: skip
    assert result.code == 0, result.err
    assert "2 files found" in result.out
    assert "skipped: 1 excluded" in result.out


def test_symbolic_links(shell: Shell, tree: Path, tmp_path: Path) -> None:
    (tree / "a/latest").symlink_to(tree / "b")
    plain = shell.run("--store", tmp_path / "c.duckdb", "scan", tree / "a", "--json")
    assert plain.json()["found"] == 2
    followed = shell.run(
        "--store", tmp_path / "c.duckdb", "scan", tree / "a", "--follow-symlinks", "--json"
    )
    assert followed.json()["found"] == 4


def test_an_empty_directory_is_no_error(shell: Shell, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    result = shell.run("--store", tmp_path / "c.duckdb", "scan", tmp_path / "empty")
    assert result.code == 0
    assert "is the path right?" in result.out


def test_roots_that_cannot_be_opened(shell: Shell, tree: Path, tmp_path: Path) -> None:
    store = tmp_path / "c.duckdb"
    none = shell.run("--store", store, "scan", tmp_path / "typo", "--json")
    assert none.code == 4
    assert none.out == ""
    assert "typo: No such file or directory" in none.err
    assert not store.exists()

    some = shell.run("--store", store, "scan", tmp_path / "typo", tree, "--json")
    assert some.code == 4
    assert _counts(some.json()) == {"found": 4, "inserted": 4}
    assert "typo: No such file or directory; it was not scanned" in some.err


def test_prune_leaves_what_looks_unmounted(shell: Shell, tree: Path, tmp_path: Path) -> None:
    store = tmp_path / "c.duckdb"
    assert shell.run("--store", store, "scan", tree).code == 0
    shutil.rmtree(tree)
    tree.mkdir()
    result = shell.run("--store", store, "scan", tree, "--prune", "--json")
    assert result.code == 0
    assert result.json()["retired"] == 0
    assert "Is it mounted?" in result.err


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["scan"], 2, "give PATHs or --from-file"),
        (["scan", "x", "--from-file", "y"], 2, "give PATHs or --from-file"),
        (["scan", "--from-file", "-", "--prune"], 2, "--prune needs directories"),
        (["scan", "--from-file", "absent"], 4, "--from-file absent: No such file"),
        (["scan", "x", "--workers", "0"], 2, "--workers"),
        (["scan", "x", "--commit-files", "0"], 2, "--commit-files"),
        (["scan", "x", "--exclude", "#"], 2, "exclude pattern '#' matches nothing"),
        (["scan", "x", "--bogus"], 2, "--bogus"),
        (["scan", ""], 2, "is not a path"),
    ],
)
def test_what_makes_no_sense(shell: Shell, words: list[str], code: int, says: str) -> None:
    result = shell.run(*words)
    assert result.code == code
    assert says in result.err
    assert result.out == ""


def test_an_exr_file_is_no_list(catalog: Catalog, tmp_path: Path, shell: Shell) -> None:
    image = next(catalog.show.rglob("*.exr"))
    result = shell.run("--store", tmp_path / "c.duckdb", "scan", "--from-file", image)
    assert result.code == 2
    assert "this is an EXR file, not a list" in result.err


def test_the_run_is_recorded(catalog: Catalog) -> None:
    (row,) = catalog.sql("SELECT * FROM scans")
    counts = json.loads(str(row["counts"]))
    assert row["exit_status"] == 1
    assert row["finished_at"] is not None
    assert counts["failed"] == 2
    assert json.loads(str(row["roots"])) == [str(catalog.show)]
    assert os.path.isabs(str(catalog.show))
