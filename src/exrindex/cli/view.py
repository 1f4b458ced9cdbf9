"""The document of one file, laid out for people."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from exrindex.cli.output import cell, human_bytes, stdout_console, visible

Document = Mapping[str, Any]

# Shown elsewhere in the view.
_SHOWN = frozenset(
    "channels compression dataWindow displayWindow lineOrder pixelAspectRatio screenWindowCenter"
    " screenWindowWidth tiles type name view chunkCount".split()
)
_LONGEST_VALUE = 300
_STYLE = {"ok": "green", "incomplete": "bold red", "truncated": "bold red", "unchecked": "yellow"}


def print_document(document: Document) -> None:
    """Print one file of ``inspect``; a file that failed goes to stderr in one line."""
    if "error" in document:
        error = document["error"]
        where = "" if error["offset"] is None else f" (at byte {error['offset']})"
        message = f"{document['path']}: {error['reason']}{where} [{error['code']}]"
        print(visible(message), file=sys.stderr)
        return
    console = stdout_console()
    _print_head(console, document)
    for part in document["parts"]:
        _print_part(console, part, alone=len(document["parts"]) == 1)
    if document["findings"]:
        console.print(Text("findings", style="bold yellow"))
        for finding in document["findings"]:
            console.print(Text(f"  {_finding(finding)}"))
    console.print()


def _print_head(console: Console, document: Document) -> None:
    flags = [name for name, is_set in document["flags"].items() if is_set]
    integrity = document["integrity"]
    console.print(Text(visible(document["path"]), style="bold"))
    console.print(
        Text.assemble(
            f"  {human_bytes(document['size_bytes'])}, modified {document['mtime'][:19]}Z, "
            f"header {document['header_bytes']:,} bytes, integrity ",
            (integrity, _STYLE[integrity]),
            f", flags {', '.join(flags)}" if flags else "",
        )
    )


def _print_part(console: Console, part: Document, *, alone: bool) -> None:
    title = "" if alone else f"part {part['index']} "
    name = f'"{part["name"]}" ' if part["name"] else ""
    facts = [part["type"], part["compression"], part["line_order"]]
    if part["view"]:
        facts.append(f"view {part['view']}")
    if part["tile"]:
        tile = part["tile"]
        facts.append(f"tiles {tile['x_size']}x{tile['y_size']} {tile['level_mode']}")
    if part["chunk_count"] is not None:
        facts.append(_number(part["chunk_count"], "chunk"))
    line = f"  {title}{name}" + ", ".join(str(fact) for fact in facts if fact)
    console.print(Text(visible(line), style="cyan"))
    console.print(
        Text(
            f"    data {_window(part['data_window'])}  display {_window(part['display_window'])}"
            f"  pixel aspect {cell(part['pixel_aspect_ratio'])}"
        )
    )
    console.print(_channels(part["channels"]))
    attributes = [a for a in part["attributes"] if a["name"] not in _SHOWN]
    if attributes:
        console.print(_attributes(attributes))


def _window(window: Document | None) -> str:
    if window is None:
        return "none"
    (x_min, y_min), (x_max, y_max) = window["min"], window["max"]
    return f"{x_max - x_min + 1}x{y_max - y_min + 1} ({x_min},{y_min} to {x_max},{y_max})"


def _channels(channels: Sequence[Document]) -> Table:
    """A row per layer, view and type."""
    rows: dict[tuple[str, str, str], list[str]] = {}
    for channel in channels:
        kind = channel["type"]
        if (channel["x_sampling"], channel["y_sampling"]) != (1, 1):
            kind += f" {channel['x_sampling']}x{channel['y_sampling']}"
        if channel["p_linear"]:
            kind += " linear"
        key = (channel["layer"], channel["view"] or "", kind)
        rows.setdefault(key, []).append(channel["component"])
    table = _plain_table(_number(len(channels), "channel"))
    for (layer, view, kind), components in rows.items():
        table.add_row(
            *(
                Text(visible(text), overflow="fold")
                for text in ("      " + (layer or "-"), view, " ".join(components), kind)
            )
        )
    return table


def _attributes(attributes: Sequence[Document]) -> Table:
    table = _plain_table(_number(len(attributes), "more attribute"))
    for attribute in attributes:
        value = _value(attribute["value"])
        if len(value) > _LONGEST_VALUE:
            value = f"{value[:_LONGEST_VALUE]}... ({len(value):,} characters; --json has them all)"
        name = Text(visible("      " + attribute["name"]), overflow="fold")
        table.add_row(name, Text(visible(attribute["type"])), Text(value, overflow="fold"))
    return table


def _value(value: object) -> str:
    """Time codes and rationals as people write them, everything else as in a table."""
    match value:
        case {"time_and_flags": _, "text": str() as text}:
            return text
        case {"num": int() as num, "den": int() as den}:
            return f"{num}/{den}"
    return cell(value)


def _number(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _plain_table(title: str) -> Table:
    return Table(
        box=None,
        title=f"    {title}",
        title_justify="left",
        title_style="dim",
        show_header=False,
        show_edge=False,
        padding=(0, 2, 0, 0),
    )


def _finding(finding: Document) -> str:
    place = []
    if finding["part"] is not None:
        place.append(f"part {finding['part']}")
    if finding["attribute"] is not None:
        place.append(finding["attribute"])
    if finding["offset"] is not None:
        place.append(f"byte {finding['offset']}")
    where = f" ({', '.join(place)})" if place else ""
    return visible(f"{finding['code']}: {finding['message']}{where}")
