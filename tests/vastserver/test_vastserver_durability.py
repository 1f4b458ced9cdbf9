"""What was committed survives the process, and nothing else does."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import vastdb
from vastdb import errors

from vastserver import Fault, VastServer
from vastserver.client import SCHEMA, Tx, connected, prepared

TESTS = Path(__file__).parents[1]


@contextmanager
def process(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """The server as a process, and what it says about itself."""
    command = [sys.executable, "-m", "vastserver", *arguments]
    environment = {**os.environ, "PYTHONPATH": str(TESTS)}
    pipe = subprocess.PIPE
    with subprocess.Popen(command, env=environment, stdout=pipe, stderr=pipe, text=True) as server:
        assert server.stdout is not None
        lines = [server.stdout.readline() for _ in range(4)]
        said = [line.removeprefix("export ").strip().split("=", 1) for line in lines]
        try:
            yield server, dict(said)
        finally:
            server.kill()


def _session(said: dict[str, str]) -> Any:
    return vastdb.connect(
        said["VAST_DB_ACCESS_KEY"], said["VAST_DB_SECRET_KEY"], said["VAST_DB_ENDPOINT"], timeout=20
    )


def _commit_for_ever(session: Any, committed: list[int]) -> None:
    while True:
        number = len(committed)
        tx = Tx(session)
        tx.insert("t", (number, "x" * 1000), (number, "twin"))
        tx.delete("t", [number * 2])
        tx.commit()
        committed.append(number)


def test_a_killed_process_keeps_exactly_what_was_committed(tmp_path: Path) -> None:
    committed: list[int] = []
    with process("--data", str(tmp_path / "data")) as (server, said), _session(said).api as api:
        session = _session(said)
        setup = Tx(session)
        api.create_schema("exr", SCHEMA, txid=setup.txid)
        setup.create("t")
        setup.commit()
        killer = threading.Timer(0.4, server.send_signal, [signal.SIGKILL])
        killer.start()
        with session.api, pytest.raises((errors.ConnectionError, ValueError)):
            _commit_for_ever(session, committed)
        killer.join()
    assert len(committed) > 2
    with process("--data", str(tmp_path / "data")) as (server, said):
        session = _session(said)
        with session.api:
            tx = Tx(session)
            rows = [key for key, _ in tx.rows("t")]
            # The commit that was cut off may be there, if its record was complete.
            assert rows in (committed, [*committed, len(committed)])
            tx.insert("t", (-1, "and on"))
            tx.commit()
        server.send_signal(signal.SIGTERM)
        output, trouble = server.communicate(timeout=10)
        assert (server.returncode, output, trouble) == (0, "", "")


def test_all_changes_are_journaled(tmp_path: Path) -> None:
    vector = pa.list_(pa.field("item", pa.float32(), nullable=False), 2)
    columns = pa.schema([("a", pa.int64()), ("b", vector), ("v", vector), ("c", pa.string())])
    with VastServer(tmp_path) as server:
        server.add_bucket("more")
        with prepared(server) as session:
            api = session.api
            tx = Tx(session)
            tx.create("u", columns, sorting_key=["a"])
            api.create_projection("exr", SCHEMA, "t", "p", [("text", "Sorted")], txid=tx.txid)
            ids = tx.insert("t", (1, "a"), (2, "b"), (3, "c"))
            tx.commit()
            tx = Tx(session)
            tx.update("t", {ids[0]: "changed"})
            tx.delete("t", ids[1:2])
            api.alter_column("exr", SCHEMA, "u", "c", new_name="d", txid=tx.txid)
            api.drop_columns("exr", SCHEMA, "u", pa.schema([("b", pa.int8())]), txid=tx.txid)
            api.alter_schema("exr", SCHEMA, new_name="renamed", txid=tx.txid)
            tx.commit()
            before = server._desk.service.store.database
            server.restart()
        after = server._desk.service.store.database
        assert (after.buckets, after.schemas) == (before.buckets, before.schemas)
        for key, table in before.tables.items():
            assert after.tables[key].definition == table.definition
            assert after.tables[key].num_rows == table.num_rows
    with VastServer(tmp_path) as server, connected(server) as session:
        tx = Tx(session)
        schema = tx.sdk.bucket("exr").schema("renamed")
        assert schema.tablenames() == ["t", "u"]
        assert [f.name for f in schema.table("u")._metadata.sorted_columns] == ["a"]
        assert schema.table("u").arrow_schema.names == ["a", "v", "d"]
        assert [p.name for p in schema.table("t").projections()] == ["p"]
        rows = schema.table("t").select(internal_row_id=True).read_all().to_pydict()
        assert rows == {"key": [1, 3], "text": ["changed", "c"], "$row_id": [ids[0], ids[2]]}
        server.add_bucket("exr")
        assert Tx(session).sdk.bucket("exr").schema("renamed").tablenames() == ["t", "u"]
        assert tx.sdk.bucket("more")


def test_a_torn_record_is_cut_off(tmp_path: Path) -> None:
    with VastServer(tmp_path) as server, prepared(server) as session:
        for number in range(3):
            tx = Tx(session)
            tx.insert("t", (number, "x"))
            tx.commit()
    journal = tmp_path / "journal"
    whole = journal.read_bytes()
    for torn in (whole[:-1], whole[:-40], whole + b"\1\0\0\0\0\0\0\0", whole[:-2] + b"!!"):
        journal.write_bytes(torn)
        with VastServer(tmp_path) as server, connected(server) as session:
            tx = Tx(session)
            keys = [key for key, _ in tx.rows("t")]
            assert keys == ([0, 1, 2] if torn.startswith(whole) else [0, 1])
            tx.insert("t", (9, "behind it"))
            tx.commit()
        with VastServer(tmp_path) as server, connected(server) as session:
            assert [key for key, _ in Tx(session).rows("t")] == [*keys, 9]


def test_one_server_at_a_time(tmp_path: Path) -> None:
    with VastServer(tmp_path), pytest.raises(BlockingIOError):
        VastServer(tmp_path)


def test_a_lost_answer_and_a_restart(tmp_path: Path) -> None:
    with VastServer(tmp_path) as server, prepared(server) as session:
        tx = Tx(session)
        tx.insert("t", (1, "a"))
        server.faults.add(Fault("drop after", on="PUT transaction"))
        with pytest.raises(errors.ConnectionError):
            tx.commit()
        server.restart()
        assert Tx(session).rows("t") == [(1, "a")]


def test_a_full_disk_fails_the_commit_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    with VastServer(tmp_path) as server, prepared(server) as session:
        tx = Tx(session)
        tx.insert("t", (1, "a"))
        with monkeypatch.context() as patch:
            patch.setattr(os, "fsync", full)
            with pytest.raises(errors.InternalServerError):
                tx.commit()
        assert server.crashes == 1
        assert Tx(session).rows("t") == []
        tx.commit()
        server.restart()
        assert Tx(session).rows("t") == [(1, "a")]
