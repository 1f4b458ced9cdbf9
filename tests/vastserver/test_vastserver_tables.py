"""Rows, row ids and scans, where the SDK's own tests do not look."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from vastdb import errors
from vastdb.config import QueryConfig
from vastdb.table_metadata import TableMetadata, TableRef

from vastserver import VastServer
from vastserver.client import COLUMNS, SCHEMA, Tx

ROW_ID = "$row_id"
GIVEN = pa.schema([("vastdb_rowid", pa.int64()), ("key", pa.int64())])


@pytest.fixture
def tx(session: Any) -> Tx:
    return Tx(session)


def _stream(batch: pa.RecordBatch) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, batch.schema) as writer:
        writer.write_batch(batch)
    return bytes(sink.getvalue())


def _ids(*row_ids: int, kind: pa.DataType | None = None) -> bytes:
    array = pa.array(row_ids, kind or pa.uint64())
    return _stream(pa.record_batch([array], names=[ROW_ID]))


@pytest.mark.parametrize(
    ("row_ids", "message"),
    [
        ((1, 0), "duplicate row ids or not in ascending order"),
        ((0, 0), "duplicate row ids or not in ascending order"),
        ((0, 7), "1 of 2 rows do not exist"),
        ((2**48 - 1,), "between 0 and"),
    ],
)
def test_row_ids_that_are_refused(
    session: Any, tx: Tx, row_ids: tuple[int, ...], message: str
) -> None:
    tx.insert("t", (1, "a"), (2, "b"))
    with pytest.raises(errors.BadRequest, match=message):
        session.api.delete_rows("exr", SCHEMA, "t", _ids(*row_ids), txid=tx.txid)
    assert len(tx.rows("t")) == 2


def test_a_row_is_deleted_once(tx: Tx) -> None:
    row_ids = tx.insert("t", (1, "a"))
    tx.delete("t", row_ids)
    with pytest.raises(errors.BadRequest, match="do not exist"):
        tx.delete("t", row_ids)


def test_batches_that_do_not_fit_are_refused(session: Any, tx: Tx) -> None:
    for field, values, code in (
        (pa.field("nothing", pa.int64()), [1], "TabularMismatchColumnName"),
        (pa.field("key", pa.int32()), [1], "TabularMismatchColumnType"),
        (pa.field("text", pa.large_string()), ["a"], "TabularMismatchColumnType"),
        (pa.field("key", pa.int64(), nullable=False), [1], "TabularMismatchColumnType"),
    ):
        batch = pa.record_batch([pa.array(values, field.type)], schema=pa.schema([field]))
        with pytest.raises((errors.BadRequest, errors.NotFound), match=code):
            session.api.insert_rows("exr", SCHEMA, "t", _stream(batch), txid=tx.txid)
    two = pa.table([[1], ["a"]], schema=COLUMNS)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, COLUMNS) as writer:
        writer.write_table(pa.concat_tables([two, two]))
    for body, message in ((sink.getvalue().to_pybytes(), "one record batch"), (b"junk", "Arrow")):
        with pytest.raises(errors.BadRequest, match=message):
            session.api.insert_rows("exr", SCHEMA, "t", body, txid=tx.txid)
    assert tx.rows("t") == []


def test_columns_that_an_insert_leaves_out_are_null(tx: Tx) -> None:
    tx.table("t").insert(pa.table({"text": ["only"]}))
    assert tx.rows("t") == [(None, "only")]


def test_a_query_with_old_types_is_refused(tx: Tx) -> None:
    tx.insert("t", (1, "a"))
    for columns in (pa.schema([("key", pa.int32())]), pa.schema([("gone", pa.int64())])):
        with pytest.raises(errors.BadRequest, match="TabularMismatch"):
            tx.select("t", columns=columns)


def test_a_dropped_column_does_not_come_back(session: Any, tx: Tx) -> None:
    tx.insert("t", (1, "a"))
    text = pa.schema([("text", pa.string())])
    session.api.drop_columns("exr", SCHEMA, "t", text, txid=tx.txid)
    session.api.add_columns("exr", SCHEMA, "t", text, txid=tx.txid)
    tx.insert("t", (2, "b"))
    assert tx.with_ids("t") == {0: (1, None), 1: (2, "b")}
    tx.commit()
    assert Tx(session).with_ids("t") == {0: (1, None), 1: (2, "b")}


def test_row_ids_from_outside(session: Any, tx: Tx) -> None:
    tx.create("given", GIVEN)
    table = tx.table("given", GIVEN)
    table.insert(pa.table([[5, 70_000], [50, 70]], schema=GIVEN))
    table.insert(pa.table([[6], [60]], schema=GIVEN))
    assert tx.with_ids("given", GIVEN) == {5: (5, 50), 6: (6, 60), 70_000: (70_000, 70)}
    found = table.select(predicate=table["vastdb_rowid"].isin([6, 7]), config=_one_request(session))
    assert found.read_all()["key"].to_pylist() == [60]
    with pytest.raises(errors.BadRequest, match="in every insert or in none"):
        table.insert(pa.table({"key": [1]}))
    with pytest.raises(errors.BadRequest, match="already"):
        table.insert(pa.table([[4, 5], [1, 1]], schema=GIVEN))
    with pytest.raises(errors.BadRequest, match="ascending"):
        table.insert(pa.table([[9, 8], [1, 1]], schema=GIVEN))
    with pytest.raises(errors.BadRequest, match="keeps its name"):
        session.api.alter_column("exr", SCHEMA, "given", "vastdb_rowid", new_name="x", txid=tx.txid)
    tx.commit()
    left, right = Tx(session), Tx(session)
    for other in (left, right):
        rows = pa.table([[8], [80]], schema=GIVEN)
        if other is left:
            other.table("given", GIVEN).insert(rows)
        else:
            with pytest.raises(errors.Conflict):
                other.table("given", GIVEN).insert(rows)


def _one_request(session: Any) -> QueryConfig:
    return QueryConfig(num_splits=1, num_sub_splits=1, data_endpoints=[session._context.endpoint])


def _sorted_table(tx: Tx) -> Any:
    tx.create("sorted", COLUMNS, sorting_key=["key"])
    metadata = TableMetadata(TableRef("exr", SCHEMA, "sorted"))
    metadata.load(tx.sdk)
    return tx.sdk.table_from_metadata(metadata)


def test_row_ids_of_sorted_tables_do_not_fit_into_64_bits(session: Any, tx: Tx) -> None:
    table = _sorted_table(tx)
    wide = table.insert(pa.table([[2, 1], ["b", "a"]], schema=COLUMNS)).to_pylist()
    assert [int(row_id) & 2**56 - 1 for row_id in wide] == [0, 1]
    assert all(int(row_id) >= 2**64 for row_id in wide)
    for body in (_ids(0), _ids(0, kind=pa.decimal128(38, 0))):
        with pytest.raises(errors.BadRequest):
            session.api.delete_rows("exr", SCHEMA, "sorted", body, txid=tx.txid)
    table.update(pa.table({ROW_ID: wide[:1], "text": ["changed"]}))
    table.delete(pa.table({ROW_ID: wide[1:]}))
    rows = table.select(internal_row_id=True, config=_one_request(session)).read_all()
    assert rows.to_pydict() == {"key": [2], "text": ["changed"], ROW_ID: wide[:1]}


def test_sorted_columns_are_in_every_insert_and_in_no_update(session: Any, tx: Tx) -> None:
    table = _sorted_table(tx)
    (row_id,) = table.insert(pa.table([[1], ["a"]], schema=COLUMNS)).to_pylist()
    with pytest.raises(errors.BadRequest, match="needs the columns key"):
        session.api.insert_rows(
            "exr", SCHEMA, "sorted", _stream(pa.record_batch({"text": ["b"]})), txid=tx.txid
        )
    with pytest.raises(errors.BadRequest, match="stay as they are"):
        table.update(pa.table({ROW_ID: [row_id], "key": [2]}))


@pytest.mark.parametrize("splits", [1, 3])
@pytest.mark.parametrize("sub_splits", [1, 4])
@pytest.mark.parametrize("limit", [9000, 70_000])
def test_every_row_comes_once_whatever_the_splits(
    server: VastServer, tx: Tx, splits: int, sub_splits: int, limit: int
) -> None:
    keys = list(range(200_000))
    table = tx.table("t")
    table.insert(pa.table({"key": keys}))
    tx.delete("t", keys[10::1000])
    config = QueryConfig(
        num_splits=splits,
        num_sub_splits=sub_splits,
        num_row_groups_per_sub_split=1,
        limit_rows_per_sub_split=limit,
        data_endpoints=[server.endpoint] * 2,
    )
    found = tx.select("t", columns=pa.schema([("key", pa.int64())]), config=config)
    kept = [key for key in keys if key % 1000 != 10]
    assert sorted(found["key"].to_pylist()) == kept
    if splits == sub_splits == 1:
        assert found["key"].to_pylist() == kept


def test_large_rows_come_in_pages_of_a_handy_size(server: VastServer, session: Any, tx: Tx) -> None:
    vector = pa.list_(pa.field("item", pa.float32(), nullable=False), 2048)
    columns = pa.schema([("v", vector)])
    tx.create("v", columns)
    items = pa.array([1.0] * (2048 * 600), pa.float32())
    rows = pa.table([pa.FixedSizeListArray.from_arrays(items, type=vector)], schema=columns)
    for _ in range(8):
        tx.table("v", columns).insert(rows)
    server.log.clear()
    assert tx.select("v", columns=columns).num_rows == 4800
    sizes = [entry.bytes_out for entry in server.log if entry.command == "data"]
    assert len(sizes) == 2
    assert max(sizes) < 34 << 20


def test_projections_follow_the_transaction(server: VastServer, session: Any, tx: Tx) -> None:
    tx.insert("t", (3, "c"), (1, "a"))
    columns = [("key", "Sorted"), ("text", "Unsorted")]
    session.api.create_projection("exr", SCHEMA, "t", "p", columns, txid=tx.txid)
    tx.insert("t", (2, "b"))
    table = tx.table("t")
    predicate = table["key"] > 0
    assert tx.select("t", predicate=predicate)["key"].to_pylist() == [1, 2, 3]
    assert tx.select("t")["key"].to_pylist() == [3, 1, 2]
    found = tx.select("t", predicate=predicate, internal_row_id=True)
    assert found[ROW_ID].to_pylist() == [1, 2, 0]
    tx.delete("t", [2])
    assert tx.select("t", predicate=predicate)["key"].to_pylist() == [1, 3]
