from __future__ import annotations

from collections.abc import Iterator

import pytest

from vastserver import VastServer


@pytest.fixture(scope="module")
def shared_server() -> Iterator[VastServer]:
    """One server for many tests; each uses a schema of its own."""
    with VastServer() as server:
        yield server
        assert server.crashes == 0


@pytest.fixture
def server() -> Iterator[VastServer]:
    """A server of one test."""
    with VastServer() as server:
        yield server
        assert server.crashes == 0
