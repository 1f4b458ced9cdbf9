"""HTTP/1.1 over one connection: requests in, answers out."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
from collections.abc import Iterable
from http import HTTPStatus

from vastserver.request import Request

_LONGEST_LINE = 64 << 10
_LARGEST_BODY = 64 << 20
_SMALL = 64 << 10


class BadRequest(Exception):
    """What came is not HTTP; there is nothing to be answered."""


class Left(Exception):
    """The client has left, or the connection was dropped."""


class Connection:
    """A client's connection. Only ``drop`` may be called by other threads."""

    def __init__(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._socket = sock
        self._file = sock.makefile("rb", _SMALL)
        # Whether anything was sent since the last request came.
        self.has_answered = False

    def receive(self) -> Request | None:
        """The next request; None when the client has left."""
        try:
            return self._receive()
        except ValueError as error:
            raise BadRequest(error) from None
        except OSError as error:
            raise Left from error

    def _receive(self) -> Request | None:
        line = self._line()
        if not line:
            return None
        method, _, rest = line.partition(" ")
        target, _, protocol = rest.rpartition(" ")
        if not protocol.startswith("HTTP/1."):
            raise BadRequest(line)
        headers: dict[str, str] = {}
        while line := self._line():
            name, _, value = line.partition(":")
            headers[name.strip().lower()] = value.strip()
        if headers.get("expect", "").lower() == "100-continue":
            self._write(b"HTTP/1.1 100 Continue\r\n\r\n")
        path, _, query = target.partition("?")
        request = Request(method, path, query, headers, self._body(headers))
        self.has_answered = False
        return request

    def send(self, status: int, headers: dict[str, str], body: bytes, *, with_body: bool) -> None:
        """A whole answer in one write; ``with_body`` is False for answers to HEAD."""
        head = _head(status, {**headers, "Content-Length": str(len(body))})
        self._write(head, body if with_body else b"")

    def send_head(self, status: int, headers: dict[str, str]) -> None:
        """The start of an answer in chunks."""
        self._write(_head(status, {**headers, "Transfer-Encoding": "chunked"}))

    def send_chunk(self, piece: bytes) -> None:
        """A piece of an answer; an empty one ends it."""
        self._write(b"%x\r\n" % len(piece), piece, b"\r\n")

    def send_torn(self, status: int, headers: dict[str, str], pieces: Iterable[bytes]) -> None:
        """An answer that breaks off in the middle of its last piece."""
        *whole, last = pieces
        self.send_head(status, headers)
        for piece in whole:
            self.send_chunk(piece)
        self._write(b"%x\r\n" % len(last), last[: len(last) // 2])

    def wait_until_left(self, stop: threading.Event) -> None:
        """Wait until the client closes the connection, or ``stop`` is set."""
        while not stop.is_set():
            readable, _, _ = select.select([self._socket], [], [], 0.05)
            if readable:
                return

    def drop(self) -> None:
        """Close the connection under whoever uses it."""
        with contextlib.suppress(OSError):  # The client may have been faster.
            self._socket.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self.drop()
        self._file.close()
        self._socket.close()

    def _line(self) -> str:
        line = self._file.readline(_LONGEST_LINE)
        if len(line) == _LONGEST_LINE:
            raise BadRequest("a line is too long")
        return line.decode("latin-1").rstrip("\r\n")

    def _body(self, headers: dict[str, str]) -> bytes:
        if headers.get("transfer-encoding", "").lower() == "chunked":
            return b"".join(iter(self._chunk, b""))
        length = int(headers.get("content-length") or 0)
        if length > _LARGEST_BODY:
            raise BadRequest("the body is far too large")
        return self._exactly(length)

    def _chunk(self) -> bytes:
        size = int(self._line().partition(";")[0], 16)
        piece = self._exactly(size)
        self._line()
        return piece

    def _exactly(self, length: int) -> bytes:
        body: bytes = self._file.read(length)
        if len(body) < length:
            raise Left
        return body

    def _write(self, *parts: bytes) -> None:
        self.has_answered = True
        if sum(map(len, parts)) <= _SMALL:
            parts = (b"".join(parts),)
        try:
            for part in parts:
                self._socket.sendall(part)
        except OSError as error:
            raise Left from error


def _head(status: int, headers: dict[str, str]) -> bytes:
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")
