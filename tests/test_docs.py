"""Holds the documentation to the code, in both directions, and runs its examples."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import typer.main

from cli.command import Shell
from exrindex import errors
from exrindex.cli import app
from exrindex.copying import copy
from exrindex.exr import FINDINGS
from exrindex.model import FailureCode, Integrity
from exrindex.plain import plain_rows
from exrindex.settings import Settings, load_settings
from exrindex.settings.profiles import Profile
from exrindex.store.duck import DuckStore
from exrindex.tables import TABLES
from sample_show import write_sample_show
from vastserver import VastServer
from vaststore import driver, store_on

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = [ROOT / name for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md")] + sorted(
    DOCS.rglob("*.md")
)
# Kinds of columns, as docs/schema.md names them.
KINDS: dict[pa.DataType, str] = {
    pa.string(): "text",
    pa.int64(): "whole number",
    pa.float64(): "number",
    pa.bool_(): "yes/no",
    pa.timestamp("us", tz="UTC"): "time",
}


def _read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def _section(text: str, title: str) -> str:
    """What stands below a heading, up to the next one of its level."""
    found = re.search(rf"^## {re.escape(title)}\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    assert found, f"no section {title!r}"
    return found.group(1)


def _rows(section: str) -> list[list[str]]:
    """The cells of every table row below the headings."""
    rows = []
    for line in section.splitlines():
        if line.startswith("| "):
            rows.append([c.strip() for c in re.split(r"(?<!\\)\|", line)[1:-1]])
    return rows


def _codes(section: str) -> set[str]:
    """What the first cells of a table hold in backticks."""
    return {code for row in _rows(section) for code in re.findall(r"`([^`]+)`", row[0])}


# --- the command line -------------------------------------------------------------------------


def _commands(command: Any = None, name: str = "") -> Iterator[tuple[str, Any]]:
    """Every command that does something, by its full name; the application itself is ""."""
    command = command or typer.main.get_command(app)
    children = getattr(command, "commands", {})
    if not children or not name:
        yield name, command
    for child, below in children.items():
        yield from _commands(below, f"{name} {child}".strip())


def _options(command: Any) -> set[str]:
    return {
        flag
        for parameter in command.params
        for flag in (*parameter.opts, *parameter.secondary_opts)
        if flag.startswith("-")
    }


def _documented_commands() -> dict[str, set[str]]:
    """Command → options, as docs/cli.md has them."""
    text = _read("docs/cli.md")
    found: dict[str, set[str]] = {"": _flags(text.partition("\n## ")[0])}
    for title in re.findall(r"^## (.*)$", text, re.MULTILINE):
        for name in title.split(", "):
            if name.split()[0] in ("Exit", "Settings", "Profiles"):
                continue
            found[name] = _flags(_section(text, title))
    return found


def _flags(section: str) -> set[str]:
    return {code.split()[0] for code in _codes(section)} - {"-h", "--help"}


def test_every_command_and_option_is_documented_and_exists() -> None:
    real = {name: _options(command) - {"-h", "--help"} for name, command in _commands()}
    assert _documented_commands() == real


def test_exit_codes() -> None:
    documented = {
        name: int(row[0])
        for row in _rows(_section(_read("docs/cli.md"), "Exit codes"))[1:]
        for name in re.findall(r"`(\w+)`", row[2])
    }
    real = {
        name: kind.exit_code
        for name, kind in vars(errors).items()
        if isinstance(kind, type) and issubclass(kind, errors.ExrIndexError)
    }
    assert documented == real
    codes = {int(row[0]) for row in _rows(_section(_read("docs/cli.md"), "Exit codes"))[1:]}
    assert codes == {0, *real.values(), 74, 130, 141, 143}


def test_every_error_has_a_remedy() -> None:
    page = _read("docs/troubleshooting.md")
    named = set(re.findall(r"`(\w+)`", page))
    for name, kind in vars(errors).items():
        if isinstance(kind, type) and issubclass(kind, errors.ExrIndexError):
            assert name in named or kind is errors.ExrIndexError, name


def test_quoted_messages_exist() -> None:
    """The messages in the tables are those of the source, DuckDB's own left aside."""
    source = "".join(path.read_text() for path in (ROOT / "src").rglob("*.py"))
    source = re.sub(r'"\n\s*f?"', "", source)  # adjacent literals
    theirs = ("Parser Error", "Binder Error", "Cannot execute", "file system operations",
              "Corrupt database", "No such file", "Permission denied")  # fmt: skip
    for row in _rows(_read("docs/troubleshooting.md")):
        for quoted in re.findall(r"`([^`]+)`", row[-2]):
            if quoted.startswith("PATH: ") or any(word in quoted for word in theirs):
                continue
            for piece in re.split(r"\.\.\.|\[\w+\]", quoted):
                assert piece.strip() in source, quoted


# --- settings ---------------------------------------------------------------------------------


def test_environment_variables() -> None:
    documented = {
        row[0].strip("`")
        for row in _rows(_section(_read("docs/cli.md"), "Settings"))
        if row[0].startswith(("`EXRINDEX_", "`VAST_"))
    }
    folder = ROOT / "src/exrindex/settings"
    source = "".join(path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.py")))
    named = set(re.findall(r'"((?:EXRINDEX|VAST_DB)_[A-Z_]+)"', source))
    from_fields = re.search(r"FROM_TEXT: [^{]*\{(.*?)\n\}", source, re.DOTALL)
    assert from_fields
    named |= {f"EXRINDEX_{key.upper()}" for key in re.findall(r'"(\w+)":', from_fields.group(1))}
    assert documented == named


def test_settings_keys(tmp_path: Path) -> None:
    section = _section(_read("docs/cli.md"), "Settings")
    keys = {row[0].strip("`") for row in _rows(section) if len(row) == 3} - {"key"}
    assert keys == {field.name for field in fields(Settings)} - {"store_from", "profile_from"}
    (example,) = re.findall(r"```toml\n(.*?)```", section, re.DOTALL)
    assert set(tomllib.loads(example)) == keys
    (tmp_path / "exrindex.toml").write_text(example)
    assert load_settings({}, config=tmp_path / "exrindex.toml").workers == 8


# --- the tables -------------------------------------------------------------------------------


def test_every_column_is_documented_and_exists() -> None:
    text = _read("docs/schema.md")
    for name, schema in TABLES.items():
        documented = [tuple(row) for row in _rows(_section(text, name))[1:]]
        assert documented == [
            (
                f"`{field.name}`",
                KINDS.get(field.type) or f"float32[{field.type.list_size}]",
                "yes" if field.nullable else "",
                field.metadata[b"doc"].decode(),
            )
            for field in schema
        ]


@pytest.mark.parametrize(
    ("title", "codes"),
    [
        ("Integrity", set(Integrity)),
        ("Failure codes", set(FailureCode)),
        ("Findings", set(FINDINGS)),
        ("Values of attributes", {n for n in TABLES["attributes"].names if n.startswith("value_")}),
    ],
)
def test_codes(title: str, codes: set[str]) -> None:
    assert _codes(_section(_read("docs/schema.md"), title)) == codes


def test_findings_say_what_the_code_says() -> None:
    rows = _rows(_section(_read("docs/schema.md"), "Findings"))[1:]
    assert {row[0].strip("`"): row[1] for row in rows} == FINDINGS


# --- examples ---------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """A shell in a directory where `make demo` has been."""
    folder = tmp_path_factory.mktemp("demo")
    write_sample_show(folder / "demo/shows")
    return Shell(folder / "home", folder)


def test_the_readme_can_be_followed(demo: Shell) -> None:
    commands = re.findall(r"^\$ exrindex (.*)$", _read("README.md"), re.MULTILINE)
    assert len(commands) >= 7
    for command in commands:
        result = demo.run(*shlex.split(command))
        assert result.code == (1 if " scan " in command else 0), command + result.err
        assert result.out, command


def test_the_queries_run_and_find_the_same_everywhere(demo: Shell) -> None:
    path = demo.cwd / "queries.duckdb"
    assert demo.run("--store", path, "scan", "demo/shows").code == 1
    queries = re.findall(r"```sql\n(.*?)```", _read("docs/schema.md"), re.DOTALL)
    assert len(queries) >= 12
    embedded = DuckStore(path)
    with VastServer() as server:
        on_vast = store_on(server)
        copy(embedded, on_vast)
        for query in queries:
            found = embedded.sql(query)
            assert found.num_rows, query
            for has_driver in (True, False):
                with driver(is_there=has_driver):
                    assert _sorted(on_vast.sql(query)) == _sorted(found), query


def _sorted(rows: pa.Table) -> list[str]:
    """Rows in one order: a query may leave it open."""
    return sorted(map(repr, plain_rows(rows)))


def test_the_keys_of_a_profile() -> None:
    section = _section(_read("docs/cli.md"), "Profiles")
    documented = {code for row in _rows(section)[1:] for code in re.findall(r"`(\w+)`", row[0])}
    keys = {"access_key", "secret_key"}
    names = {field.name for field in fields(Profile)} - {"name"}
    assert documented == names | {f"{key}_{where}" for key in keys for where in ("env", "file")}


def test_make_targets_that_are_named_exist() -> None:
    targets = set(re.findall(r"^([a-z-]+):", _read("Makefile"), re.MULTILINE))
    for page in PAGES:
        for named in re.findall(r"(?:^|`)make ([a-z-]+)", page.read_text(), re.MULTILINE):
            assert named in targets, f"{page.name}: make {named}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_and_files_exist(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("https://"):
            continue
        path, _, anchor = target.partition("#")
        there = page if not path else (page.parent / path).resolve()
        assert there.exists(), target
        if anchor:
            headings = re.findall(r"^#+ (.*)$", there.read_text(encoding="utf-8"), re.MULTILINE)
            assert anchor in {heading.lower().replace(" ", "-") for heading in headings}, target
    for name in re.findall(r"`((?:src|tests|docs)/[\w/.-]+)`", text):
        assert (ROOT / name).exists(), name
