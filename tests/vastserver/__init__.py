"""A server that speaks the wire protocol of VAST DataBase, for tests.

    with VastServer() as server:
        session = vastdb.connect(
            endpoint=server.endpoint, access=server.access_key, secret=server.secret_key
        )

What nobody outside of VAST knows is marked as a guess where it is decided.
"""

from __future__ import annotations

from vastserver.faults import Fault
from vastserver.log import Entry, RequestLog
from vastserver.server import VastServer

__all__ = ["Entry", "Fault", "RequestLog", "VastServer"]
