"""One request from its arrival to the end of its answer: faults, signature, command, log."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import formatdate
from threading import Event

from vastserver import frames, sigv4
from vastserver.commands import answer
from vastserver.connection import Connection
from vastserver.faults import Fault, Faults
from vastserver.log import Entry, RequestLog
from vastserver.request import Reply, Request, S3Error
from vastserver.service import Service
from vastserver.users import User

_REFUSALS = {
    "slow down": (503, "SlowDown"),
    "unavailable": (503, "ServiceUnavailable"),
    "error": (500, "InternalError"),
}


@dataclass
class Desk:
    """Where requests are taken and answered, for all connections."""

    service: Service
    users: Mapping[str, User]
    port: int
    server_header: str
    now: Callable[[], float] = time.time
    latency: float = 0.0
    log: RequestLog = field(default_factory=RequestLog)
    faults: Faults = field(default_factory=Faults)
    stop: Event = field(default_factory=Event)


class Exchange:
    """A request and its answer."""

    def __init__(self, desk: Desk, connection: Connection, request: Request) -> None:
        self._desk = desk
        self._connection = connection
        self._request = request
        self._started = time.perf_counter()
        self._fault: Fault | None = None

    def run(self) -> bool:
        """Answer the request, or do what its fault says; whether the connection lives on."""
        desk = self._desk
        fault = self._fault = desk.faults.pick(self._request)
        delay = desk.latency + (fault.seconds if fault is not None else 0)
        if delay:
            desk.stop.wait(delay)
        kind = "" if fault is None else fault.kind
        if kind == "hang":
            self._note(0, 0)
            self._connection.wait_until_left(desk.stop)
            return False
        if kind == "drop before":
            self._note(0, 0)
            return False
        if kind == "expire":
            desk.service.store.expire(self._request.txid)
        reply = self._reply(kind)
        if kind == "drop after":
            self._note(0, 0)
            return False
        if kind in ("cut", "failed frame") and reply.status == 200 and reply.body:
            self._spoil(reply, kind)
            return False
        self._send(reply)
        return self._request.headers.get("connection", "").lower() != "close"

    def _reply(self, fault: str) -> Reply:
        desk, request = self._desk, self._request
        try:
            if fault in _REFUSALS:
                raise S3Error(*_REFUSALS[fault], "an injected fault")
            request.user = sigv4.check(request, desk.users, desk.now(), desk.port)
            return answer(desk.service, request)
        except S3Error as error:
            return Reply(error.xml(request.path), {"Content-Type": "application/xml"}, error.status)

    def _send(self, reply: Reply) -> None:
        headers = self._headers(reply)
        if isinstance(reply.body, bytes):
            self._note(reply.status, len(reply.body))
            with_body = self._request.method != "HEAD"
            self._connection.send(reply.status, headers, reply.body, with_body=with_body)
            return
        self._connection.send_head(reply.status, headers)
        size, held = 0, b""
        for piece in reply.body:
            if held:
                self._connection.send_chunk(held)
            held = piece
            size += len(piece)
        # Noted before the client can know that the answer is complete.
        self._note(reply.status, size)
        self._connection.send_chunk(held)
        self._connection.send_chunk(b"")

    def _spoil(self, reply: Reply, kind: str) -> None:
        """Break the answer off, or end it with a failure, in the place of its last page."""
        pieces = [reply.body] if isinstance(reply.body, bytes) else list(reply.body)
        pages = pieces[:-1] or pieces
        self._note(reply.status, sum(map(len, pages)))
        headers = self._headers(reply)
        if kind == "cut":
            self._connection.send_torn(reply.status, headers, pages)
            return
        self._connection.send_head(reply.status, headers)
        for piece in (*pages[:-1], frames.FAILED, b""):
            self._connection.send_chunk(piece)

    def _headers(self, reply: Reply) -> dict[str, str]:
        desk = self._desk
        return {
            "Server": desk.server_header,
            "Date": formatdate(desk.now(), usegmt=True),
            **reply.headers,
        }

    def _note(self, status: int, size: int) -> None:
        request = self._request
        self._desk.log.add(
            Entry(
                request.method,
                request.command,
                request.bucket,
                request.schema,
                request.table,
                self._txid(),
                status,
                "" if self._fault is None else self._fault.kind,
                len(request.body),
                size,
                time.perf_counter() - self._started,
            )
        )

    def _txid(self) -> int:
        text = self._request.headers.get("tabular-txid", "0")
        return int(text) if text.isdigit() else 0
