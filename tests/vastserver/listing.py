"""Listings: filtered by name, in pages."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from vastserver.flatbuffer import Node, Scalar
from vastserver.request import Request

_Item = TypeVar("_Item")


@dataclass
class Page(Generic[_Item]):
    items: Sequence[_Item]
    headers: dict[str, str]


def page(
    items: Sequence[_Item],
    request: Request,
    name: Callable[[_Item], str],
    key: Callable[[_Item], int],
) -> Page[_Item]:
    """The items that a listing asks for, in order of ``key``, which is never 0."""
    exact = request.headers.get("tabular-name-exact-match")
    prefix = request.headers.get("tabular-name-prefix", "")
    after = request.number("tabular-next-key")
    matching = [
        item for item in items
        if (name(item).startswith(prefix) if exact is None else name(item) == exact)
    ]  # fmt: skip
    left = sorted((item for item in matching if key(item) > after), key=key)
    chosen = left[: request.number("tabular-max-keys", len(left))]
    headers = {
        "tabular-next-key": str(key(chosen[-1]) if chosen else after),
        "tabular-is-truncated": str(len(chosen) < len(left)).lower(),
    }
    if request.flag("tabular-list-count-only"):
        headers["tabular-list-count"] = str(len(matching))
        chosen = []
    return Page(chosen, headers)


def details(
    object_id: int,
    name: str,
    properties: str = "",
    *,
    num_rows: int = 0,
    size: int = 0,
    is_sorted: bool = False,
) -> Node:
    """An object as listings show it."""
    return {
        0: name,
        1: properties,
        2: str(object_id),
        3: Scalar("Q", num_rows),
        4: Scalar("Q", size),
        6: Scalar("?", is_sorted),
        7: Scalar("q", SORTING_DONE if is_sorted else 0),
    }


# The top bit says that all rows are in order. Guess: they always are.
SORTING_DONE = -(1 << 63)
