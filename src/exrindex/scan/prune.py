"""Find the files a store lists that are no longer there. What cannot be listed stays."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import groupby

from exrindex.naming import escape_text, normalize_path
from exrindex.rows import PathMaps
from exrindex.source import Presence, Shard
from exrindex.store.base import Store

# Directories whose files are asked for together.
_DIRECTORIES = 64


def vanished(
    store: Store,
    root: str,
    path_maps: PathMaps,
    warn: Callable[[str], None],
    shard: Shard | None = None,
) -> Iterator[list[str]]:
    """Places at or below a directory whose files are gone, a list per group of directories.

    With a shard only those of its share.

    Directories are listed anew, so a file made since the walk is seen.
    """
    place = normalize_path(root, path_maps)
    # A path recorded elsewhere (on another machine, through a path map) does not lead there
    # from here, so its absence here proves nothing.
    here = escape_text(root).rstrip("/") + "/"
    presence = Presence(root, warn)
    directories = store.directories(place)
    if shard is not None:
        directories = [directory for directory in directories if shard.holds(directory)]
    for start in range(0, len(directories), _DIRECTORIES):
        table = store.known(directories[start : start + _DIRECTORIES])
        columns = ("directory", "file_path_normalized", "file_path")
        known = sorted(zip(*(table[name].to_pylist() for name in columns), strict=True))
        gone: list[str] = []
        for directory, rows in groupby(known, key=lambda row: row[0]):
            names = presence.files(directory[len(place) :].strip("/"))
            if names is not None:
                gone += [
                    path
                    for _, path, recorded in rows
                    if recorded.startswith(here) and path.rpartition("/")[2] not in names
                ]
        if gone:
            yield gone
