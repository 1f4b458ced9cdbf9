"""Find the files a store lists that are no longer there. What cannot be listed stays."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence

from exrindex.naming import normalize_path, unescape_text
from exrindex.rows import PathMaps
from exrindex.store.base import Store

# Directories whose files are asked for together.
_DIRECTORIES = 64

Listing = Callable[[str], "set[str] | None"]


def vanished(
    store: Store, root: str, listing: Listing, path_maps: PathMaps, warn: Callable[[str], None]
) -> Iterator[list[str]]:
    """Places at or below a directory whose files are gone, a list per group of directories.

    Directories are listed anew, so a file made since the walk is seen. A root without any
    entry is left alone: that is also what a file system looks like that is not mounted.
    """
    place = normalize_path(root, path_maps)
    directories = store.directories(place)
    if directories and listing(root) == set():
        warn(
            f"{root} is empty, but the store knows files below it: nothing was retired there. "
            "Is it mounted? If they are gone for good: "
            f"exrindex scan --prune {os.path.dirname(root)}"
        )
        return
    for start in range(0, len(directories), _DIRECTORIES):
        gone = list(_gone(store, directories[start : start + _DIRECTORIES], root, listing))
        if gone:
            yield gone


def _gone(store: Store, directories: Sequence[str], root: str, listing: Listing) -> Iterator[str]:
    table = store.known(directories)
    present: dict[str, set[str] | None] = {}
    for path, place in zip(
        table["file_path"].to_pylist(), table["file_path_normalized"].to_pylist(), strict=True
    ):
        directory, name = os.path.split(unescape_text(path))
        if not _is_below(directory, root):
            continue  # recorded under a name of this place that does not lead there from here
        if directory not in present:
            present[directory] = _files(directory, listing)
        names = present[directory]
        if names is None or name in names:
            continue
        if path.isascii() or not _has_twin(directory, name, root, listing):
            yield place


def _files(directory: str, listing: Listing) -> set[str] | None:
    """What is listed there and is no directory: one may have taken a file's name."""
    names = listing(directory)
    if not names:
        return names
    try:
        with os.scandir(directory) as entries:
            return names - {entry.name for entry in entries if _is_directory(entry)}
    except OSError:
        return None


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False  # a link into a loop, for one


def _has_twin(directory: str, name: str, root: str, listing: Listing) -> bool:
    """Whether a path below ``root`` leads to the same place: one in another Unicode form.

    A copy from another system may have renamed it so. True also where that cannot be told.
    """
    prefix = root.rstrip("/")
    candidates = [prefix or "/"]
    for step in os.path.join(directory, name)[len(prefix) + 1 :].split("/"):
        wanted = normalize_path("/" + step)
        found = []
        for candidate in candidates:
            names = listing(candidate)
            if names is None:
                return True
            found += [
                os.path.join(candidate, other)
                for other in names
                if normalize_path("/" + other) == wanted
            ]
        candidates = found
    return any(not os.path.isdir(candidate) for candidate in candidates)


def _is_below(directory: str, root: str) -> bool:
    return directory == root or directory.startswith(root.rstrip("/") + "/")
