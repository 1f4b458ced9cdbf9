"""The VAST store, over real HTTP against the wire-level test server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from exrindex.access import Secret, VastAccess
from exrindex.store.base import Store
from exrindex.store.vast import VastStore
from store.contract import StoreContract
from vastserver import VastServer


def access_to(server: VastServer, schema: str = "exr_metadata") -> VastAccess:
    return VastAccess(
        server.endpoint, server.access_key, Secret(server.secret_key), server.bucket, schema
    )


def store_on(server: VastServer, schema: str = "exr_metadata", *, wait: float = 20.0) -> VastStore:
    return VastStore(access_to(server, schema), wait_seconds=wait, tell=lambda how: None)


@pytest.fixture(scope="module")
def server() -> Iterator[VastServer]:
    with VastServer() as server:
        yield server
        assert server.crashes == 0


class TestVastStore(StoreContract):
    count = 0

    @pytest.fixture(autouse=True)
    def _server(self, server: VastServer) -> None:
        self.server = server

    def make_store(self) -> Store:
        TestVastStore.count += 1
        return store_on(self.server, f"contract_{TestVastStore.count}")
