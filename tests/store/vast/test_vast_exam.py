"""What ``exrindex doctor`` finds on VAST."""

from __future__ import annotations

import re

import pytest

from exrindex.access import Secret, VastAccess
from exrindex.errors import BucketMissing, PermissionRefused
from exrindex.store.base import Finding, Level
from exrindex.store.vast import VastStore, exam
from vastserver import Fault, VastServer
from vaststore import access_to, driver, made_on, store_on


def examined(store: VastStore, *, write: bool = False) -> dict[str, list[Finding]]:
    found: dict[str, list[Finding]] = {}
    for finding in store.examine(write=write):
        found.setdefault(finding.what, []).append(finding)
    return found


def bad(found: dict[str, list[Finding]]) -> Finding:
    (one,) = [f for findings in found.values() for f in findings if f.level is Level.BAD]
    assert one.remedy
    assert one.exit_code in (3, 5)
    return one


def test_all_is_well(server: VastServer) -> None:
    store = made_on(server)
    found = examined(store, write=True)
    assert {f.level for findings in found.values() for f in findings} == {Level.OK}
    assert (
        list(found)
        == (
            "endpoint clock keys release bucket schema sql create insert select update conflicts"
            " delete drop"
        ).split()
    )
    assert "VAST 5.5.0.0, with sorted tables and vector indexes" in found["release"][0].text
    assert len(found["conflicts"]) == 2
    assert server.open_transactions == 0
    # Nothing is left of what was tried.
    assert store.state() is not None
    listed = store._link.read(
        lambda tx: [schema.name for schema in tx.sdk.bucket(server.bucket).schemas()]
    )
    assert listed == ["exr_metadata"]


def test_a_new_schema_and_no_driver_are_notes(server: VastServer) -> None:
    with driver(is_there=False):
        found = examined(store_on(server))
    notes = {name: f.remedy for name, (f, *_) in found.items() if f.level is Level.NOTE}
    assert notes == {"schema": "exrindex schema create", "sql": "pip install 'exrindex[adbc]'"}


def test_a_cluster_whose_rows_do_not_collide_is_told() -> None:
    with VastServer(row_conflicts=False) as server:
        found = examined(store_on(server), write=True)
    assert [f.level for f in found["conflicts"]] == [Level.BAD, Level.BAD]
    assert "concurrent scans of one tree could leave a file twice" in found["conflicts"][0].text
    assert found["drop"][0].level is Level.OK


@pytest.mark.parametrize(
    ("offset", "level", "side"),
    [
        (60, Level.NOTE, "behind"),
        (-60, Level.NOTE, "ahead of"),
        (2000, Level.BAD, "behind"),
    ],
)
def test_clocks(offset: int, level: Level, side: str) -> None:
    with VastServer(clock_offset=offset) as server:
        found = examined(store_on(server, wait=0.5))
    (clock,) = found["clock"]
    assert clock.level is level
    told = re.search(r"clock is (\d+) s (behind|ahead of) VAST's", clock.text)
    assert told is not None
    assert abs(int(told.group(1)) - abs(offset)) <= 2
    assert told.group(2) == side
    assert (clock.exit_code == 3) == (level is Level.BAD)


def test_nobody_listens() -> None:
    access = VastAccess("http://127.0.0.1:9", "AK", Secret("s"), "exr", "s")
    found = examined(VastStore(access, wait_seconds=1, tell=print))
    assert list(found) == ["endpoint"]
    assert "Connection refused" in bad(found).text


def test_something_else_listens() -> None:
    with VastServer(server_header="nginx") as server:
        found = examined(store_on(server))
    assert list(found) == ["endpoint"]
    assert "answers as nginx, not as VAST" in bad(found).text
    assert bad(found).exit_code == 3


def test_a_data_endpoint_that_is_dead(server: VastServer) -> None:
    access = access_to(server)
    whole = VastAccess(
        access.endpoint, access.access_key, access.secret_key, access.bucket, access.schema,
        data_endpoints=(access.endpoint, "http://127.0.0.1:9"),
    )  # fmt: skip
    found = examined(VastStore(whole, wait_seconds=1, tell=print))
    assert [f.level for f in found["endpoint"]] == [Level.OK, Level.BAD]


def test_certificates_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", "/no/such/file")
    access = VastAccess("https://127.0.0.1:9", "AK", Secret("s"), "exr", "s")
    found = examined(VastStore(access, wait_seconds=1, tell=print))
    assert "/no/such/file" in bad(found).text


def test_a_driver_that_cannot_be_used_is_a_note() -> None:
    with VastServer(version="5.3.0.1") as server:
        found = examined(made_on(server))
    assert found["sql"][0].level is Level.NOTE
    assert "queries run here, over streamed columns, since" in found["sql"][0].text


def test_wrong_keys(server: VastServer) -> None:
    access = access_to(server)
    wrong = VastAccess(access.endpoint, access.access_key, Secret("no"), access.bucket, "s")
    found = examined(VastStore(wrong, wait_seconds=1, tell=print))
    assert list(found)[-1] == "keys"
    assert bad(found).exit_code == 3


def test_an_old_release() -> None:
    with VastServer(version="5.0.0.1") as server:
        found = examined(store_on(server))
    assert "VAST 5.0.0.1 is older than 5.1" in bad(found).text


def test_an_unknown_bucket(server: VastServer) -> None:
    access = access_to(server)
    other = VastAccess(access.endpoint, access.access_key, access.secret_key, "nowhere", "s")
    found = examined(VastStore(other, wait_seconds=1, tell=print))
    assert "there is no bucket nowhere" in found["bucket"][0].text
    assert "a view with the protocols S3 Bucket and Database" in found["bucket"][0].remedy


def test_keys_that_may_only_read(server: VastServer) -> None:
    made_on(server)
    server.add_user("READER", "reader-secret", read_only=True)
    access = access_to(server)
    reader = VastAccess(
        access.endpoint, "READER", Secret("reader-secret"), access.bucket, access.schema
    )
    found = examined(VastStore(reader, wait_seconds=1, tell=print), write=True)
    assert found["schema"][0].level is Level.OK
    assert bad(found).what == "create"
    assert "identity policy" in bad(found).remedy


def test_a_bucket_that_the_keys_may_not_see_need_not_be_made() -> None:
    assert "make one" in exam._remedy(BucketMissing("none"))
    assert "identity policy" in exam._remedy(PermissionRefused("no"))


def test_a_probe_that_fails_half_way_is_cleared_away(server: VastServer) -> None:
    store = made_on(server, wait=0.5)
    server.faults.add(Fault("error", on="POST rows", table="probe", times=None))
    found = examined(store, write=True)
    assert found["insert"][0].level is Level.BAD
    assert found["drop"][0].level is Level.OK
