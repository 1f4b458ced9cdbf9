"""Every kind of fault, as a client of the SDK meets it."""

from __future__ import annotations

import gc
import threading
import time
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
import requests
from vastdb import errors
from vastdb._internal import QueryDataInternalError
from vastdb.config import QueryConfig

from vastserver import Fault, VastServer
from vastserver.client import Tx, connected

# The SDK leaves connections open whose answers broke off.
pytestmark = pytest.mark.filterwarnings("ignore:Exception ignored in. <socket.socket")
ROWS = [(number, f"text {number}") for number in range(10)]


@pytest.fixture(autouse=True, scope="module")
def _collect_what_the_sdk_left() -> Iterator[None]:
    yield
    gc.collect()


@pytest.fixture
def tx(session: Any) -> Tx:
    """A transaction of a table with ten rows."""
    setup = Tx(session)
    setup.insert("t", *ROWS)
    setup.commit()
    return Tx(session)


def _now(session: Any) -> list[Any]:
    return Tx(session).rows("t")


def test_slow_down_is_retried_by_the_sdk(server: VastServer, session: Any, tx: Tx) -> None:
    server.faults.add(Fault("slow down", on="POST rows", times=2))
    tx.insert("t", (10, "more"))
    tx.commit()
    assert len(_now(session)) == 11
    assert server.faults.injected == {"slow down": 2}
    assert server.log.count("POST", "rows", status=503, fault="slow down") == 2


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("unavailable", errors.ServiceUnavailable),
        ("error", errors.InternalServerError),
        ("drop before", errors.ConnectionError),
        ("drop after", errors.ConnectionError),
        ("expire", errors.NotFound),
    ],
)
def test_faults_of_a_write(server: VastServer, tx: Tx, kind: Any, error: type[Exception]) -> None:
    server.faults.add(Fault(kind, on="POST rows"))
    with pytest.raises(error):
        tx.insert("t", (10, "more"))
    assert server.faults.injected == {kind: 1}
    if kind == "expire":
        assert server.open_transactions == 0
    else:
        assert len(tx.rows("t")) == (11 if kind == "drop after" else 10)


@pytest.mark.parametrize(("kind", "happened"), [("drop before", False), ("drop after", True)])
def test_an_answer_to_a_commit_that_is_lost(
    server: VastServer, session: Any, tx: Tx, kind: Any, happened: bool
) -> None:
    tx.insert("t", (10, "more"))
    server.faults.add(Fault(kind, on="PUT transaction"))
    with pytest.raises(errors.ConnectionError) as caught:
        tx.commit()
    assert not caught.value.may_retry
    assert server.open_transactions == (0 if happened else 1)
    assert ((10, "more") in _now(session)) == happened


def test_a_dropped_read_is_retried_by_the_sdk(server: VastServer, tx: Tx) -> None:
    server.faults.add(Fault("drop before", on="GET data"))
    server.faults.add(Fault("drop after", on="GET stats"))
    assert tx.rows("t") == ROWS
    assert tx.schema.table("t").stats.num_rows == len(ROWS)
    assert server.faults.injected == {"drop before": 1, "drop after": 1}


@pytest.mark.parametrize("after", [0, 1, 2])
def test_a_stream_that_breaks_off_is_resumed_without_doubles(
    server: VastServer, tx: Tx, after: int
) -> None:
    server.faults.add(Fault("cut", on="GET data", after=after, times=2))
    config = QueryConfig(
        num_splits=2, num_sub_splits=2, limit_rows_per_sub_split=3, data_endpoints=[server.endpoint]
    )
    found = tx.select("t", config=config)
    assert sorted(found["key"].to_pylist()) == [key for key, _ in ROWS]
    assert server.faults.injected == {"cut": 2}


def test_a_torn_page_is_not_taken_for_a_whole_one(server: VastServer, tx: Tx) -> None:
    server.log.clear()
    server.faults.add(Fault("cut", on="GET data"))
    assert tx.rows("t") == ROWS
    assert [entry.fault for entry in server.log] == ["cut", ""]


def test_a_query_that_fails_in_its_stream(server: VastServer, tx: Tx) -> None:
    server.faults.add(Fault("failed frame", on="GET data"))
    with pytest.raises(QueryDataInternalError):
        tx.rows("t")
    assert tx.rows("t") == ROWS


def test_an_answer_that_never_comes(server: VastServer) -> None:
    with connected(server, timeout=0.3) as session:
        server.faults.add(Fault("hang", on="GET transaction"))
        started = time.monotonic()
        with pytest.raises(requests.ReadTimeout):
            session.api.get_transaction(1)
        assert time.monotonic() - started < 5


def test_stopping_frees_those_who_wait_for_ever(server: VastServer) -> None:
    caught: list[BaseException] = []

    def wait(session: Any) -> None:
        try:
            session.api.begin_transaction()
        except errors.ConnectionError as error:
            caught.append(error)

    with connected(server) as session:
        server.faults.add(Fault("hang", on="POST transaction"))
        thread = threading.Thread(target=wait, args=(session,))
        thread.start()
        while not server.faults.injected:
            time.sleep(0.01)
        server.stop()
        thread.join(5)
    assert len(caught) == 1


def test_latency_of_one_request_and_of_all(server: VastServer, session: Any) -> None:
    server.faults.add(Fault("latency", on="POST transaction", seconds=0.2))
    server.latency = 0.1
    started = time.monotonic()
    tx = Tx(session)
    tx.rollback()
    assert 0.4 <= time.monotonic() - started < 2
    server.latency = 0
    begin, end = [entry for entry in server.log if entry.command == "transaction"]
    assert begin.seconds >= 0.3 > end.seconds >= 0.1


def test_a_rule_says_which_requests_and_how_often(server: VastServer, session: Any) -> None:
    tx = Tx(session)
    tx.create("u")
    rule = Fault("error", on="POST rows", table="u", after=1, times=2)
    server.faults.add(rule)
    server.faults.add(
        Fault("error", on=lambda request: "rows" in request.query, after=6, times=None)
    )
    ended = []
    for name in "ututututut":
        try:
            tx.insert(name, (1, name))
            ended.append("ok")
        except errors.InternalServerError:
            ended.append("failed")
    # One that a rule strikes is not looked at by the rules behind it.
    assert ended == ["ok", "ok", "failed", "ok", "failed", "ok", "ok", "ok", "failed", "failed"]
    assert server.faults.injected == {"error": 4}
    server.faults.clear()
    tx.insert("u", (2, "u"))
    assert not server.faults.injected


def test_probability_comes_from_the_seed(server: VastServer, session: Any) -> None:
    def run(seed: int) -> list[bool]:
        server.faults.clear()
        server.faults.add(Fault("error", probability=0.5, seed=seed, times=None))
        ended = []
        for _ in range(20):
            before = server.faults.injected["error"]
            with pytest.raises((errors.NotFound, errors.InternalServerError)):
                session.api.get_transaction(1)
            ended.append(server.faults.injected["error"] > before)
        return ended

    first = run(1)
    assert first == run(1) != run(2)
    assert 0 < sum(first) < 20
    server.faults.clear()


def test_chaos_harms_but_loses_nothing(server: VastServer, session: Any) -> None:
    server.faults.chaos(seed=3, rate=0.3)
    ended: Counter[str] = Counter()
    for number in range(60):
        try:
            tx = Tx(session)
            tx.insert("t", (number, "x"))
            assert len(tx.rows("t")) <= number + 1
            tx.commit()
            ended["committed"] += 1
        except (errors.HttpError, errors.ConnectionError, QueryDataInternalError) as error:
            ended[type(error).__name__] += 1
    injected = server.faults.injected.copy()
    server.faults.chaos(seed=3, rate=0)
    rows = [key for key, _ in _now(session)]
    assert len(set(rows)) == len(rows) >= ended["committed"] > 0
    assert len(injected) >= 6
    assert len(ended) >= 4


def test_the_log_has_every_request(server: VastServer, session: Any, tx: Tx) -> None:
    server.log.clear()
    tx.rows("t")
    with pytest.raises(errors.NotFound):
        session.api.get_table_stats("exr", "s", "nowhere", txid=tx.txid)
    query, stats = server.log
    assert (query.method, query.command, query.status, query.fault) == ("GET", "data", 200, "")
    assert (query.bucket, query.schema, query.table) == ("exr", "s", "t")
    assert query.txid == tx.txid
    assert query.bytes_in > 100 < query.bytes_out
    assert 0 < query.seconds < 5
    assert (stats.table, stats.status) == ("nowhere", 404)
    assert server.log.count(command="data") == server.log.count(status=404) == 1
    assert len(server.log) == 2
