from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import pytest

from cli.command import Shell
from sample_show import write_sample_show


class Catalog(NamedTuple):
    """The sample show, and a store that holds it; tests only read both."""

    show: Path
    store: Path
    shell: Shell

    def sql(self, statement: str) -> list[dict[str, object]]:
        result = self.shell.run("--store", self.store, "query", "sql", statement, "--json")
        assert result.code == 0, result.err
        rows: list[dict[str, object]] = result.json()
        return rows


@pytest.fixture(scope="session")
def catalog(tmp_path_factory: pytest.TempPathFactory) -> Catalog:
    folder = tmp_path_factory.mktemp("catalog")
    show = write_sample_show(folder / "shows")
    shell = Shell(folder / "home")
    store = folder / "catalog.duckdb"
    assert shell.run("--store", store, "scan", show).code == 1
    return Catalog(show, store, shell)


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    return Shell(tmp_path / "home")
