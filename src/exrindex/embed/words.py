"""Taking names apart. ASCII rules only: Unicode tables differ between Python releases."""

from __future__ import annotations

import re
from functools import lru_cache

_LOWER = {upper: upper + 32 for upper in range(ord("A"), ord("Z") + 1)}
_SEPARATORS = re.compile("[/:.]")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_HEX = re.compile(r"(?=[a-fA-F]*[0-9])[0-9a-fA-F]{6,}")
_DIGITS = re.compile("[0-9]+")
# An acronym, a capitalised or a lower-case word; beyond ASCII all counts as lower case.
_WORD = re.compile(r"[A-Z]+(?![a-z\x80-\U0010ffff])|[A-Z]?[a-z\x80-\U0010ffff]+")


def ascii_lower(text: str) -> str:
    """``text`` with A to Z in lower case and nothing else changed."""
    return text.translate(_LOWER)


def segments(name: str) -> list[str]:
    """``exr/nuke/input/frame`` → ["nuke", "input", "frame"], in lower case; never empty."""
    return _SEPARATORS.split(ascii_lower(name.removeprefix("exr/")))


@lru_cache(maxsize=16384)
def normal_name(name: str) -> str:
    """An attribute's name without what changes from frame to frame or shot to shot.

    Identifiers and numbers become ``#``: ``cryptomatte/f834d0a/name`` → ``cryptomatte/#/name``.
    """
    name = _UUID.sub("#", name.removeprefix("exr/"))
    kept = ["#" if _HEX.fullmatch(part) else part for part in _SEPARATORS.split(name)]
    return _DIGITS.sub("#", "/".join(kept))


@lru_cache(maxsize=16384)
def words(layer: str) -> tuple[str, ...]:
    """Distinct words of a layer name, sorted: ``directDiffuse2`` → ("diffuse", "direct")."""
    return tuple(sorted({ascii_lower(word) for word in _WORD.findall(layer)}))
