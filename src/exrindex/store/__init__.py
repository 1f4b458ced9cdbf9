"""Where rows go. ``open_store`` chooses by URL and imports only what it chose."""

from __future__ import annotations

from pathlib import Path

from exrindex.errors import SettingsError
from exrindex.store.base import Store

DUCKDB_SUFFIX = ".duckdb"


def open_store(url: str, *, lock_wait: float) -> Store:
    """The store at ``duckdb:///abs/path.duckdb`` or at a bare path ending in ``.duckdb``.

    Opens no connection yet. ``lock_wait`` is how many seconds an embedded catalog waits for
    other processes. Raises ``SettingsError`` for any other URL.
    """
    scheme, separator, rest = url.partition("://")
    if scheme == "duckdb" and separator:
        if not rest.startswith("/"):
            raise SettingsError(
                f"{url}: write an absolute path, with three slashes: duckdb:///abs/path.duckdb"
            )
        path = rest
    elif not separator and url.endswith(DUCKDB_SUFFIX):
        path = url
    elif scheme == "vast" and separator:
        raise SettingsError(
            f"{url}: this version of exrindex has no VAST store yet; use --store PATH.duckdb"
        )
    else:
        raise SettingsError(
            f"{url}: a store is duckdb:///abs/path.duckdb or a path ending in {DUCKDB_SUFFIX}"
        )
    from exrindex.store.duck import DuckStore

    return DuckStore(Path(path).absolute(), wait_seconds=lock_wait)
