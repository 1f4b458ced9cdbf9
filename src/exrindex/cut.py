"""Cutting text so that it fits a store's cell, with its size and digest in place of what is lost.

What stands for a cut value is ``{"cut": true, "bytes": n, "sha256": "...", "head": "..."}``: size
and SHA-256 of the whole, and as much of its beginning as there is room for.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import orjson

from exrindex.model import JSONValue

# Below this many bytes of JSON nothing is gained by cutting a value.
_WORTH_CUTTING = 2048
# A marker without its head, with room to spare.
_MARKER_BYTES = 160

SMALLEST_LIMIT = 4096


def cut_marker(whole: bytes, head: str) -> dict[str, JSONValue]:
    """What stands for a value that was cut; ``head`` is its beginning."""
    return {
        "cut": True,
        "bytes": len(whole),
        "sha256": hashlib.sha256(whole).hexdigest(),
        "head": head,
    }


def cut_text(text: str, limit: int) -> str:
    """The beginning of a text, at most ``limit`` bytes of UTF-8, whole characters only."""
    return text.encode()[:limit].decode("utf-8", "ignore")


def cut_json(text: str, limit: int) -> str:
    """A JSON document of at most ``limit`` bytes (at least ``SMALLEST_LIMIT``) like this one.

    Values are cut one at a time: the smallest that makes it fit, else the largest. Texts, numbers
    and lists of them go before what contains them, so the shape of the document stays as long as
    it can.
    """
    if len(text.encode()) <= limit:
        return text
    box: list[Any] = [orjson.loads(text)]
    while (excess := len(orjson.dumps(box[0])) - limit) > 0:
        holder, key, size = _victim(box, excess + _MARKER_BYTES)
        holder[key] = _cut_value(holder[key], max(size - excess - _MARKER_BYTES, 0))
    return orjson.dumps(box[0]).decode()


def _victim(box: list[Any], wanted: int) -> tuple[Any, Any, int]:
    """Where the value stands that is to be cut next, and its size in bytes of JSON."""
    places = list(_places(box))
    for candidates in (
        [place for place in places if _is_leaf(place[0][place[1]])],
        [place for place in places if place[0] is not box],
        places,
    ):
        if large := [place for place in candidates if place[2] >= wanted]:
            return min(large, key=lambda place: place[2])
        if worthy := [place for place in candidates if place[2] > _WORTH_CUTTING]:
            return max(worthy, key=lambda place: place[2])
    return box, 0, len(orjson.dumps(box[0]))


def _places(holder: Any) -> Iterator[tuple[Any, Any, int]]:
    """Every value below ``holder`` that may be cut: its holder, key and size."""
    keys = range(len(holder)) if isinstance(holder, list) else list(holder)
    for key in keys:
        value = holder[key]
        if isinstance(value, str | list | dict) and not _is_marker(value):
            yield holder, key, len(orjson.dumps(value))
            if isinstance(value, list | dict):
                yield from _places(value)


def _is_leaf(value: Any) -> bool:
    """A text, or a list of what is neither list nor object."""
    if isinstance(value, list):
        return not any(isinstance(item, list | dict) for item in value)
    return isinstance(value, str)


def _is_marker(value: Any) -> bool:
    return isinstance(value, dict) and value.get("cut") is True


def _cut_value(value: Any, room: int) -> dict[str, JSONValue]:
    """The marker of a value, with a head that takes at most ``room`` bytes of JSON."""
    whole = value if isinstance(value, str) else orjson.dumps(value).decode()
    head = cut_text(whole, room)
    # Quotes and control characters take more room in JSON than in the text.
    while (over := len(orjson.dumps(head)) - 2 - room) > 0:
        head = cut_text(head, len(head.encode()) - max(over // 6, 1))
    return cut_marker(whole.encode(), head)
