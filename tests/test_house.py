"""Holds the house to its plan: who may import whom, what is loaded when, how large files get."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import NamedTuple

import pytest

import exrindex

HOUSE = Path(exrindex.__file__).parent

# From the ground up. The ground floor and the doors are one room each.
FLOORS = (
    {
        "model",
        "errors",
        "access",
        "tables",
        "naming",
        "document",
        "cut",
        "renderers",
        "plain",
        "overlap",
    },
    {"exr", "source", "embed", "rows", "pool", "scheduler", "store"},
    {"inspection"},
    {"work"},
    {"scan", "query", "copying"},
    {"cli", "settings", "__init__", "__main__"},
)
GROUND, DOORS = 0, len(FLOORS) - 1
HEAVY = ("vastdb", "duckdb", "distributed", "OpenEXR", "pyarrow", "numpy")
MOST_LINES, LONGEST_FUNCTION = 350, 60


class Import(NamedTuple):
    """A line that imports ``target`` (a module of ours, or a name in one) into ``module``."""

    module: str
    target: str
    line: int
    is_at_top: bool


def _modules() -> dict[str, Path]:
    """Dotted names below ``exrindex`` → files; a package has the name of its folder."""
    found = {}
    for path in sorted(HOUSE.rglob("*.py")):
        parts = path.relative_to(HOUSE).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" and parts[1:] else parts)] = path
    return found


MODULES = _modules()


def _tree(module: str) -> ast.Module:
    return ast.parse(MODULES[module].read_text(encoding="utf-8"))


def _imports(module: str) -> Iterator[Import]:
    tree = _tree(module)
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module}:{node.lineno}: write imports absolutely"
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        for name in names:
            if name.startswith("exrindex."):
                target = name.removeprefix("exrindex.")
                yield Import(module, target, node.lineno, node in tree.body)


def _room(name: str) -> str:
    head = name.partition(".")[0]
    return head if any(head in floor for floor in FLOORS) else "__init__"


def _floor(room: str) -> int:
    return next(number for number, floor in enumerate(FLOORS) if room in floor)


def test_every_file_has_a_place_in_the_plan() -> None:
    homeless = {name for name in MODULES if _room(name) == "__init__"} - {"__init__"}
    assert not homeless
    assert {_room(name) for name in MODULES} == set().union(*FLOORS)


@pytest.mark.parametrize("module", MODULES)
def test_the_one_rule(module: str) -> None:
    """Import from floors below, or from your own room."""
    here = _room(module)
    wrong = []
    for found in _imports(module):
        there = _room(found.target)
        below = _floor(there) < _floor(here)
        same = there == here or _floor(there) == _floor(here) in (GROUND, DOORS)
        if not (below or same or found.target == "__version__"):
            wrong.append(f"{module}:{found.line} imports {found.target}")
    assert not wrong


def test_only_the_doors_read_settings() -> None:
    readers = {
        _room(found.module)
        for module in MODULES
        for found in _imports(module)
        if _room(found.target) == "settings" != _room(found.module)
    }
    assert readers == {"cli"}


def test_nothing_goes_in_circles() -> None:
    graph: dict[str, set[str]] = {name: set() for name in MODULES}
    for module in MODULES:
        for found in _imports(module):
            if found.is_at_top:
                target = found.target
                owner = target if target in MODULES else target.rpartition(".")[0] or "__init__"
                graph[module].add(owner)
    try:
        TopologicalSorter(graph).prepare()
    except CycleError as error:
        pytest.fail(f"import cycle: {' -> '.join(error.args[1])}")


def test_the_command_line_starts_light() -> None:
    code = (
        "import sys, exrindex.cli\n"
        f"print(*sorted({{name.partition('.')[0] for name in sys.modules}} & set({HEAVY!r})))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        cwd=HOUSE.parent,
    )
    assert done.stdout == "\n"


def _body_start(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """The first line that does something: a command's signature is the list of its options."""
    has_docstring = ast.get_docstring(function) is not None and len(function.body) > 1
    return function.body[1 if has_docstring else 0].lineno


@pytest.mark.parametrize("module", MODULES)
def test_files_and_functions_stay_small(module: str) -> None:
    assert len(MODULES[module].read_text(encoding="utf-8").splitlines()) <= MOST_LINES
    long = []
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or 0) - _body_start(node) + 1
            if length > LONGEST_FUNCTION:
                long.append(f"{module}.{node.name}: {length} lines")
    assert not long


@pytest.mark.parametrize("module", MODULES)
def test_nothing_swallows_every_error(module: str) -> None:
    for node in ast.walk(_tree(module)):
        if isinstance(node, ast.ExceptHandler):
            caught = "everything" if node.type is None else ast.unparse(node.type)
            assert caught not in ("everything", "Exception", "BaseException"), (
                f"{module}:{node.lineno} catches {caught}"
            )
