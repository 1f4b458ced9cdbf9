"""Cutting text so that it fits a store's cell, with its size and digest in place of what is lost.

What stands for a cut value is ``{"cut": true, "bytes": n, "sha256": "...", "head": "..."}``: size
and SHA-256 of the whole, and as much of its beginning as there is room for.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left
from collections.abc import Iterator
from typing import Any, NamedTuple

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

    As few values are cut as possible: the smallest that makes it fit, else the largest. Texts,
    numbers and lists of them go before what contains them, so the shape of the document stays as
    long as it can.
    """
    if len(text.encode()) <= limit:
        return text
    box: list[Any] = [orjson.loads(text)]
    original = [orjson.loads(text)]
    # A round cuts values that lie beside each other; the next one what contains them.
    while (excess := len(orjson.dumps(box[0])) - limit) > 0:
        for place, room in _victims(_candidates(box, original), excess):
            place.holder[place.key] = _cut_value(place.original, room)
    return orjson.dumps(box[0]).decode()


class _Place(NamedTuple):
    """Where a value stands, how many bytes of JSON it takes, and what it was before any cut."""

    holder: Any
    key: Any
    size: int
    original: Any

    @property
    def gain(self) -> int:
        """What is saved if nothing of it is kept."""
        return self.size - _MARKER_BYTES


def _victims(candidates: list[_Place], excess: int) -> Iterator[tuple[_Place, int]]:
    """The values to cut, and for how many bytes each may keep of its beginning."""
    candidates.sort(key=lambda place: place.size)
    while candidates and excess > 0:
        if candidates[-1].gain < excess:
            largest = candidates.pop()
            excess -= largest.gain
            yield largest, 0
            continue
        enough = candidates[bisect_left(candidates, excess, key=lambda place: place.gain)]
        yield enough, enough.gain - excess
        return


def _candidates(box: list[Any], original: list[Any]) -> list[_Place]:
    """The values worth cutting that are texts or plain lists; without any, the lowest others."""
    leaves: list[_Place] = []
    others: list[_Place] = []
    _collect(box, original, leaves, others)
    return leaves or others


def _collect(
    holder: Any, original: Any, leaves: list[_Place], others: list[_Place]
) -> tuple[int, bool]:
    """The bytes of JSON of a container, and whether something in it is worth cutting."""
    total, is_worthy_inside = 2 - bool(holder), False
    for key in range(len(holder)) if isinstance(holder, list) else list(holder):
        value = holder[key]
        is_inside = False
        if not isinstance(value, list | dict) or _is_marker(value):
            size = len(orjson.dumps(value))
        else:
            size, is_inside = _collect(value, original[key], leaves, others)
        if size > _WORTH_CUTTING and not is_inside and not _is_marker(value):
            (leaves if _is_leaf(value) else others).append(_Place(holder, key, size, original[key]))
            is_inside = True
        is_worthy_inside |= is_inside
        total += size + 1 + (len(orjson.dumps(key)) + 1 if isinstance(holder, dict) else 0)
    return total, is_worthy_inside


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
