"""Fixtures of the server's own tests."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from vastserver import VastServer
from vastserver.client import prepared


@pytest.fixture
def server() -> Iterator[VastServer]:
    with VastServer() as server:
        yield server
        assert server.crashes == 0


@pytest.fixture
def session(server: VastServer) -> Iterator[Any]:
    """A session of the SDK, and an empty table ``t`` in the schema ``s``."""
    with prepared(server) as session:
        yield session
