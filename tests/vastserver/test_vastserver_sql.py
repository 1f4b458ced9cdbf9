"""SQL through the ADBC driver: names, results, errors, cancellation, bulk inserts."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import adbc_driver_vastdb
import pyarrow as pa
import pytest
from adbc_driver_manager import dbapi
from vastdb._internal import VectorIndexSpec

from vastserver import Fault, VastServer
from vastserver.client import SCHEMA, Tx, connected

pytestmark = pytest.mark.filterwarnings("ignore:Cannot disable autocommit:Warning")
MANY = "(SELECT range AS i FROM range(10_000_000))"
TABLE = f'"exr/{SCHEMA}".t'


def _connect(server: VastServer, access: str, secret: str, **options: str) -> Any:
    return dbapi.connect(
        driver=adbc_driver_vastdb.get_driver_path(),
        db_kwargs={
            "vast.db.endpoint": server.endpoint,
            "vast.db.access_key": access,
            "vast.db.secret_key": secret,
        },
        conn_kwargs=options,
        autocommit=not options,
    )


@pytest.fixture
def cursor(server: VastServer, session: Any) -> Iterator[Any]:
    tx = Tx(session)
    tx.insert("t", (1, "a"), (2, "b"), (3, None))
    tx.commit()
    connection = _connect(server, server.access_key, server.secret_key)
    with connection, connection.cursor() as cursor:
        yield cursor


def _ask(cursor: Any, sql: str) -> list[tuple[Any, ...]]:
    cursor.execute(sql)
    rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def test_queries_over_tables(session: Any, cursor: Any) -> None:
    tx = Tx(session)
    tx.create("u")
    tx.insert("u", (2, "other"))
    tx.delete("t", [0])
    tx.commit()
    sql = f'SELECT a.key, b.text FROM {TABLE} a LEFT JOIN "exr/{SCHEMA}".u b USING (key) ORDER BY 1'
    assert _ask(cursor, sql) == [(2, "other"), (3, None)]
    assert _ask(cursor, f"SELECT count(*) FROM {TABLE.upper()} WHERE text IS NULL") == [(1,)]
    assert _ask(cursor, f"SELECT * FROM {TABLE} WHERE false") == []


def test_a_query_sees_its_transaction(server: VastServer, session: Any, cursor: Any) -> None:
    tx = Tx(session)
    tx.insert("t", (4, "mine"))
    count = f"SELECT count(*) FROM {TABLE}"
    assert _ask(cursor, count) == [(3,)]
    options = {"vast.db.external_txid": str(tx.txid)}
    connection = _connect(server, server.access_key, server.secret_key, **options)
    with connection, connection.cursor() as inside:
        assert _ask(inside, count) == [(4,)]
    tx.rollback()


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELEC 1", "Parser Error"),
        (f"SELECT nothing FROM {TABLE}", 'column ."nothing." not found'),
        (f'SELECT * FROM "exr/{SCHEMA}".nowhere', "nowhere does not exist"),
        (f"SELECT text::INT FROM {TABLE}", "Could not convert string 'a'"),
        ("SELECT error('boom')", "boom"),
        ("SELECT * FROM read_csv('/etc/hostname')", "disabled by configuration"),
        ("COPY (SELECT 1) TO '/tmp/never'", "one query at a time"),
        (f"DELETE FROM {TABLE}", "does not exist|one query at a time"),
        ("SELECT 1; SELECT 2", "one query at a time"),
    ],
)
def test_errors_reach_the_user(server: VastServer, cursor: Any, sql: str, message: str) -> None:
    with pytest.raises((dbapi.Error, OSError), match=message):
        _ask(cursor, sql)
    assert _ask(cursor, "SELECT 1") == [(1,)]
    assert server.open_transactions == 0


def test_large_results_come_in_parts(server: VastServer, cursor: Any) -> None:
    sql = "SELECT i, repeat('x', 50) AS s FROM range(300000) t(i) ORDER BY i"
    cursor.execute(sql)
    table = cursor.fetch_arrow_table()
    assert table["i"].to_pylist() == list(range(300_000))
    assert server.log.count(command="vastdb-data") > 2


def test_cancelling_stops_the_query(server: VastServer, cursor: Any) -> None:
    timer = threading.Timer(0.3, cursor.adbc_cancel)
    timer.start()
    with pytest.raises((dbapi.Error, OSError), match=r"(?i)cancel"):
        _ask(cursor, f"SELECT count(*) FROM {MANY} a, {MANY} b WHERE hash(a.i, b.i) = 0")
    timer.join()
    assert _ask(cursor, "SELECT 1") == [(1,)]


def test_bulk_inserts_of_the_driver(server: VastServer, session: Any, cursor: Any) -> None:
    rows = pa.table({"key": pa.array([9], pa.int64()), "text": ["bulk"]})
    where = {"db_schema_name": f"exr/{SCHEMA}"}
    assert cursor.adbc_ingest("t", rows, mode="append", **where) == 1
    assert cursor.adbc_ingest("new", rows, mode="create", catalog_name="vastdb", **where) == 1
    tx = Tx(session)
    assert (9, "bulk") in tx.with_ids("t").values()
    assert tx.rows("new") == [(9, "bulk")]


@pytest.mark.parametrize(("metric", "nearest"), [("l2sq", 1), ("ip", 2)])
def test_vector_search_by_both_metrics(
    session: Any, cursor: Any, metric: str, nearest: int
) -> None:
    vector = pa.list_(pa.field("item", pa.float32(), nullable=False), 2)
    columns = pa.schema([("id", pa.int64()), ("v", vector)])
    tx = Tx(session)
    tx.create("v", columns, vector_index=VectorIndexSpec("v", metric))
    tx.table("v", columns).insert(pa.table([[1, 2], [[1.0, 1.0], [9.0, 9.0]]], schema=columns))
    tx.commit()
    after = Tx(session)
    index = after.schema.table("v").vector_index
    assert index.distance_metric == metric
    near = f'{index.sql_distance_function}("v"::FLOAT[2], [1, 1]::FLOAT[2])'
    sql = f'SELECT id FROM "exr/{SCHEMA}".v ORDER BY {near} LIMIT 1'
    assert _ask(cursor, sql) == [(nearest,)]


def test_what_a_user_may_not_see_is_not_there(server: VastServer, cursor: Any) -> None:
    server.add_user("STRANGER", "secret", denied_buckets={"exr"})
    connection = _connect(server, "STRANGER", "secret")
    with connection, connection.cursor() as stranger, pytest.raises(dbapi.Error, match="not exist"):
        _ask(stranger, f"SELECT * FROM {TABLE}")


def test_faults_do_not_hang_the_driver(server: VastServer, cursor: Any) -> None:
    for command in ("vastdb-run-query", "vastdb-query-status", "vastdb-data"):
        for kind in ("error", "drop before", "drop after"):
            server.faults.add(Fault(kind, on=f"POST {command}"))
            with contextlib.suppress(dbapi.Error, OSError):
                assert _ask(cursor, "SELECT 1") == [(1,)]
            assert server.faults.injected[kind]
            server.faults.clear()
    with connected(server) as other:
        assert len(Tx(other).rows("t")) == 3
