"""Which program wrote a file, as far as its attributes say so."""

from __future__ import annotations

import re
from collections.abc import Iterable

from exrindex.model import Attribute

# Attribute names that only one writer uses. Order matters: a compositor passes the metadata of
# its inputs through, so its own mark decides.
_BY_NAME: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (renderer, re.compile(pattern))
    for renderer, pattern in (
        ("nuke", r"(?:exr/)?nuke/version"),
        ("arnold", r"arnold/version"),
        ("v-ray", r"vrayInfo/.*"),
        ("redshift", r"(?:rs|redshift)/.*"),
        ("renderman", r"rman/.*"),
        ("unreal", r"unreal/.*"),
        ("karma", r"husk:.*|karma:.*"),
        ("cycles", r"BlenderMultiChannel|cycles\..*"),
        ("guerilla", r"guerilla/.*"),
        ("octane", r"octane/.*"),
        ("corona", r"corona/.*"),
    )
)

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
    relatives say.
    """
    names = set()
    texts = []
    for attribute in attributes:
        names.add(attribute.name)
        if isinstance(attribute.value, str) and attribute.name.lower() in _TELLING:
            texts.append(attribute.value)
    for renderer, pattern in _BY_NAME:
        if any(pattern.fullmatch(name) for name in names):
            return renderer
    for renderer, pattern in _BY_TEXT:
        if any(pattern.search(text) for text in texts):
            return renderer
    return None
