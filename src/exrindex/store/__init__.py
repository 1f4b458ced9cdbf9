"""Where rows go. ``open_store`` chooses by URL and imports only what it chose."""

from __future__ import annotations

from pathlib import Path

from exrindex.access import VastAccess, shown_url
from exrindex.errors import SettingsError
from exrindex.store.base import Store, Tell

DUCKDB_SUFFIX = ".duckdb"


def open_store(
    url: str,
    *,
    lock_wait: float,
    access: VastAccess | None = None,
    tell: Tell = lambda how: None,
) -> Store:
    """The store at ``duckdb:///abs/path.duckdb``, a path ending in ``.duckdb``, or on VAST.

    Opens no connection yet. ``lock_wait`` is how many seconds a store waits for its turn: for
    other processes that have the catalog open, or for a cluster that conflicts or does not answer.
    ``access`` belongs to a ``vast://`` URL, ``tell`` hears how questions are answered there.
    Raises ``SettingsError`` for any other URL.
    """
    if access is not None:
        from exrindex.store.vast import VastStore

        return VastStore(access, wait_seconds=lock_wait, tell=tell)
    scheme, separator, rest = url.partition("://")
    if scheme == "duckdb" and separator:
        if not rest.startswith("/"):
            raise SettingsError(
                f"{url}: write an absolute path, with three slashes: duckdb:///abs/path.duckdb"
            )
        path = rest
    elif not separator and url.endswith(DUCKDB_SUFFIX):
        path = url
    else:
        raise SettingsError(
            f"{shown_url(url)}: a store is duckdb:///abs/path.duckdb, a path ending in "
            f"{DUCKDB_SUFFIX}, or vast://BUCKET/SCHEMA"
        )
    from exrindex.store.duck import DuckStore

    return DuckStore(Path(path).absolute(), wait_seconds=lock_wait)
