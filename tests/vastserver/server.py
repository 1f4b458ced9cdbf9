"""The server's life: start, serve, restart, stop."""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from pathlib import Path
from types import TracebackType

from vastserver.changes import PutBucket
from vastserver.connection import BadRequest, Connection, Left
from vastserver.database import Bucket, Database
from vastserver.exchange import Desk, Exchange
from vastserver.faults import Faults
from vastserver.journal import Journal
from vastserver.log import RequestLog
from vastserver.service import Service
from vastserver.transactions import Store
from vastserver.users import User
from vastserver.version import Version

logger = logging.getLogger(__name__)
_PATIENCE = 10.0


class VastServer:
    """A server for tests: it speaks VAST's wire protocol and keeps its data in memory.

    With ``data``, a folder, commits are also written to disk there and survive the process.
    ``tls`` is a certificate and its key. ``row_conflicts=False`` lets the last writer of a row
    win. ``clock_offset`` puts the server's clock ahead by seconds. ``server_header`` replaces
    what the server calls itself.
    """

    def __init__(
        self,
        data: Path | str | None = None,
        port: int = 0,
        latency: float = 0.0,
        version: str = "5.5.0.0",
        row_conflicts: bool = True,
        tls: tuple[Path | str, Path | str] | None = None,
        idle_seconds: float = 300.0,
        clock_offset: float = 0.0,
        server_header: str | None = None,
        host: str = "127.0.0.1",
    ) -> None:
        self.access_key, self.secret_key, self.bucket = "EXRTESTKEY", "exr-test-secret", "exr"
        self.clock_offset = clock_offset
        self.crashes = 0
        self._data = None if data is None else Path(data)
        self._version = Version.parse(version)
        self._row_conflicts = row_conflicts
        self._idle_seconds = idle_seconds
        self._host = host
        self._tls = None if tls is None else _tls_context(*tls)
        self._users: dict[str, User] = {}
        self._lock = threading.Lock()
        self._connections: dict[Connection, threading.Thread] = {}
        self._listener = socket.create_server((host, port), backlog=256)
        self.port = int(self._listener.getsockname()[1])
        header = f"vast {version}" if server_header is None else server_header
        try:
            service = self._new_service(None)
        except BaseException:
            self._listener.close()
            raise
        self._desk = Desk(service, self._users, self.port, header, self._now, latency)
        self.add_user(self.access_key, self.secret_key)
        self.add_bucket(self.bucket)
        self._acceptor = threading.Thread(target=self._accept, name="vastserver", daemon=True)

    def start(self) -> VastServer:
        self._acceptor.start()
        return self

    def stop(self) -> None:
        """Close all connections and the data; committed data stay as they are."""
        if self._desk.stop.is_set():
            return
        self._desk.stop.set()
        _close_listener(self._listener)
        if self._acceptor.is_alive():
            self._acceptor.join(_PATIENCE)
        self._drop_connections()
        self._desk.service.queries.close()
        self._desk.service.store.close()

    def restart(self) -> None:
        """As if the process had been stopped and started: connections and open transactions
        are gone, what was committed is there."""
        old = self._desk.service
        old.store.close()
        self._desk.service = self._new_service(old.store)
        self._drop_connections()
        old.queries.close()

    def __enter__(self) -> VastServer:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    @property
    def endpoint(self) -> str:
        scheme = "http" if self._tls is None else "https"
        return f"{scheme}://{self._host}:{self.port}"

    @property
    def log(self) -> RequestLog:
        return self._desk.log

    @property
    def faults(self) -> Faults:
        return self._desk.faults

    @property
    def latency(self) -> float:
        """Seconds that every request takes longer."""
        return self._desk.latency

    @latency.setter
    def latency(self, seconds: float) -> None:
        self._desk.latency = seconds

    @property
    def open_transactions(self) -> int:
        return self._desk.service.store.open_transactions

    def add_user(
        self,
        access_key: str,
        secret_key: str,
        read_only: bool = False,
        denied_buckets: frozenset[str] | set[str] = frozenset(),
    ) -> None:
        self._users[access_key] = User(access_key, secret_key, read_only, frozenset(denied_buckets))

    def add_bucket(self, name: str, is_database: bool = True) -> None:
        """Add a bucket; one that is there keeps what is in it."""
        store = self._desk.service.store
        known = store.database.buckets.get(name)
        bucket = Bucket(name, store.new_id() if known is None else known.root, is_database)
        if bucket != known:
            store.commit_alone([PutBucket(bucket)])

    def _now(self) -> float:
        return time.time() + self.clock_offset

    def _new_service(self, last: Store | None) -> Service:
        database, journal = Database(), None
        if self._data is not None:
            journal = Journal(self._data)
            for changes in journal.read():
                for change in changes:
                    database = change.apply(database)
            database = database.tidied(Database())
        elif last is not None:
            database = last.database
        store = Store(database, journal, row_conflicts=self._row_conflicts, idle=self._idle_seconds)
        return Service(store, self._version, self._host)

    def _accept(self) -> None:
        while not self._desk.stop.is_set():
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return  # The listener was closed.
            thread = threading.Thread(target=self._serve, args=(sock,), daemon=True)
            thread.start()

    def _serve(self, sock: socket.socket) -> None:
        """One connection, to its end."""
        try:
            if self._tls is not None:
                sock = self._tls.wrap_socket(sock, server_side=True)
            connection = Connection(sock)
        except OSError:
            sock.close()
            return  # The client does not trust us, or has left.
        with self._lock:
            self._connections[connection] = threading.current_thread()
        try:
            self._exchange(connection)
        except (Left, BadRequest):
            pass
        finally:
            with self._lock:
                del self._connections[connection]
            connection.close()

    def _exchange(self, connection: Connection) -> None:
        while (request := connection.receive()) is not None:
            try:
                goes_on = Exchange(self._desk, connection, request).run()
            except Left:
                raise
            except Exception:
                with self._lock:
                    self.crashes += 1
                logger.exception("%s %s failed", request.method, request.path)
                goes_on = not connection.has_answered
                if goes_on:
                    connection.send(500, {}, b"", with_body=False)
            if not goes_on:
                return

    def _drop_connections(self) -> None:
        with self._lock:
            connections = dict(self._connections)
        for connection in connections:
            connection.drop()
        for thread in connections.values():
            thread.join(_PATIENCE)


def _tls_context(certificate: Path | str, key: Path | str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context


def _close_listener(listener: socket.socket) -> None:
    """Close a socket that another thread waits on."""
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
