"""Who gets in: signatures, clocks, users, versions, TLS; and what is too large."""

from __future__ import annotations

import http.client
import shutil
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import requests
import vastdb
from vastdb import errors
from vastdb._internal import UnsupportedServer
from vastdb.config import BackoffConfig

from vastserver import VastServer
from vastserver.client import COLUMNS, SCHEMA, Tx, connected, prepared


def _connect(server: VastServer, **options: Any) -> None:
    with connected(server, **options):
        pass


def test_a_wrong_key_and_a_wrong_secret(server: VastServer) -> None:
    with pytest.raises(errors.Forbidden, match="InvalidAccessKeyId"):
        _connect(server, access="NOBODY")
    with pytest.raises(errors.Forbidden, match="SignatureDoesNotMatch"):
        _connect(server, secret="wrong")


def _headers(session: Any, body: bytes) -> dict[str, str]:
    """The headers of a request as the SDK signs it."""
    url = session.api._url(command="transaction")
    auth = session.api._session_create(url).auth
    prepared = requests.Request("POST", str(url), data=body, auth=auth).prepare()
    return {name: str(text) for name, text in prepared.headers.items()}


def _post(server: VastServer, headers: dict[str, str], body: bytes, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
    try:
        connection.request("POST", path, body, headers)
        reply = connection.getresponse()
        return reply.status, reply.read().decode()
    finally:
        connection.close()


def test_every_part_of_a_request_is_signed(server: VastServer, session: Any) -> None:
    good = _headers(session, b"body")
    assert _post(server, good, b"body", "/?transaction")[0] == 200
    unsigned = {name: text for name, text in good.items() if name != "Authorization"}
    stamp = good["x-amz-date"]
    late = {**good, "x-amz-date": stamp.replace(stamp[-2:], "0Z" if stamp[-2] == "1" else "1Z")}
    for headers, body, path, code in (
        (good, b"another", "/?transaction", "XAmzContentSHA256Mismatch"),
        (good, b"body", "/other?transaction", "SignatureDoesNotMatch"),
        (good, b"body", "/?transaction&more=1", "SignatureDoesNotMatch"),
        (late, b"body", "/?transaction", "SignatureDoesNotMatch"),
        (unsigned, b"body", "/?transaction", "AccessDenied"),
    ):
        status, text = _post(server, headers, body, path)
        assert f"<Code>{code}</Code>" in text
        assert status == (400 if code.startswith("XAmz") else 403)


def test_names_with_odd_characters_are_signed_twice_encoded(session: Any) -> None:
    tx = Tx(session)
    tx.create("a%20b c")
    assert tx.schema.tablenames() == ["t", "a b c"]
    tx.rollback()


@pytest.mark.parametrize("offset", [-16 * 60, 16 * 60])
def test_clocks_that_are_too_far_apart(offset: int) -> None:
    with VastServer(clock_offset=offset) as server:
        with pytest.raises(errors.Forbidden, match="RequestTimeTooSkewed"):
            _connect(server)
        server.clock_offset = offset * 14 / 16
        _connect(server)


def test_the_clock_is_told_in_every_answer() -> None:
    with VastServer(clock_offset=-365 * 86400) as server:
        reply = http.client.HTTPConnection("127.0.0.1", server.port, timeout=5)
        reply.request("GET", "/?transaction")
        answer = reply.getresponse()
        reply.close()
    assert answer.status == 403
    assert answer.headers["Server"] == "vast 5.5.0.0"
    assert pa.scalar(answer.headers["Date"]).as_py().endswith("GMT")


def test_a_user_who_may_only_read(server: VastServer, session: Any) -> None:
    server.add_user("READER", "secret", read_only=True)
    setup = Tx(session)
    setup.insert("t", (1, "a"))
    setup.commit()
    with connected(server, access="READER", secret="secret") as other:
        tx = Tx(other)
        assert tx.rows("t") == [(1, "a")]
        for write in (
            lambda: tx.insert("t", (2, "b")),
            lambda: tx.update("t", {0: "b"}),
            lambda: tx.delete("t", [0]),
            lambda: tx.create("u"),
            lambda: other.api.create_schema("exr", "x", txid=tx.txid),
            lambda: other.api.drop_table("exr", SCHEMA, "t", txid=tx.txid),
        ):
            with pytest.raises(errors.Forbidden, match="AccessDenied"):
                write()
        tx.commit()


def test_a_user_without_access_to_a_bucket(server: VastServer) -> None:
    server.add_bucket("open")
    server.add_user("STRANGER", "secret", denied_buckets={"exr"})
    with connected(server, access="STRANGER", secret="secret") as session:
        tx = Tx(session)
        tx.sdk.bucket("open").create_schema("x")
        reads: list[Callable[[], Any]] = [
            lambda: tx.sdk.bucket("exr"),
            lambda: session.api.list_schemas("exr", txid=tx.txid),
            lambda: session.api.get_table_stats("exr", "s", "t", txid=tx.txid),
        ]
        for read in reads:
            with pytest.raises(errors.Forbidden):
                read()


def test_buckets(server: VastServer, session: Any) -> None:
    server.add_bucket("plain", is_database=False)
    tx = Tx(session)
    with pytest.raises(errors.MissingBucket):
        tx.sdk.bucket("nowhere")
    with pytest.raises(errors.Conflict, match="InvalidBucketState"):
        tx.sdk.bucket("plain").create_schema("s")


def test_what_the_server_says_it_is() -> None:
    with VastServer(server_header="nginx") as server, pytest.raises(UnsupportedServer):
        _connect(server)
    with VastServer(server_header="vast 5") as server, pytest.raises(NotImplementedError):
        _connect(server)
    with VastServer(version="5.3.1.7") as server, connected(server) as session:
        assert session.api.vast_version == (5, 3, 1, 7)


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl to make a certificate")
def test_tls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # The SDK believes these more than what it is told.
    monkeypatch.delenv("REQUESTS_CA_BUNDLE", raising=False)
    monkeypatch.delenv("CURL_CA_BUNDLE", raising=False)
    certificate, key = tmp_path / "certificate.pem", tmp_path / "key.pem"
    options = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost".split()
    options += ["-addext", "subjectAltName=IP:127.0.0.1"]
    options += ["-keyout", str(key), "-out", str(certificate)]
    subprocess.run(["openssl", *options], check=True, capture_output=True)
    with VastServer(tls=(certificate, key)) as server:
        assert server.endpoint.startswith("https://")
        backoff = BackoffConfig(max_tries=1)
        with pytest.raises(errors.ConnectionError):
            vastdb.connect(
                server.access_key, server.secret_key, server.endpoint, backoff_config=backoff
            )
        with connected(server, ssl_verify=str(certificate)) as session:
            tx = Tx(session)
            tx.sdk.bucket("exr").create_schema("s")
            tx.create("t")
            tx.insert("t", (1, "a"))
            tx.rollback()
        assert server.crashes == 0


def test_bodies_and_cells_that_are_too_large(session: Any) -> None:
    tx = Tx(session)
    tx.insert("t", (1, "x" * (128 << 10)))
    with pytest.raises(errors.BadRequest, match="128 KiB"):
        tx.insert("t", (1, "x" * ((128 << 10) + 1)))
    rows = pa.table([[1] * 60, ["x" * 100_000] * 60], schema=COLUMNS).to_batches()[0]
    body = rows.schema.serialize().to_pybytes() + rows.serialize().to_pybytes()
    with pytest.raises(errors.BadRequest, match="5 MiB"):
        session.api.insert_rows("exr", SCHEMA, "t", body, txid=tx.txid)
    assert len(tx.rows("t")) == 1


def test_what_is_not_implemented_says_so(session: Any) -> None:
    tx = Tx(session)
    with pytest.raises(errors.NotImplemented):
        session.api.import_data("exr", SCHEMA, "t", {("b", "f"): b""}, txid=tx.txid)
    with pytest.raises(errors.NotImplemented):
        tx.create("t2", create_imports_table=True)


@pytest.mark.parametrize(
    "junk", [b"\0\1\2\3\r\n\r\n", b"GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n"]
)
def test_what_is_not_http_is_hung_up_on(server: VastServer, junk: bytes) -> None:
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as sock:
        sock.sendall(junk)
        assert sock.recv(100) == b""


@pytest.mark.parametrize(
    ("version", "zone"), [("5.3.1.0", None), ("5.4.0.0", "UTC"), ("5.5.0.0", "UTC")]
)
def test_older_releases(version: str, zone: str | None) -> None:
    columns = pa.schema([("a", pa.int64()), ("at", pa.timestamp("us", "UTC"))])
    with VastServer(version=version) as server, prepared(server) as session:
        tx = Tx(session)
        tx.create("sorted", columns, sorting_key=["a"])
        table = tx.schema.table("sorted")
        assert [field.name for field in table._metadata.sorted_columns] == ["a"]
        assert table.arrow_schema.field("at").type.tz == zone
        table.insert(pa.table([[1], [0]], schema=columns))
        tx.rollback()
        assert server.crashes == 0
