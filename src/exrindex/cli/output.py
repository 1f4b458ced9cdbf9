"""What commands print: JSON for programs, tables for people."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

import orjson
from rich import box
from rich.cells import cell_len
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

# Wide enough that nothing is cut or folded where no terminal sets a width.
_UNLIMITED = 100_000

# Control characters, and those that turn the direction of writing or break lines.
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069]")


class _PipeConsole(Console):
    """A console that leaves a closed pipe to ``main``."""

    def on_broken_pipe(self) -> NoReturn:
        raise BrokenPipeError


def stdout_console() -> Console:
    """A console on stdout; outside a terminal it folds no line."""
    width = None if sys.stdout.isatty() else _UNLIMITED
    return _PipeConsole(width=width, highlight=False, soft_wrap=width is not None)


def visible(value: object) -> str:
    """Text for a terminal: characters that could drive it as ``\\xNN`` or ``\\uNNNN``."""
    return _CONTROL.sub(_escaped, str(value))


def _escaped(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 256 else f"\\u{code:04x}"


def message(error: object) -> str:
    """An error's text for a terminal: like ``visible``, but lines stay lines."""
    return "\n".join(map(visible, str(error).split("\n")))


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
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for column in columns:
        is_number = all(isinstance(row.get(column), int | float | None) for row in rows)
        justify: JustifyMethod = "right" if is_number else "left"
        table.add_column(Text(visible(column)), justify=justify, overflow="fold")
    for row in rows:
        table.add_row(*(Text(cell(row.get(column))) for column in columns))
    stdout_console().print(table)


def print_lines(
    rows: Sequence[Mapping[str, object]],
    columns: Sequence[str],
    *,
    nothing: str,
    shorten: bool = True,
) -> None:
    """Rows that are about a path, which is the last column and is never folded.

    On a terminal that is too narrow, ``shorten`` shows paths below the folder they have in common;
    if that does not help, each has a line of its own below the rest of its row. ``nothing`` is
    said on stderr if there are no rows.
    """
    if not rows:
        print(nothing, file=sys.stderr)
        return
    *names, last = columns
    texts = [[cell(row.get(name)) for name in names] for row in rows]
    paths = [cell(row.get(last)) for row in rows]
    widths = [max(map(cell_len, column)) for column in zip(names, *texts, strict=True)]
    numbers = [all(isinstance(row.get(n), int | float | None) for row in rows) for n in names]
    console = stdout_console()
    room = console.width - sum(widths) - 2 * len(widths)
    folder = _common_folder(paths) if shorten and _widest(paths) > room else ""
    paths = [path.removeprefix(folder) for path in paths]
    between = "" if _widest(paths) <= room else "\n    "
    if folder:
        console.print(Text(f"in {folder}"), soft_wrap=True)
    for index, (facts, path) in enumerate(zip([names, *texts], [last, *paths], strict=True)):
        line = _aligned(facts, widths, numbers)
        line = f"{line.rstrip()}{between}{path}" if between else line + path
        console.print(Text(line, style="" if index else "bold"), soft_wrap=True)


def _widest(texts: Sequence[str]) -> int:
    return max(map(cell_len, texts))


def _common_folder(paths: Sequence[str]) -> str:
    """The folder that all paths are in, with its slash; empty where that saves nothing."""
    if len(paths) < 2 or not all(path.startswith("/") for path in paths):
        return ""
    folder = os.path.commonpath([os.path.dirname(path) for path in paths])
    return folder + "/" if folder != "/" else ""


def _aligned(texts: Sequence[str], widths: Sequence[int], numbers: Sequence[bool]) -> str:
    line = ""
    for text, width, is_number in zip(texts, widths, numbers, strict=True):
        space = " " * (width - cell_len(text))
        line += (space + text if is_number else text + space) + "  "
    return line


def short_time(moment: object) -> str | None:
    """A time of a document (ISO 8601 in UTC) to the second; None for what is no time."""
    return f"{moment[:19].replace('T', ' ')}Z" if isinstance(moment, str) else None


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
