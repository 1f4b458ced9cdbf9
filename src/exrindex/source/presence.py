"""Which files a directory tree holds now, under the names that a store knows them by.

For deciding what is gone. "Cannot tell" is an answer here, and nothing may be retired on it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import NamedTuple, TypeAlias

from exrindex.naming import normalize_path


class _Entry(NamedTuple):
    name: str
    is_directory: bool
    leads_nowhere: bool


# Normalised name → what stands there: several names may differ in their Unicode form only.
# None for a directory that cannot be listed.
_Listing: TypeAlias = dict[str, list[_Entry]] | None


class _Level(NamedTuple):
    """One directory on the way down: its normalised name, where it is, what is in it."""

    name: str
    directories: tuple[str, ...]
    listings: tuple[_Listing, ...]


class Presence:
    """Looks below a root, keeping the listings on the way to the directory asked for last.

    A directory without any entry is what a file system looks like that is not mounted. So it
    proves nothing where it is the root or stands in the way to something known deeper down;
    ``warn`` hears of each such directory once.
    """

    def __init__(self, root: str, warn: Callable[[str], None]) -> None:
        self._warn = warn
        self._warned: set[str] = set()
        self._root = root
        self._way: list[_Level] = []

    def files(self, relative: str) -> set[str] | None:
        """Normalised names of what is no directory in a directory below the root.

        ``relative`` is a normalised place without the root's; empty is the root itself. An empty
        set where the directory is gone, None where it cannot be told.
        """
        steps = relative.split("/") if relative else []
        if not self._go(steps):
            return None
        names: set[str] = set()
        level = self._way[-1]
        for directory, listing in zip(level.directories, level.listings, strict=True):
            if listing is None:
                return None
            if not listing and not steps:
                self._suspect(directory)
                return None
            names.update(_files_in(listing))
        return names

    def _go(self, steps: list[str]) -> bool:
        """Make the way lead along ``steps``; False where it cannot be told."""
        if not self._way:
            self._way.append(_level("", (self._root,)))
        kept = 0
        while kept < min(len(steps), len(self._way) - 1) and (
            self._way[kept + 1].name == steps[kept]
        ):
            kept += 1
        del self._way[kept + 1 :]
        for step in steps[kept:]:
            below = self._below(self._way[-1], step)
            if below is None:
                return False
            self._way.append(_level(step, below))
        return True

    def _below(self, level: _Level, step: str) -> tuple[str, ...] | None:
        found = []
        for directory, listing in zip(level.directories, level.listings, strict=True):
            if listing is None:
                return None
            if not listing:
                self._suspect(directory)
                return None
            for entry in listing.get(step, ()):
                if entry.leads_nowhere:
                    return None
                if entry.is_directory:
                    found.append(os.path.join(directory, entry.name))
        return tuple(found)

    def _suspect(self, directory: str) -> None:
        if directory not in self._warned:
            self._warned.add(directory)
            self._warn(
                f"{directory} is empty, but the store knows files below it: nothing was retired "
                "there. Is it mounted? If they are gone for good, remove the empty directory and "
                f"run: exrindex scan --prune {os.path.dirname(directory)}"
            )


def _level(name: str, directories: tuple[str, ...]) -> _Level:
    return _Level(name, directories, tuple(_list(directory) for directory in directories))


def _list(directory: str) -> _Listing:
    listing: dict[str, list[_Entry]] = {}
    try:
        with os.scandir(directory) as entries:
            for entry in entries:
                found = _entry(entry)
                listing.setdefault(normalize_path("/" + found.name)[1:], []).append(found)
    except OSError:
        return None
    return listing


def _entry(entry: os.DirEntry[str]) -> _Entry:
    try:
        is_directory = entry.is_dir()
    except OSError:
        return _Entry(entry.name, is_directory=False, leads_nowhere=True)
    leads_nowhere = not is_directory and entry.is_symlink() and not os.path.exists(entry.path)
    return _Entry(entry.name, is_directory, leads_nowhere)


def _files_in(listing: dict[str, list[_Entry]]) -> Iterator[str]:
    for name, entries in listing.items():
        if not all(entry.is_directory for entry in entries):
            yield name
