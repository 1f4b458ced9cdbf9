"""What things cost in requests, by the server's own log."""

from __future__ import annotations

import datetime as dt
import math
import random
from collections import Counter

import pyarrow as pa
import pytest

from benchmarks.make_tree import frames_of
from exrindex.store.base import Upserted
from exrindex.store.vast.rows import REQUEST_BYTES, fit, requests
from exrindex.tables import Batch
from store.contract import NOW, A, put
from trees import batch_of
from vastserver import VastServer
from vaststore import made_on, requests_of

FRAMES, DIRECTORIES = 2000, 20
WIRE_BYTES = 5 * 1024 * 1024


@pytest.fixture(scope="module")
def chunk() -> Batch:
    """Frames of 30 channels and 30 attributes each."""
    rng = random.Random(1)
    files = {
        f"/shows/x/sh{n % DIRECTORIES:03d}/beauty.{n:05d}.exr": frame
        for n, frame in enumerate(frames_of(rng, "sh", "arnold", 30, FRAMES))
    }
    batch = batch_of(files, NOW)
    assert batch["channels"].num_rows == 30 * FRAMES
    assert batch["attributes"].num_rows >= 30 * FRAMES
    return batch


def test_a_chunk_of_new_files(server: VastServer, chunk: Batch) -> None:
    store = made_on(server)
    server.log.clear()
    assert store.upsert(chunk) == Upserted(FRAMES, 0, 0, 0, 0)
    made = requests_of(server)
    sent: Counter[str] = Counter()
    for entry in server.log:
        if f"{entry.method} {entry.command}" == "POST rows":
            sent[entry.table] += entry.bytes_in
    forced = 0
    for table, size in sent.items():
        count = made[f"POST rows {table}"]
        # Without a slice that is not needed: nine tenths of a request are used on average.
        assert count <= math.ceil(size / (0.9 * WIRE_BYTES)) + (table == "channels")
        forced += count - 1
    assert sent.keys() == {"files", "parts", "channels", "attributes"}
    assert made.total() - forced <= 12
    assert max(entry.bytes_in for entry in server.log) <= WIRE_BYTES
    # Nothing but inserts, and the slots that keep writers apart.
    assert {name: n for name, n in made.items() if name.startswith(("PUT", "DELETE"))} == {
        "PUT rows exrindex_slots": 1,
        "PUT transaction": 1,
    }

    server.log.clear()
    assert store.known([f"/shows/x/sh{n:03d}" for n in range(DIRECTORIES)]).num_rows == FRAMES
    assert len(server.log) == 4

    server.log.clear()
    later = batch_of({"/shows/x/sh000/beauty.00000.exr": A}, NOW + dt.timedelta(days=1))
    assert store.upsert(later) == Upserted(1, 0, 0, 1, 0)
    assert len(server.log) <= 12
    # A hook that writes one frame does not read its directory.
    assert sum(entry.bytes_out for entry in server.log) < 20_000


def test_a_new_store_looks_once(server: VastServer) -> None:
    made_on(server)
    server.log.clear()
    store = made_on(server)
    opened = len(server.log)
    server.log.clear()
    put(store, {"/d/a.exr": A})
    put(store, {"/d/b.exr": A})
    assert requests_of(server)["GET column"] == 0
    assert len(server.log) <= 2 * 12
    assert opened <= 2 * 24


def test_rows_are_sent_in_as_few_requests_as_they_fit(chunk: Batch) -> None:
    for table in ("files", "channels", "attributes"):
        rows = fit(table, chunk[table])
        slices = list(requests(rows))
        assert pa.Table.from_batches(slices).equals(rows)
        sizes = [pa.ipc.get_record_batch_size(piece) for piece in slices]
        assert max(sizes) <= REQUEST_BYTES
        assert len(slices) <= math.ceil(sum(sizes) / (0.9 * REQUEST_BYTES))


def test_rows_of_very_different_sizes_fit_too() -> None:
    texts = ["x" * (100_000 if n % 50 == 0 else 10) for n in range(5000)]
    table = pa.table({"text": texts})
    slices = list(requests(table))
    assert pa.Table.from_batches(slices).equals(table)
    assert max(map(pa.ipc.get_record_batch_size, slices)) <= REQUEST_BYTES
    assert list(requests(table.slice(0, 0))) == []
