from __future__ import annotations

import shutil
from pathlib import Path

import duckdb
import pytest

from cli.command import Shell
from cli.conftest import Catalog
from exrindex.tables import TABLES
from exrmaker import exr_file


def test_status(catalog: Catalog) -> None:
    result = catalog.shell.run("--store", catalog.store, "status", "--json")
    assert result.code == 0
    document = result.json()
    assert document["store"] == f"duckdb://{catalog.store}"
    assert (document["files"], document["sequences"]) == (149, 13)
    assert document["integrity"] == {"ok": 147, "incomplete": 1, "truncated": 1}
    assert document["open_failures"] == {"empty": 1, "not_exr": 1}
    assert set(document["rows"]) == set(TABLES)
    (scan,) = document["scans"]
    assert scan["exit_status"] == 1
    page = catalog.shell.run("--store", catalog.store, "status")
    assert page.code == 0
    assert page.err == ""
    assert "149 files (1." in page.out
    assert "integrity: 1 incomplete, 147 ok, 1 truncated" in page.out


def test_schema_create_show_check(shell: Shell, tmp_path: Path) -> None:
    store = tmp_path / "c.duckdb"
    for created in (True, False):
        result = shell.run("--store", store, "schema", "create", "--json")
        assert result.code == 0
        document = result.json()
        assert document.pop("engine").startswith("DuckDB ")
        assert document == {"store": f"duckdb://{store}", "created": created, "layout": {}}
    shown = shell.run("--store", store, "schema", "show", "--json").json()
    assert {name: [c["name"] for c in t["columns"]] for name, t in shown["tables"].items()} == {
        name: schema.names for name, schema in TABLES.items()
    }
    page = shell.run("--store", store, "schema", "show")
    assert "file_path_normalized" in page.out
    checked = shell.run("--store", store, "schema", "check", "--json")
    assert checked.code == 0
    assert checked.json() == {"store": f"duckdb://{store}", "ok": True, "problems": []}
    empty = shell.run("--store", store, "status")
    assert empty.code == 0
    assert "last read: never" in empty.out


def test_schema_check_finds_what_is_off(catalog: Catalog, tmp_path: Path) -> None:
    store = Path(shutil.copy(catalog.store, tmp_path / "c.duckdb"))
    assert catalog.shell.run("--store", store, "schema", "check").code == 0
    with duckdb.connect(store) as connection:
        connection.execute("DELETE FROM stored.files WHERE renderer = 'cycles'")
    result = catalog.shell.run("--store", store, "schema", "check", "--json")
    assert result.code == 5
    document = result.json()
    assert not document["ok"]
    assert any("channels belong to no file" in problem["what"] for problem in document["problems"])
    assert all(problem["remedy"] for problem in document["problems"])


def _foreign(path: Path, catalog: Catalog) -> None:
    with duckdb.connect(path) as connection:
        connection.execute("CREATE TABLE mine (i INTEGER)")


def _newer(path: Path, catalog: Catalog) -> None:
    shutil.copy(catalog.store, path)
    with duckdb.connect(path) as connection:
        connection.execute("COMMENT ON TABLE stored.files IS 'exrindex schema 99'")


def _noise(path: Path, catalog: Catalog) -> None:
    path.write_bytes(bytes(range(256)) * 20)


def _cut(path: Path, catalog: Catalog) -> None:
    path.write_bytes(catalog.store.read_bytes()[:100_000])


def _directory(path: Path, catalog: Catalog) -> None:
    path.mkdir()


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (_foreign, "it is a DuckDB database of something else; name another file with --store"),
        (_newer, "'exrindex schema 99' instead of"),
        (_noise, "is not a DuckDB database; name another file with --store"),
        (_cut, "Could not read enough bytes"),
        (_directory, "is no regular file; name another one with --store"),
        (None, "yet; run: exrindex scan PATH"),
    ],
)
def test_stores_that_are_none(make: object, says: str, catalog: Catalog, tmp_path: Path) -> None:
    store = tmp_path / "c.duckdb"
    if callable(make):
        make(store, catalog)
    (tmp_path / "x.exr").write_bytes(exr_file())
    before = store.read_bytes() if store.is_file() else None
    commands = [catalog.shell.run("--store", store, "status")]
    if make in (_foreign, _newer, _noise):
        commands.append(catalog.shell.run("--store", store, "scan", tmp_path, "--json"))
    for result in commands:
        assert result.code == 5
        assert result.out == ""
        assert result.err.startswith("exrindex: ")
        assert says in result.err
        assert str(store) in result.err
        assert "Traceback" not in result.err
    assert (store.read_bytes() if store.is_file() else None) == before


@pytest.mark.parametrize(
    ("store", "code", "says"),
    [
        ("catalog", 3, "a path ending in .duckdb"),
        ("sqlite:///x.db", 3, "a path ending in .duckdb"),
        ("duckdb://x.duckdb", 3, "with three slashes"),
        (
            "vast://bucket/schema",
            3,
            "VAST_DB_ENDPOINT, VAST_DB_ACCESS_KEY, VAST_DB_SECRET_KEY are not",
        ),
        ("absent/c.duckdb", 5, "is not a directory; create it"),
    ],
)
def test_names_of_no_store(shell: Shell, store: str, code: int, says: str) -> None:
    (shell.cwd / "x.exr").write_bytes(exr_file())
    result = shell.run("--store", store, "scan", ".")
    assert result.code == code
    assert says in result.err


def test_a_store_may_be_a_url(catalog: Catalog) -> None:
    assert catalog.shell.run("--store", f"duckdb://{catalog.store}", "status").code == 0
