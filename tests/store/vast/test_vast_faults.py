"""Whatever goes wrong, an upsert happens once and whole, or not at all and with an error."""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import pytest

from exrindex.errors import StoreConflict, StoreUnavailable
from exrindex.store.base import Slice, Upserted
from exrindex.store.vast import VastStore, link
from store.contract import NOW, A, B, file_rows, put
from store.vast.rounds import plant_tree, play
from trees import batch_of, multipart, rows
from vastserver import Fault, VastServer
from vaststore import driver, made_on, store_on

# Where an answer breaks off, the SDK leaves its socket to the garbage collector.
pytestmark = [
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

DAY = dt.timedelta(days=1)
_FOLDERS = count()

# Every request of an upsert, in turn.
STEPS = [
    ("POST transaction", None),
    ("GET data", "exrindex_slots"),
    ("GET data", "files"),
    ("GET data", "failures"),
    ("POST rows", "files"),
    ("POST rows", "parts"),
    ("POST rows", "channels"),
    ("POST rows", "attributes"),
    ("POST rows", "failures"),
    ("PUT rows", "exrindex_slots"),
    ("PUT rows", "files"),
    ("PUT transaction", None),
]
KINDS = ["error", "drop before", "drop after", "expire"]
READS = ["cut", "failed frame"]
LATER = ["slow down", "unavailable"]
CASES = [
    (kind, on, table)
    for on, table in STEPS
    for kind in (
        *KINDS,
        *(READS if on == "GET data" else ()),
        *(LATER if on == "PUT transaction" or table == "files" else ()),
    )
    if (kind, on) != ("expire", "POST transaction")
]


@pytest.fixture(autouse=True)
def _asked_here() -> Iterator[None]:
    with driver(is_there=False):
        yield


@pytest.fixture(scope="module")
def store(shared_server: VastServer) -> VastStore:
    return made_on(shared_server)


@pytest.mark.parametrize(("kind", "on", "table"), CASES, ids=lambda value: str(value))
def test_one_fault_anywhere_costs_a_retry_and_nothing_else(
    shared_server: VastServer, store: VastStore, kind: str, on: str, table: str | None
) -> None:
    folder = f"/d{next(_FOLDERS)}"
    before = {f"{folder}/same.exr": A, f"{folder}/other.exr": A, f"{folder}/lost.exr": A}
    put(store, before)
    batch = batch_of(
        {
            f"{folder}/new.exr": multipart(),
            f"{folder}/same.exr": A,
            f"{folder}/other.exr": B,
            f"{folder}/lost.exr": b"",
            f"{folder}/bad.exr": b"",
        },
        NOW + DAY,
    )
    shared_server.faults.clear()
    shared_server.faults.add(Fault(kind, on=on, table=table))  # type: ignore[arg-type]
    open_before = shared_server.open_transactions
    assert store.upsert(batch) == Upserted(2, 0, 1, 2, 2)
    assert shared_server.faults.injected == {kind: 1}
    found = store.rows_of(Slice([folder]))
    files = found["files"].select(["file_path", "retired_at", "inspection_count"]).to_pylist()
    assert sorted(
        (r["file_path"][len(folder) + 1 : -4], r["retired_at"] is None, r["inspection_count"])
        for r in files
    ) == [
        ("lost", False, 1),
        ("new", True, 1),
        ("other", False, 1),
        ("other", True, 1),
        ("same", True, 2),
    ]
    assert found["channels"].num_rows == 5 + 4 * 3
    assert found["failures"]["attempts"].to_pylist() == [1, 1]
    # Only a begin whose answer was lost leaves a transaction that nobody can end.
    nameless = (kind, on) == ("drop after", "POST transaction")
    assert shared_server.open_transactions - open_before == nameless


def test_after_all_that_the_tables_are_sound(store: VastStore) -> None:
    assert store.check() == []


@pytest.mark.parametrize(
    ("kind", "on"),
    [
        ("error", "POST rows"),
        ("unavailable", "PUT transaction"),
        ("drop before", "PUT transaction"),
        ("slow down", "POST rows"),
    ],
)
def test_a_fault_that_lasts_is_an_error_and_leaves_nothing(
    server: VastServer, kind: str, on: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link._BACKOFF, "max_tries", 2)
    # What may be a bug of somebody's is tried six times, anything else until the time is up.
    wait, tried = (20.0, "(tried 6 times in ") if kind == "error" else (1.0, "")
    store = made_on(server, wait=wait)
    put(store, {"/d/a.exr": A})
    before = file_rows(store, "/d/a.exr")
    server.faults.add(Fault(kind, on=on, times=None))  # type: ignore[arg-type]
    began = time.monotonic()
    with pytest.raises(StoreUnavailable) as caught:
        put(store, {"/d/a.exr": B, "/d/b.exr": A}, days=1)
    assert time.monotonic() - began < 20
    assert caught.value.exit_code == 5
    for part in (server.endpoint, "vast://exr/exr_metadata", tried):
        assert part in str(caught.value)
    server.faults.clear()
    assert file_rows(store, "/d/a.exr") == before
    assert store.row_counts()["files"] == 1
    assert put(store, {"/d/a.exr": B, "/d/b.exr": A}, days=1) == Upserted(2, 0, 0, 1, 0)


def test_a_commit_whose_answer_is_lost_is_counted_once(server: VastServer) -> None:
    store = made_on(server)
    server.faults.add(Fault("drop after", on="PUT transaction"))
    assert put(store, {"/d/a.exr": A, "/d/bad.exr": b""}) == Upserted(1, 0, 0, 0, 1)
    assert server.log.count("PUT", "transaction") >= 2
    assert [row["inspection_count"] for row in file_rows(store, "/d/a.exr")] == [1]
    assert rows(store, "SELECT attempts FROM failures") == [(1,)]


def test_what_was_done_before_an_answer_was_lost_counts(server: VastServer) -> None:
    store = store_on(server)

    def lose_the_answer() -> None:
        server.faults.add(Fault("drop after", on="PUT transaction"))

    lose_the_answer()
    assert store.create() is True
    put(store, {f"/d/{n}.exr": A for n in range(5)} | {"/d/bad.exr": b""})
    lose_the_answer()
    assert store.retire([f"/d/{n}.exr" for n in range(5)], NOW + DAY) == 5
    lose_the_answer()
    assert store.close_failures(["/d/bad.exr"], NOW + DAY) == 1
    batch = store.rows_of(Slice(["/d"]))
    other = made_on(server, "other")
    lose_the_answer()
    assert other.add_rows(batch) == 5


def test_a_server_that_restarts_costs_a_retry(server: VastServer) -> None:
    store = made_on(server)
    server.faults.add(Fault("latency", on="POST rows", table="channels", seconds=1.0))
    restart = threading.Timer(0.5, server.restart)
    restart.start()
    assert put(store, {"/d/a.exr": A}) == Upserted(1, 0, 0, 0, 0)
    restart.join()
    assert server.log.count("POST", "rows", "files") == 2
    assert store.check() == []


def test_a_server_that_hangs_is_left(server: VastServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(link, "TIMEOUTS", (1.0, 1.0))
    monkeypatch.setattr(link, "_GOODBYE_TIMEOUTS", (0.5, 0.5))
    store = made_on(server, wait=2.0)
    server.faults.add(Fault("hang", on="POST rows", table="files"))
    assert put(store, {"/d/a.exr": A}) == Upserted(1, 0, 0, 0, 0)
    # One silent request takes all of the time: it is tried again all the same.
    impatient = made_on(server, wait=0.5)
    server.faults.add(Fault("hang", on="POST rows", table="files"))
    assert put(impatient, {"/d/c.exr": A}) == Upserted(1, 0, 0, 0, 0)
    server.faults.add(Fault("hang", times=None))
    began = time.monotonic()
    with pytest.raises(StoreUnavailable, match="timed out"):
        put(store, {"/d/b.exr": A})
    assert time.monotonic() - began < 15


def test_a_writer_that_was_killed_holds_its_rows_until_it_is_given_up(
    server: VastServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(link, "_SILENT_SECONDS", 0.1)
    said: list[str] = []
    store = made_on(server)
    put(store, {"/d/a.exr": A})
    killed = made_on(server)
    transaction = killed._link.begin()
    ids = transaction.select("files", [], row_ids=True)
    transaction.update("files", ids.append_column("size_bytes", [[5]]))

    impatient = store_on(server, wait=0.1, tell=said.append)
    with pytest.raises(StoreConflict, match="one that was killed still holds") as caught:
        put(impatient, {"/d/a.exr": A}, days=1)
    assert caught.value.exit_code == 5
    assert [line for line in said if line.startswith("still trying, for up to")]

    threading.Timer(0.7, server.restart).start()
    assert put(store, {"/d/a.exr": A}, days=1) == Upserted(0, 0, 1, 0, 0)


@pytest.mark.parametrize(("scanners", "rate"), [(1, 0.05), (8, 0.0), (8, 0.03)])
def test_scanners_of_one_tree_leave_one_row_each(
    server: VastServer, tmp_path: Path, scanners: int, rate: float
) -> None:
    tree = plant_tree(tmp_path, folders=2, frames=8)
    outcome = play(server, tree, "round", scanners=scanners, rate=rate, seed=7)
    assert (outcome.doubled, outcome.missing, outcome.problems) == (0, 0, [])
    assert bool(outcome.faults) == bool(rate)


def test_without_conflicts_the_round_would_notice(tmp_path: Path) -> None:
    """The slots are what keeps scanners apart: where updates do not collide, rows are doubled."""
    tree = plant_tree(tmp_path, folders=2, frames=8)
    with VastServer(row_conflicts=False, latency=0.01) as server:
        outcome = play(server, tree, "round", scanners=8, rate=0, seed=1)
    assert outcome.doubled > 0
    assert outcome.problems
