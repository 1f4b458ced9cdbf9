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
            present[directory] = listing(directory)
        names = present[directory]
        if names is not None and name not in names:
            yield place


def _is_below(directory: str, root: str) -> bool:
    return directory == root or directory.startswith(root.rstrip("/") + "/")
