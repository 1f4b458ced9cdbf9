"""The VAST store keeps the contract of every store, over real HTTP, by both ways of asking."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import pytest

from exrindex.store.base import Store
from store.contract import QuestionContract, StoreContract
from vastserver import VastServer
from vaststore import driver, store_on

_NUMBERS = count()


class _OnServer(QuestionContract):
    has_driver: bool

    @pytest.fixture(autouse=True)
    def _server(self, shared_server: VastServer) -> Iterator[None]:
        self.server = shared_server
        with driver(is_there=self.has_driver):
            yield

    def make_store(self) -> Store:
        return store_on(self.server, f"contract_{next(_NUMBERS)}")


class TestVastStore(_OnServer, StoreContract):
    """The whole contract; questions are asked here, over streamed columns."""

    has_driver = False

    def test_a_store_describes_and_examines_itself(self, empty: Store) -> None:
        with driver(is_there=True):  # without it there is a note
            super().test_a_store_describes_and_examines_itself(empty)


class TestVastStoreAskedThere(_OnServer):
    """Questions are asked in the cluster, through the ADBC driver."""

    has_driver = True
