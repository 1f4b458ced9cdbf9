"""Values that are too long for a cell."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import pyarrow as pa
import pytest

from exrindex.errors import StoreError
from exrindex.store.base import Upserted
from exrindex.store.vast.rows import CELL_BYTES, fit
from exrindex.tables import ATTRIBUTES, FILES, TABLES
from exrmaker import Channel, attr, exr_file
from store.contract import NOW, put
from trees import batch_of, rows
from vastserver import VastServer
from vaststore import made_on

LIMIT = 128 * 1024


def test_a_file_whose_values_do_not_fit_is_indexed_all_the_same(server: VastServer) -> None:
    store = made_on(server)
    # Every character takes six in JSON: 60 kB of value are 360 kB of text.
    manifest = "\x01" * 60_000
    content = exr_file(attributes=[attr("cryptomatte/manifest", "string", manifest)])
    assert put(store, {"/d/crypto.exr": content}) == Upserted(1, 0, 0, 0, 0)
    ((value, text),) = rows(
        store,
        "SELECT value_json, value_text FROM attributes WHERE attr_name = 'cryptomatte/manifest'",
    )
    marker = json.loads(str(value))
    assert marker["cut"] is True
    assert marker["bytes"] == 60_000
    assert marker["sha256"] == hashlib.sha256(manifest.encode()).hexdigest()
    assert manifest.startswith(marker["head"])
    assert LIMIT * 0.9 < len(str(value)) <= LIMIT
    assert text == manifest
    ((raw,),) = rows(store, "SELECT raw_output FROM files")
    document = json.loads(str(raw))
    assert LIMIT * 0.9 < len(str(raw)) <= LIMIT
    by_name = {a["name"]: a["value"] for a in document["parts"][0]["attributes"]}
    assert by_name["cryptomatte/manifest"]["sha256"] == marker["sha256"]
    assert len(document["parts"][0]["channels"]) == 3
    assert store.check() == []


def test_a_header_of_many_small_things_is_cut_from_the_outside(server: VastServer) -> None:
    store = made_on(server)
    channels = [Channel(f"layer{n:05d}.R") for n in range(3000)]
    put(store, {"/d/wide.exr": exr_file(channels=channels)})
    ((raw,),) = rows(store, "SELECT raw_output FROM files")
    document = json.loads(str(raw))
    assert document["parts"][0]["channels"]["cut"] is True
    assert document["header_hash"]
    assert rows(store, "SELECT count(*) FROM channels") == [(3000,)]


def test_what_fits_is_untouched() -> None:
    batch = batch_of({"/d/a.exr": exr_file(attributes=[attr("x", "string", "y" * 60_000)])}, NOW)
    for table, columns in batch.items():
        fitting = fit(table, columns)
        for name in columns.column_names:
            assert fitting[name].to_pylist() == columns[name].to_pylist()


@pytest.mark.parametrize(("text", "size"), [("x", 1), ("名", 3), ("🎬", 4)])
def test_text_is_cut_between_characters(text: str, size: int) -> None:
    whole = text * (2 * CELL_BYTES // size)
    table = _one_row(TABLES["attributes"], {"value_text": whole})
    cut = fit("attributes", table)["value_text"][0].as_py()
    assert whole.startswith(cut)
    assert CELL_BYTES - 4 < len(cut.encode()) <= CELL_BYTES


def test_nulls_are_refused_that_vast_would_take() -> None:
    with pytest.raises(StoreError, match=r"attributes\.attr_name must not be null"):
        fit("attributes", _one_row(ATTRIBUTES, {"attr_name": None}))


def test_a_null_vector_is_none(server: VastServer) -> None:
    store = made_on(server)
    put(store, {"/d/a.exr": exr_file(channels="ABGR")})
    found = rows(
        store, "SELECT channel_index, channel_fingerprint IS NULL FROM channels ORDER BY 1"
    )
    assert found == [(0, False), (1, True), (2, True), (3, True)]


def _one_row(schema: pa.Schema, values: dict[str, Any]) -> pa.Table:
    defaults = {pa.string(): "", pa.int64(): 0, pa.float64(): 0.0}
    row = {field.name: defaults[field.type] for field in schema if field.type in defaults}
    loose = pa.schema([field.with_nullable(True) for field in schema])
    assert schema is not FILES
    return pa.Table.from_pylist([row | values], schema=loose)
