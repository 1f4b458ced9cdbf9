"""Which program wrote a file, and which version, from the few attributes that say so."""

from __future__ import annotations

import re
from enum import Enum
from functools import lru_cache
from typing import NamedTuple

from exrindex.embed.words import ascii_lower, segments

# Last name segment of attributes whose text names a program.
_PROGRAM_NAMES = frozenset(
    ("software", "writer", "creator", "renderer", "renderengine", "application", "producer")
)
# What a volatile command line or a licence text adds comes after the program's name.
_TEXT_LIMIT = 200
_MOST_WORDS = 5

_VERSION = re.compile(
    r"(?<![0-9A-Za-z.])[vV]?([0-9]+(?:\.[0-9]+)+(?:v[0-9]+)?)(?![0-9A-Za-z]|\.[0-9])"
)
_YEAR_OR_MAJOR = re.compile(r"(?<![0-9A-Za-z.])[vV]?([0-9]{1,4})(?![0-9A-Za-z.])")
_WORD = re.compile(r"[^\x00-\x40\x5b-\x60\x7b-\x7f]+(?:-[^\x00-\x40\x5b-\x60\x7b-\x7f]+)*")
_MADE_WITH = re.compile(
    r"\s*(?:created|rendered|written|saved|generated|exported)\s+(?:with|by|using|in)\s+(.*)",
    re.IGNORECASE | re.DOTALL | re.ASCII,
)


class Producer(NamedTuple):
    """A program; ``version`` is "" where the text has none."""

    product: str
    version: str


class Source(Enum):
    """How an attribute tells its program."""

    TEXT = "text"
    VERSION = "version"
    COMMENT = "comment"


def producer_source(name: str) -> tuple[Source, str] | None:
    """(how to read the attribute's text, namespace), or None for a name that tells no program."""
    *spaces, last = segments(name)
    namespace = "/".join(spaces)
    if last in _PROGRAM_NAMES:
        return Source.TEXT, namespace
    if spaces and (last.endswith("version") or last == "vraycore"):
        return Source.VERSION, namespace
    if last == "comments":
        return Source.COMMENT, namespace
    return None


@lru_cache(maxsize=4096)
def read_producer(source: Source, namespace: str, text: str) -> Producer | None:
    """The program a text names, or None.

    The first free-standing dotted number is the version (else a short whole number), the words
    before it are the product. ``studio/version = v023`` counts shots, not releases: a version
    attribute needs a dotted number, and its namespace is the product.
    """
    text = text[:_TEXT_LIMIT]
    if source is Source.VERSION:
        found = _VERSION.search(text)
        return Producer(namespace, found.group(1)) if found else None
    if source is Source.COMMENT:
        made_with = _MADE_WITH.fullmatch(text)
        if made_with is None:
            return None
        text = made_with.group(1)
    found = _VERSION.search(text) or _YEAR_OR_MAJOR.search(text)
    before = text[: found.start()] if found else text
    product = " ".join(_WORD.findall(ascii_lower(before))[:_MOST_WORDS]) or namespace
    if not product:
        return None
    return Producer(product, found.group(1) if found else "")


def producer_tokens(producer: Producer) -> dict[str, int]:
    """Tokens and amplitudes: two versions of a program are near, two programs are not."""
    product, version = producer
    tokens = {f"p|{product}": 16}
    if version:
        major, _, rest = version.partition(".")
        minor = re.match("[0-9]*", rest)
        tokens[f"1|{product}|{major}"] = 10
        tokens[f"2|{product}|{major}.{minor.group() if minor else ''}"] = 7
        tokens[f"9|{product}|{version}"] = 5
    return tokens
