"""The store's contract on a real cluster: `make test-vast-live`, never part of `make test`.

Needs VAST_DB_ENDPOINT, VAST_DB_ACCESS_KEY, VAST_DB_SECRET_KEY and VAST_DB_BUCKET. Works in schemas
of its own, named exrindex_test_..., and drops them.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator

import pytest

from exrindex.access import VastAccess
from exrindex.settings import load_settings
from exrindex.store.base import Layout, Level, Store
from exrindex.store.vast import VastStore, adbc
from store.contract import A, StoreContract, put
from vaststore import driver


def _store() -> VastStore:
    url = f"vast:///exrindex_test_{secrets.token_hex(6)}"
    settings = load_settings(os.environ, store=url)
    access = settings.access(url, os.environ)
    assert isinstance(access, VastAccess)
    return VastStore(access, wait_seconds=60.0, tell=lambda how: None)


def _drop(store: VastStore) -> None:
    link = store._link
    transaction = link.begin()
    bucket = transaction.sdk.bucket(link.access.bucket)
    schema = bucket.schema(link.access.schema, fail_if_missing=False)
    if schema is not None:
        for table in schema.tables():
            table.drop()
        schema.drop()
    transaction.commit()
    store.close()


class _Live(StoreContract):
    has_driver = False

    @pytest.fixture(autouse=True)
    def _clean_up(self) -> Iterator[None]:
        self.made: list[VastStore] = []
        with driver(is_there=self.has_driver):
            yield
        for store in self.made:
            _drop(store)

    def make_store(self) -> Store:
        self.made.append(_store())
        return self.made[-1]


class TestLive(_Live):
    """Questions asked here, over streamed columns."""

    def test_a_store_describes_and_examines_itself(self, empty: Store) -> None:
        with driver(is_there=True):  # without it there is a note
            super().test_a_store_describes_and_examines_itself(empty)


@pytest.mark.skipif(not adbc.is_installed(), reason="the ADBC driver is not installed")
class TestLiveAskedThere(_Live):
    """Questions asked in the cluster."""

    has_driver = True


def test_the_cluster_is_as_the_store_expects() -> None:
    """Permissions, and that concurrent writers of a row collide."""
    store = _store()
    try:
        store.create()
        bad = [f for f in store.examine(write=True) if f.level is Level.BAD]
        assert bad == []
    finally:
        _drop(store)


@pytest.mark.parametrize("layout", [Layout(sorted=True), Layout(vector_index=True)])
def test_layouts(layout: Layout) -> None:
    store = _store()
    try:
        store.create(layout)
        put(store, {"/d/a.exr": A})
        assert store.check() == []
    finally:
        _drop(store)
