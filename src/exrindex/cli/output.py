"""What commands print: JSON for programs, tables for people."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

import orjson
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

# Wide enough that nothing is cut or folded where no terminal sets a width.
_UNLIMITED = 100_000

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")


class _PipeConsole(Console):
    """A console that leaves a closed pipe to ``main``."""

    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError


def stdout_console() -> Console:
    """A console on stdout; outside a terminal it folds no line."""
    width = None if sys.stdout.isatty() else _UNLIMITED
    return _PipeConsole(width=width, highlight=False, soft_wrap=width is not None)


def visible(value: object) -> str:
    """Text for a terminal: control characters, which could drive it, as ``\\xNN``."""
    return _CONTROL.sub(lambda match: f"\\x{ord(match.group()):02x}", str(value))


def print_json(document: object) -> None:
    """One JSON document on stdout, indented, UTF-8."""
    data = orjson.dumps(document, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
    sys.stdout.flush()
    sys.stdout.buffer.write(data)
    sys.stdout.buffer.flush()


def print_rows(
    rows: Sequence[Mapping[str, object]], columns: Sequence[str], *, nothing: str
) -> None:
    """Rows as a table; ``nothing`` is said on stderr if there are none."""
    if not rows:
        print(nothing, file=sys.stderr)
        return
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        is_number = all(isinstance(row.get(column), int | float | None) for row in rows)
        table.add_column(column, justify="right" if is_number else "left", overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell(row.get(column))) for column in columns))
    stdout_console().print(table)


def cell(value: object) -> str:
    """One value of a table: nothing for null, floats to six digits."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case float():
            return f"{value:.6g}"
        case dict() | list():
            return visible(orjson.dumps(value, default=str).decode())
        case _:
            return visible(value)


def human_bytes(count: float) -> str:
    """``1.2 MB``: decimal units, as disks are sold."""
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(count) < 1000:
            return f"{count:.0f} B" if unit == "B" else f"{count:.1f} {unit}"
        count /= 1000
    return f"{count:.1f} PB"
