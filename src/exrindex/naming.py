"""Names of the trade: frames and sequences, layers and components, versions, shows and shots.

Pure functions of text. Where a rule does not match the answer is None, never a guess.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import NamedTuple

from exrindex.model import Header, Part

# --- text -------------------------------------------------------------------------------------

_LONE_SURROGATE = re.compile("[\udc80-\udcff]")
_LOOKS_ESCAPED = re.compile(r"\\(?=x[0-9a-f]{2})")


@lru_cache(maxsize=65536)
def escape_text(text: str) -> str:
    r"""Make a name that may hold undecodable bytes fit for UTF-8, so that it can be undone.

    A byte that is not UTF-8 (a lone surrogate, as ``os.fsdecode`` gives it) becomes ``\xNN``; a
    backslash that would read like such an escape becomes ``\x5c``. ``unescape_text`` undoes it.
    """
    if text.isascii() and "\\" not in text:
        return text
    text = _LOOKS_ESCAPED.sub(r"\\x5c", text)
    return _LONE_SURROGATE.sub(lambda m: f"\\x{ord(m.group()) - 0xDC00:02x}", text)


def unescape_text(text: str) -> str:
    """Undo ``escape_text``; the result may hold lone surrogates again."""
    raw = re.sub(
        rb"\\x([0-9a-f]{2})",
        lambda m: bytes([int(m.group(1), 16)]),
        text.encode("utf-8", "surrogateescape"),
    )
    return raw.decode("utf-8", "surrogateescape")


# --- places -----------------------------------------------------------------------------------

_DRIVE = re.compile(r"[A-Za-z]:[\\/]|\\\\")


def normalize_path(path: str, path_maps: Sequence[tuple[str, str]] = ()) -> str:
    r"""The canonical place of a file: one text for one place, whoever scans it.

    Absolute, POSIX separators, without ``.`` and ``..``, Unicode NFC, undecodable bytes escaped.
    ``path_maps`` are (prefix, replacement) pairs such as ``("P:\\shows", "/mnt/shows")``; the
    longest prefix that ends at a separator wins. Case is kept, symbolic links are not resolved.
    """
    if _is_plain(path):
        pass
    elif _DRIVE.match(path):
        path = path.replace("\\", "/")
        if not path.startswith("//"):
            path = path[0].upper() + path[1:]
        path = _collapse(path)
    elif "://" not in path:
        path = os.path.abspath(path)
        if path.startswith("//"):
            path = path[1:]
    if not path.isascii():
        path = unicodedata.normalize("NFC", path)
    for prefix, replacement in sorted(path_maps, key=lambda pair: -len(pair[0])):
        prefix = normalize_path(prefix)
        if path == prefix or path.startswith(prefix.rstrip("/") + "/"):
            path = normalize_path(replacement).rstrip("/") + path[len(prefix.rstrip("/")) :]
            break
    return escape_text(path)


def _is_plain(path: str) -> bool:
    """Whether a path is absolute and ASCII, and nothing in it can be collapsed: most are."""
    return (
        path[:1] == "/"
        and path[-1] != "/"
        and "/." not in path
        and "//" not in path
        and path.isascii()
    )


def directory_of(place: str) -> str:
    """The directory of a normalised place."""
    return place.rpartition("/")[0] or "/"


def _collapse(path: str) -> str:
    """Remove ``.``, ``..`` and doubled slashes from a drive or UNC path."""
    head, parts = ("//", path[2:]) if path.startswith("//") else (path[:3], path[3:])
    kept: list[str] = []
    for part in parts.split("/"):
        if part == "..":
            del kept[-1:]
        elif part not in ("", "."):
            kept.append(part)
    return head + "/".join(kept)


# --- frames -----------------------------------------------------------------------------------


class FrameName(NamedTuple):
    """A file name taken apart: ``head`` + number + ``tail``; ``padding`` counts a minus sign."""

    head: str
    frame: int
    padding: int
    tail: str

    @property
    def pattern(self) -> str:
        """The name with one ``#`` for each character of the number, a minus sign included."""
        return self.head + "#" * self.padding + self.tail


_FRAME = re.compile(
    # A minus is a sign behind a dot or underscore and in first place, else it separates.
    r"(?P<head>.*?)(?P<sep>(?:[._]|(?<=[^._])-)?)"
    r"(?P<frame>(?:(?<![^._])-)?(?<![0-9])[0-9]{1,9})(?P<tail>\.[A-Za-z0-9]+)",
    re.DOTALL,
)
_TRAILING_WORD = re.compile(r"[A-Za-z]+$")
_RESOLUTION_BEFORE_DIGITS = re.compile(r"[0-9][xX]$")
# A number right behind one of these words names a thing, not a frame (sh0100.exr, cam2.exr).
_NUMBERED_THINGS = frozenset(
    "v ver version sh shot sq seq sequence sc scene ep episode take cam camera part reel roll"
    " lod udim u job task layer pass light lgt mask matte id".split()
)


@lru_cache(maxsize=4096)
def split_frame(filename: str) -> FrameName | None:
    """Find the frame number: the last number before the extension, if it is one.

    Not frames: version numbers (``_v003.exr``), resolutions (``_2048x1152.exr``), numbers glued
    to a word that names a thing (``sh0100.exr``) and numbers of ten or more digits (dates).
    """
    match = _FRAME.fullmatch(filename)
    if match is None:
        return None
    head, sep, digits, tail = match.group("head", "sep", "frame", "tail")
    if not sep:
        if _RESOLUTION_BEFORE_DIGITS.search(head):
            return None
        word = _TRAILING_WORD.search(head)
        if word and word.group().lower() in _NUMBERED_THINGS:
            return None
    return FrameName(head + sep, int(digits), len(digits), tail)


_TEXTURE_FOLDER = re.compile(r"(?:^|[/_.-])(?:tex|textures?|maps|udims?)(?=[/_.-])", re.IGNORECASE)


def sequence_of(path: str) -> tuple[str | None, int | None]:
    """(place with the frame number as ``#`` signs, frame number) of a normalised path.

    Both None where the name holds no frame number, or a UDIM tile (1001 to 1999 below a folder
    named for textures).
    """
    directory, slash, filename = path.rpartition("/")
    name = split_frame(filename)
    if name is None:
        return None, None
    if 1001 <= name.frame <= 1999 and _TEXTURE_FOLDER.search(directory + slash):
        return None, None
    return directory + slash + name.pattern, name.frame


# --- channels ---------------------------------------------------------------------------------

# Part names that stand for the base layer and say nothing about their channels.
BASE_PART_NAMES = frozenset(("", "rgba", "rgb", "beauty", "main", "c", "default", "part0"))


def split_channel(name: str) -> tuple[str, str]:
    """``spec.R`` → ("spec", "R"): split at the last dot.

    A dot in first or last place makes no layer (``ChannelList::layers`` of the reference library).
    """
    layer, dot, component = name.rpartition(".")
    if not dot or not layer or not component:
        return "", name
    return layer, component


class ChannelPlace(NamedTuple):
    """Where a channel belongs; ``layer`` is "" for the base layer, ``view`` None without views."""

    layer: str
    component: str
    view: str | None


@lru_cache(maxsize=65536)
def channel_place(
    name: str, part_name: str | None, part_view: str | None, views: tuple[str, ...]
) -> ChannelPlace:
    """Layer, component and view of a channel, wherever the writer put them.

    ``views`` is the ``multiView`` attribute (first = default view), empty without it. A view is
    the last segment of the layer (the standard) or its first (Nuke). In a multi-part file
    (``part_name`` given) the part has the view, and its name is the layer of channels without one.
    """
    layer, component = split_channel(name)
    view = part_view
    if views:
        head, _, last = layer.rpartition(".")
        first, _, rest = layer.partition(".")
        if last in views:
            layer, view = head, last
        elif first in views:
            layer, view = rest, first
        elif not layer:
            view = views[0]
    if not layer and part_name is not None:
        layer = _layer_of_part(part_name, part_view)
    return ChannelPlace(layer, component, view)


def channel_places(header: Header, part: Part) -> list[ChannelPlace]:
    """The place of each channel of a part, in the order of ``part.channels``."""
    part_name = (part.name or "") if header.is_multipart else None
    views = header.views
    return [channel_place(channel.name, part_name, part.view, views) for channel in part.channels]


def _layer_of_part(part_name: str, view: str | None) -> str:
    name = part_name
    if view:
        if name == view:
            return ""
        for separator in "._-":
            name = name.removesuffix(separator + view).removeprefix(view + separator)
    return "" if name.lower() in BASE_PART_NAMES else name


# --- versions, shows, shots -------------------------------------------------------------------

_VERSION = re.compile(r"(?<![A-Za-z0-9])[vV]([0-9]{1,5})(?![A-Za-z0-9])")


def version_of(path: str) -> int | None:
    """The version number in a path: the deepest ``v012`` of its directories, else its name's."""
    directory, _, filename = path.rpartition("/")
    found = _VERSION.findall(directory) or _VERSION.findall(filename)
    return int(found[-1]) if found else None


class Place(NamedTuple):
    """Show, sequence and shot of a path, each None where no rule matched."""

    show: str | None
    sequence: str | None
    shot: str | None


_SHOW_ROOTS = frozenset(("shows", "show", "jobs", "job", "projects", "prod", "prj"))
_SHOT = re.compile(r"(?:sh|shot)[_-]?[0-9]{2,5}[A-Za-z]?", re.IGNORECASE)
_NUMBERED = re.compile(r"[A-Za-z]{1,6}[0-9]{0,4}_[0-9]{3,4}(?P<second>_[0-9]{3,4})?")
_SEQUENCE = re.compile(r"(?:sq|seq|sequence|sc|scene|ep)[_-]?[0-9]{1,6}[A-Za-z]?", re.IGNORECASE)


@lru_cache(maxsize=4096)
def place_of(directory: str) -> Place:
    """Show, sequence and shot from a normalised directory.

    The show is the component below a folder such as ``shows`` or ``jobs``; where there is one,
    shot and sequence are looked for below it. The shot is the deepest component named for it
    (``sh0100``), else the deepest with two numbers (``ABC_010_0020``) or one below a sequence
    (``sq010/ABC_0020``), else, in a show, the deepest with one number (``ABC_010``). The sequence
    is the shot's parent if it looks like one (``sq010``), else the shot without its last number.
    """
    names = [name for name in directory.split("/") if name]
    roots = (i for i in range(len(names) - 1) if names[i].lower() in _SHOW_ROOTS)
    root = next(roots, None)
    show = None
    if root is not None:
        show, names = names[root + 1], names[root + 2 :]
    found = _find_shot(names, is_in_show=show is not None)
    if found is not None:
        parent, shot = found
        return Place(show, parent if _SEQUENCE.fullmatch(parent) else _stem(shot), shot)
    sequence = next((name for name in reversed(names) if _SEQUENCE.fullmatch(name)), None)
    return Place(show, sequence, None)


def _find_shot(names: list[str], *, is_in_show: bool) -> tuple[str, str] | None:
    """The shot and the component above it ("" above the first), by the surest rule that holds."""
    ranked: dict[int, tuple[str, str]] = {}
    for parent, name in pairwise(["", *names]):
        if _SHOT.fullmatch(name):
            ranked[0] = parent, name
        elif (match := _NUMBERED.fullmatch(name)) and not _SEQUENCE.fullmatch(name):
            is_sure = match["second"] or _SEQUENCE.fullmatch(parent)
            if is_sure or is_in_show:
                ranked[1 if is_sure else 2] = parent, name
    return ranked[min(ranked)] if ranked else None


def _stem(shot: str) -> str | None:
    """``ABC_010_0020`` → ``ABC_010``; None where what is left names no sequence."""
    stem = shot.rpartition("_")[0]
    return stem if stem and stem.lower() not in ("sh", "shot") else None
