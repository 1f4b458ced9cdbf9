"""The tables on VAST: made, laid out, found, refused."""

from __future__ import annotations

import threading
from collections import Counter

import pyarrow as pa
import pytest

from exrindex.errors import SchemaMismatch, StoreConflict
from exrindex.store.base import Layout, Level, SchemaState, Slice
from exrindex.store.vast import VastStore
from exrindex.store.vast.link import ROW_ID
from exrindex.store.vast.slots import slot_of, slot_rows, take
from exrindex.store.vast.tables import ABOUT, SLOT_COUNT, SLOTS, vast_schema
from exrindex.tables import TABLES
from store.contract import DAY, NOW, A, B, put, whole
from trees import batch_of, multipart, snapshot
from vastserver import VastServer
from vaststore import driver, made_on, requests_of, store_on


def alter(store: VastStore, change: str, table: str, column: pa.Field | None = None) -> None:
    """Change a table behind the store's back."""
    link = store._link
    transaction = link.begin()
    schema = transaction.sdk.bucket(link.access.bucket).schema(link.access.schema)
    handle = schema.table(table)
    match change:
        case "drop":
            handle.drop()
        case "drop column":
            handle.drop_column(pa.schema([column]))
        case "rename column":
            assert column is not None
            handle.rename_column(column.name, f"{column.name}_old")
    transaction.commit()


# --- layouts ----------------------------------------------------------------------------------


@pytest.mark.parametrize("version", ["5.1.0.1", "5.4.0.20"])
def test_every_release_gives_the_same_rows(version: str) -> None:
    """Before 5.4 times come back without their zone, before 5.5 sorting is told by a command."""
    with VastServer(version=version) as server, driver(is_there=False):
        store = made_on(server)
        put(store, {"/d/a.exr": A, "/d/m.exr": multipart(), "/d/bad.exr": b""})
        put(store, {"/d/a.exr": B}, days=1)
        reference = _reference()
        assert snapshot(store) == snapshot(reference)
        assert whole(store) == whole(reference)
        assert store.check() == []
        assert store_on(server).state() is SchemaState.READY
        moved = store.rows_of(Slice(["/d"]))
        assert moved["files"].schema == TABLES["files"]
        (stale,) = store.stale_failures("/d", NOW + DAY).to_pylist()
        assert stale["file_path"] == "/d/bad.exr"
        assert store.stale_failures("/d", NOW).num_rows == 0
        assert server.crashes == 0


_STORES: list[VastStore] = []


def _reference() -> VastStore:
    """The same rows in a release where everything is as we write it."""
    if not _STORES:
        server = VastServer().start()
        store = made_on(server)
        put(store, {"/d/a.exr": A, "/d/m.exr": multipart(), "/d/bad.exr": b""})
        put(store, {"/d/a.exr": B}, days=1)
        _STORES.append(store)
    return _STORES[0]


@pytest.mark.parametrize(
    ("layout", "described"),
    [
        (
            Layout(sorted=True),
            {
                "files": "sorted by directory",
                "failures": "sorted by directory",
                "channels": "sorted by channel_name",
                "attributes": "sorted by attr_name",
            },
        ),
        (Layout(vector_index=True), {"files": "vector index on metadata_embedding"}),
        (
            Layout(sorted=True, vector_index=True),
            {
                "files": "vector index on metadata_embedding",
                "failures": "sorted by directory",
                "channels": "sorted by channel_name",
                "attributes": "sorted by attr_name",
            },
        ),
    ],
)
def test_layouts_hold_the_same_rows(
    shared_server: VastServer, layout: Layout, described: dict[str, str]
) -> None:
    store = store_on(shared_server, f"layout_{layout.sorted}_{layout.vector_index}")
    assert store.create(layout) is True
    again = store_on(shared_server, f"layout_{layout.sorted}_{layout.vector_index}")
    again.require()
    assert dict(again.describe().layout) == described
    assert again.describe().engine == "VAST 5.5.0.0"
    put(again, {"/d/a.exr": A, "/d/m.exr": multipart(), "/d/bad.exr": b""})
    put(again, {"/d/a.exr": B}, days=1)
    again.retire(["/d/m.exr"], NOW)
    with driver(is_there=False):
        assert again.check() == []
        states = again.sql("SELECT retired_at IS NULL AS live FROM files ORDER BY ALL")
        assert states["live"].to_pylist() == [False, False, True]
    (schema,) = [f for f in again.examine(write=False) if f.what == "schema"]
    assert schema.level is Level.OK
    assert all(words in schema.text for words in described.values())


# --- whose tables -----------------------------------------------------------------------------


def test_a_schema_of_something_else_is_foreign(server: VastServer) -> None:
    store = store_on(server)
    transaction = store._link.begin()
    bucket = transaction.sdk.bucket(server.bucket)
    bucket.create_schema("exr_metadata").create_table("orders", pa.schema([("i", pa.int64())]))
    transaction.commit()
    assert store.state() is SchemaState.FOREIGN
    with pytest.raises(SchemaMismatch, match="vast://exr/exr_metadata holds tables of something"):
        store.require()
    assert store.create() is True
    assert store.state() is SchemaState.READY


@pytest.mark.parametrize(
    ("change", "table", "column", "message"),
    [
        ("drop", "failures", None, "has no table failures; run: exrindex schema create"),
        ("drop", SLOTS, None, f"has no table {SLOTS}; run: exrindex schema create"),
        ("drop column", "files", "shot", "files.shot is missing"),
        ("rename column", "parts", "compression", "parts.compression is missing"),
    ],
)
def test_other_tables_are_refused_by_name(
    server: VastServer, change: str, table: str, column: str | None, message: str
) -> None:
    store = made_on(server)
    put(store, {"/d/a.exr": A})
    alter(store, change, table, None if column is None else vast_schema(table).field(column))
    fresh = store_on(server)
    assert fresh.state() is SchemaState.INCOMPATIBLE
    with pytest.raises(SchemaMismatch, match=message) as caught:
        fresh.require()
    assert caught.value.exit_code == 5
    (problem,) = fresh.check()
    assert message in problem.what
    (found,) = [f for f in fresh.examine(write=False) if f.level is Level.BAD]
    assert (found.what, found.exit_code) == ("schema", 5)
    if change == "drop":
        assert fresh.create() is True
        assert fresh.state() is SchemaState.READY
        assert put(fresh, {"/d/b.exr": A}).inserted == 1
    else:
        with pytest.raises(SchemaMismatch, match="name another schema with --store vast://"):
            fresh.create()


def test_another_schema_version_is_refused(server: VastServer) -> None:
    store = made_on(server)
    link = store._link
    transaction = link.begin()
    rows = transaction.select(ABOUT, ["key"], row_ids=True)
    transaction.update(ABOUT, pa.table({ROW_ID: rows[ROW_ID], "value": ["99"]}))
    transaction.commit()
    fresh = store_on(server)
    assert fresh.state() is SchemaState.INCOMPATIBLE
    with pytest.raises(SchemaMismatch, match="holds schema version 99 instead of 2"):
        fresh.require()


def test_many_may_create_at_once(server: VastServer) -> None:
    stores = [store_on(server) for _ in range(6)]
    made: list[bool] = []
    threads = [threading.Thread(target=lambda s=store: made.append(s.create())) for store in stores]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert Counter(made) == {True: 1, False: 5}
    assert stores[0]._link.read(lambda tx: tx.count(SLOTS)) == SLOT_COUNT
    assert stores[0]._link.read(lambda tx: tx.count(ABOUT)) == 1


def test_slots_that_are_missing_are_noticed(server: VastServer) -> None:
    store = made_on(server)
    ids = store._link.read(lambda tx: tx.select("exrindex_slots", [], row_ids=True))[ROW_ID]
    store._link.write(lambda tx: tx.delete("exrindex_slots", ids.slice(0, 7)))
    (problem,) = store.check()
    assert problem.what == "exrindex_slots holds 65529 rows instead of 65536"
    assert "exrindex schema create" in problem.remedy


def test_slots_are_spread(server: VastServer) -> None:
    directories = [f"/shows/projx/sq{n // 100:03d}/sh{n:04d}/render" for n in range(10_000)]
    slots = Counter(map(slot_of, directories))
    assert max(slots.values()) <= 5
    assert slot_of("/shows") == 21274
    assert set(slots) <= set(range(SLOT_COUNT))


def test_scanners_of_different_directories_do_not_collide(server: VastServer) -> None:
    first, second = made_on(server), made_on(server)
    transaction = first._link.begin()
    take(transaction, slot_rows(transaction, ["/d"]))
    put(second, {"/other/a.exr": A})
    server.log.clear()
    impatient = store_on(server, wait=0.1)
    impatient.require()
    with pytest.raises(StoreConflict, match="another writer"):
        impatient.upsert(batch_of({"/d/a.exr": A}, NOW))
    first._link.abandon(transaction)
    assert put(second, {"/d/a.exr": A}).inserted == 1
    assert requests_of(server)["PUT rows exrindex_slots"] >= 2
