"""Which program wrote a file, as far as its attributes say so."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache

from exrindex.model import Attribute

# Attribute names that only one writer uses: whole, or up to the first of these signs.
_SEPARATORS = re.compile(r"[/:.]")
_BY_NAME = {
    "nuke/version": "nuke",
    "arnold/version": "arnold",
    "BlenderMultiChannel": "cycles",
}
_BY_PREFIX = {
    "vrayInfo/": "v-ray",
    "rs/": "redshift",
    "redshift/": "redshift",
    "rman/": "renderman",
    "unreal/": "unreal",
    "husk:": "karma",
    "karma:": "karma",
    "cycles.": "cycles",
    "guerilla/": "guerilla",
    "octane/": "octane",
    "corona/": "corona",
}

_TELLING = frozenset(("software", "writer", "creator", "renderer", "comments", "comment"))
_BY_TEXT: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (renderer, re.compile(rf"\b(?:{pattern})\b", re.IGNORECASE))
    for renderer, pattern in (
        ("arnold", "arnold"),
        ("v-ray", "v-?ray"),
        ("redshift", "redshift"),
        ("renderman", "renderman|prman"),
        ("karma", "karma"),
        ("mantra", "mantra"),
        ("3delight", "3delight"),
        ("guerilla", "guerilla"),
        ("cycles", "blender|cycles"),
        ("unreal", "unreal"),
        ("octane", "octane(?:render)?"),
        ("corona", "corona"),
        ("mental ray", "mental ray"),
        ("moonray", "moonray"),
        ("gaffer", "gaffer"),
        ("fusion", "fusion"),
        ("after effects", "after effects"),
        ("openimageio", "openimageio|oiiotool|maketx"),
    )
)


def renderer_of(attributes: Iterable[Attribute]) -> str | None:
    """The writer's name in lower case, or None where no rule matches.

    Attribute names that belong to one program are asked first, then what ``software`` and its
    relatives say. A compositor passes the metadata of its inputs through, so its own mark wins.
    """
    attributes = list(attributes)
    marked, telling = _read_names(tuple([attribute.name for attribute in attributes]))
    if marked:
        return marked
    texts = [attributes[index].value for index in telling]
    for renderer, pattern in _BY_TEXT:
        if any(pattern.search(text) for text in texts if isinstance(text, str)):
            return renderer
    return None


@lru_cache(maxsize=4096)
def _read_names(names: tuple[str, ...]) -> tuple[str | None, list[int]]:
    """The program that the names belong to, and which attributes may tell one in words."""
    marked = [renderer for name in names if (renderer := _marked(name))]
    telling = [index for index, name in enumerate(names) if name.lower() in _TELLING]
    return "nuke" if "nuke" in marked else next(iter(marked), None), telling


@lru_cache(maxsize=8192)
def _marked(name: str) -> str | None:
    name = name.removeprefix("exr/")
    separator = _SEPARATORS.search(name)
    prefix = name[: separator.end()] if separator else name
    return _BY_NAME.get(name) or _BY_PREFIX.get(prefix)
