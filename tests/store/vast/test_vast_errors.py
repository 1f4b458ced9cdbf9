"""Errors of the SDK by our names, and what a user is told about each."""

from __future__ import annotations

import inspect
import re
import struct
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import is_dataclass
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pyarrow as pa
import pytest
import requests
import urllib3
from vastdb import errors as sdk
from vastdb._internal import QueryDataInternalError, UnsupportedServer

from exrindex.access import Secret, VastAccess
from exrindex.errors import (
    BucketMissing,
    CredentialsRefused,
    ExrIndexError,
    NotVast,
    PermissionRefused,
    ReleaseTooOld,
    SchemaMismatch,
    StoreConflict,
    StoreError,
    StoreUnavailable,
)
from exrindex.store.base import Layout
from exrindex.store.vast import VastStore, adbc
from exrindex.store.vast.errors import FEW, MANY, ONCE, RULES, translate
from store.contract import A, put
from vastserver import Fault, VastServer
from vaststore import access_to, made_on, store_on

ACCESS = VastAccess("http://vast", "AK", Secret("s3cret"), "exr", "exr_metadata")

# Every class of the SDK's (and below it) that may reach us → ours, and how often it is tried.
MAPPED: dict[type[Exception], tuple[type[ExrIndexError], int]] = {
    sdk.HttpError: (StoreError, ONCE),
    sdk.NotFound: (StoreUnavailable, FEW),
    sdk.Forbidden: (PermissionRefused, ONCE),
    sdk.BadRequest: (StoreError, ONCE),
    sdk.MethodNotAllowed: (StoreError, ONCE),
    sdk.RequestTimeout: (StoreUnavailable, MANY),
    sdk.Conflict: (StoreConflict, MANY),
    sdk.InternalServerError: (StoreUnavailable, FEW),
    sdk.NotImplemented: (StoreError, ONCE),
    sdk.ServiceUnavailable: (StoreUnavailable, MANY),
    sdk.Slowdown: (StoreUnavailable, MANY),
    sdk.UnexpectedError: (StoreError, ONCE),
    sdk.InsufficientCapacity: (StoreError, ONCE),
    sdk.ImportFilesError: (StoreError, ONCE),
    sdk.InvalidArgument: (StoreError, ONCE),
    sdk.TooLargeRequest: (StoreError, ONCE),
    sdk.TooWideRow: (StoreError, ONCE),
    sdk.Missing: (SchemaMismatch, ONCE),
    sdk.MissingTransaction: (StoreError, ONCE),
    sdk.MissingRowIdColumn: (StoreError, ONCE),
    sdk.NotSupported: (StoreError, ONCE),
    sdk.MissingBucket: (BucketMissing, ONCE),
    sdk.MissingSnapshot: (SchemaMismatch, ONCE),
    sdk.MissingSchema: (SchemaMismatch, ONCE),
    sdk.MissingTable: (SchemaMismatch, ONCE),
    sdk.MissingProjection: (SchemaMismatch, ONCE),
    sdk.MissingBlobExpansion: (SchemaMismatch, ONCE),
    sdk.Exists: (StoreConflict, FEW),
    sdk.SchemaExists: (StoreConflict, FEW),
    sdk.TableExists: (StoreConflict, FEW),
    sdk.NotSupportedCommand: (StoreError, ONCE),
    sdk.NotSupportedVersion: (ReleaseTooOld, ONCE),
    sdk.NotSupportedSchema: (StoreError, ONCE),
    sdk.ConnectionError: (StoreUnavailable, MANY),
    sdk.ApiResponseError: (NotVast, ONCE),
    UnsupportedServer: (NotVast, ONCE),
    NotImplementedError: (ReleaseTooOld, ONCE),
    QueryDataInternalError: (StoreUnavailable, FEW),
    requests.ReadTimeout: (StoreUnavailable, MANY),
    requests.RequestException: (StoreUnavailable, MANY),
    urllib3.exceptions.ReadTimeoutError: (StoreUnavailable, MANY),
    urllib3.exceptions.ProtocolError: (StoreUnavailable, MANY),
    urllib3.exceptions.HTTPError: (StoreUnavailable, MANY),
    EOFError: (StoreUnavailable, FEW),
    OSError: (StoreUnavailable, FEW),
    struct.error: (StoreUnavailable, FEW),
    pa.ArrowInvalid: (StoreUnavailable, FEW),
    KeyError: (NotVast, ONCE),
    ValueError: (StoreUnavailable, FEW),
}


def test_every_error_of_the_sdk_has_a_name_of_ours() -> None:
    theirs = {
        value
        for value in vars(sdk).values()
        if isinstance(value, type) and issubclass(value, Exception)
    }
    assert theirs - MAPPED.keys() == set(), "decide what these mean, in RULES and here"
    assert RULES.keys() <= MAPPED.keys()


def _made(kind: type[Exception]) -> Exception:
    """An instance with something for every argument it wants."""
    if issubclass(kind, urllib3.exceptions.ReadTimeoutError):
        pool = urllib3.HTTPConnectionPool("vast")
        return kind(pool, "/", "what went wrong")
    if not is_dataclass(kind):
        return kind("what went wrong")
    names = [name for name in inspect.signature(kind).parameters if name not in ("args", "kwargs")]
    values = {
        "cause": OSError("what went wrong"),
        "status": 418,
        "may_retry": False,
        "headers": {"Server": "vast 5.5.0.0"},
        "url": "http://vast/b/s",
    }
    ref = type("Ref", (), {"bucket": "b", "schema": "s", "table": "t"})()
    return kind(**{n: ref if n == "table_ref" else values.get(n, "what went wrong") for n in names})


@pytest.mark.parametrize("kind", MAPPED, ids=lambda kind: kind.__name__)
def test_errors_are_translated(kind: type[Exception]) -> None:
    fault = translate(_made(kind), ACCESS)
    assert (type(fault.error), fault.tries) == MAPPED[kind]
    assert "http://vast" in str(fault.error)
    assert "s3cret" not in f"{fault.error} {fault} {fault!r}"
    assert "\n" not in str(fault.error)
    assert str(fault.error).rstrip(": ") == str(fault.error)


# --- what a user is told ----------------------------------------------------------------------


def other(access: VastAccess, **changes: object) -> VastStore:
    fields = {name: getattr(access, name) for name in VastAccess.__dataclass_fields__}
    return VastStore(VastAccess(**{**fields, **changes}), wait_seconds=2.0, tell=lambda how: None)


def told(store: VastStore, kind: type[ExrIndexError], exit_code: int) -> str:
    with pytest.raises(ExrIndexError) as caught:
        store.require()
    assert type(caught.value) is kind
    assert caught.value.exit_code == exit_code
    assert store._link.access.secret_key.reveal() not in str(caught.value)
    return str(caught.value)


def test_wrong_keys(shared_server: VastServer) -> None:
    access = access_to(shared_server)
    for changes in ({"secret_key": Secret("wr0ng")}, {"access_key": "NOBODY"}):
        text = told(other(access, **changes), CredentialsRefused, 3)
        assert "does not accept the keys" in text
        assert "VAST_DB_ACCESS_KEY" in text


def test_an_endpoint_where_nobody_listens() -> None:
    began = time.monotonic()
    store = other(ACCESS, endpoint="http://127.0.0.1:9")
    text = told(store, StoreUnavailable, 5)
    assert "http://127.0.0.1:9 cannot be reached: [Errno 111] Connection refused" in text
    assert time.monotonic() - began < 15


def test_an_endpoint_that_has_no_address() -> None:
    text = told(other(ACCESS, endpoint="http://no.such.host.invalid"), StoreUnavailable, 5)
    assert re.search(r"cannot be reached: .*no\.such\.host\.invalid", text)


@contextmanager
def answering(server_header: str, status: int = 200) -> Iterator[str]:
    """Something else that speaks HTTP."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def version_string(self) -> str:
            return server_header

        def log_message(self, *args: object) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.mark.parametrize("status", [200, 403, 404])
def test_something_that_is_no_vast_database(status: int) -> None:
    with answering("nginx/1.2", status) as endpoint:
        text = told(other(ACCESS, endpoint=endpoint), NotVast, 3)
    assert f"what answers at {endpoint} is no VAST database" in text
    assert "VAST_DB_ENDPOINT" in text


def test_a_proxy_whose_cluster_is_away() -> None:
    with answering("nginx/1.2", 503) as endpoint:
        text = told(other(ACCESS, endpoint=endpoint), StoreUnavailable, 5)
    assert "says nginx/1.2" in text
    assert "(tried " in text


def test_a_data_endpoint_that_is_dead_is_named(shared_server: VastServer) -> None:
    made_on(shared_server, "dead_endpoint").close()
    access = access_to(shared_server, "dead_endpoint")
    store = other(access, data_endpoints=("http://127.0.0.1:9",))
    store.require()
    with pytest.raises(StoreUnavailable, match=r"at http://127\.0\.0\.1:9 cannot be reached"):
        store.row_counts()


def test_a_release_that_the_sdk_does_not_know() -> None:
    with answering("vast 4") as endpoint:
        text = told(other(ACCESS, endpoint=endpoint), ReleaseTooOld, 5)
    assert f"the VAST release at {endpoint} is too old" in text


def test_a_release_without_row_ids() -> None:
    with VastServer(version="5.0.0.9") as server:
        store = store_on(server)
        with pytest.raises(ReleaseTooOld, match=r"runs VAST 5\.0\.0\.9; exrindex needs 5\.1"):
            store.create()


def test_a_release_without_what_was_asked_for() -> None:
    with VastServer(version="5.2.0.1") as server:
        store = store_on(server)
        for layout in (Layout(sorted=True), Layout(vector_index=True)):
            with pytest.raises(ReleaseTooOld, match=r"it is 5\.2\.0\.1"):
                store.create(layout)
        assert store.create() is True


def test_an_unknown_bucket(shared_server: VastServer) -> None:
    text = told(other(access_to(shared_server), bucket="nowhere"), BucketMissing, 3)
    assert "there is no bucket nowhere; make one in the VAST management: a view" in text


def test_a_bucket_without_tables(shared_server: VastServer) -> None:
    shared_server.add_bucket("plain", is_database=False)
    store = other(access_to(shared_server), bucket="plain")
    with pytest.raises(BucketMissing, match="bucket plain holds no tables"):
        store.create()


def test_no_permission(server: VastServer) -> None:
    made_on(server)
    server.add_user("READER", "reader-secret", read_only=True)
    store = other(access_to(server), access_key="READER", secret_key=Secret("reader-secret"))
    store.require()
    with pytest.raises(PermissionRefused, match="the keys do not allow it: AccessDenied") as caught:
        put(store, {"/d/a.exr": A})
    assert caught.value.exit_code == 5
    assert server.log.count("POST", "rows", "files", status=403) == 1


@pytest.mark.parametrize("offset", [-3600, 3600])
def test_a_clock_that_is_wrong(offset: int) -> None:
    with VastServer(clock_offset=offset) as server:
        text = told(store_on(server, wait=1.0), CredentialsRefused, 3)
    assert "finds the clock of this machine wrong" in text
    assert "exrindex doctor" in text


def test_a_status_that_the_sdk_does_not_know(server: VastServer) -> None:
    """A proxy in between answers 502."""
    store = made_on(server, wait=1.0)
    server.faults.add(Fault("unavailable", on="POST rows"))
    assert put(store, {"/d/a.exr": A}).inserted == 1
    fault = translate(ValueError("502 is not a valid HttpStatus"), ACCESS)
    assert fault.tries == FEW


def test_an_untrusted_certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(variable, raising=False)
    certificate, key = tmp_path / "cert.pem", tmp_path / "key.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1",
         "-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1",
         "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    with VastServer(tls=(certificate, key)) as server:
        assert server.endpoint.startswith("https://")
        text = told(store_on(server, wait=1.0), StoreUnavailable, 5)
        assert "certificate verify failed" in text.lower()
        assert "VAST_DB_CA_BUNDLE" in text
        for verify in (str(certificate), False):
            store = other(access_to(server), verify=verify)
            store.create()
            assert put(store, {"/d/a.exr": A}).inserted + 1
            assert store.row_counts()["files"] == 1
            store.close()
            if verify is False:
                assert adbc.run("SELECT 1 AS x", store._link.access).num_rows == 1
        with pytest.raises(adbc.NotThere, match="certificate"):
            adbc.run("SELECT 1", access_to(server))
