"""VAST stores on the wire-level test server."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from exrindex.access import Secret, VastAccess
from exrindex.store.vast import VastStore, adbc
from vastserver import VastServer


def access_to(server: VastServer, schema: str = "exr_metadata") -> VastAccess:
    """The server's default user and bucket."""
    return VastAccess(
        server.endpoint, server.access_key, Secret(server.secret_key), server.bucket, schema
    )


def store_on(
    server: VastServer,
    schema: str = "exr_metadata",
    *,
    wait: float = 20.0,
    tell: Callable[[str], None] = lambda how: None,
) -> VastStore:
    """A store whose tables may not be made yet."""
    return VastStore(access_to(server, schema), wait_seconds=wait, tell=tell)


def made_on(server: VastServer, schema: str = "exr_metadata", *, wait: float = 20.0) -> VastStore:
    """A store whose tables are made and known, so that no later request is about them."""
    store = store_on(server, schema, wait=wait)
    store.create()
    store.require()
    return store


def requests_of(server: VastServer) -> Counter[str]:
    """How often each request was made, such as ``POST rows files``."""
    return Counter(f"{r.method} {r.command} {r.table}".strip() for r in server.log)


@contextmanager
def driver(*, is_there: bool) -> Iterator[None]:
    """As if the ADBC driver were installed, or not."""
    before = adbc.is_installed
    adbc.is_installed = lambda: is_there
    try:
        yield
    finally:
        adbc.is_installed = before
