"""Snapshots, conflicts, rollback and expiry, in the order in which they may happen."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pyarrow as pa
import pytest
from vastdb import errors

from vastserver import VastServer
from vastserver.client import COLUMNS, SCHEMA, Tx, prepared

Write = Callable[[Tx, int], None]


def _update(tx: Tx, row_id: int) -> None:
    tx.update("t", {row_id: "changed"})


def _delete(tx: Tx, row_id: int) -> None:
    tx.delete("t", [row_id])


WRITES: tuple[Write, ...] = (_update, _delete)


def _committed(session: Any, *rows: tuple[int, str]) -> list[int]:
    tx = Tx(session)
    row_ids = tx.insert("t", *rows)
    tx.commit()
    return row_ids


def _now(session: Any) -> list[tuple[Any, ...]]:
    tx = Tx(session)
    rows = tx.rows("t")
    tx.rollback()
    return rows


def test_a_transaction_sees_its_snapshot_and_its_own_writes(session: Any) -> None:
    _committed(session, (1, "old"))
    early, writer = Tx(session), Tx(session)
    writer.insert("t", (2, "new"))
    writer.update("t", {0: "changed"})
    assert writer.rows("t") == [(1, "changed"), (2, "new")]
    assert early.rows("t") == [(1, "old")]
    late = Tx(session)
    writer.commit()
    assert early.rows("t") == late.rows("t") == [(1, "old")]
    assert _now(session) == [(1, "changed"), (2, "new")]
    early.commit()
    late.rollback()


def test_rollback_undoes_rows_and_definitions(server: VastServer, session: Any) -> None:
    row_ids = _committed(session, (1, "a"), (2, "b"))
    tx = Tx(session)
    tx.delete("t", row_ids[:1])
    tx.insert("t", (3, "c"))
    session.api.create_schema("exr", "other", txid=tx.txid)
    tx.create("u")
    session.api.alter_column("exr", SCHEMA, "t", "text", new_name="words", txid=tx.txid)
    assert tx.schema.table("t").arrow_schema.names == ["key", "words"]
    tx.rollback()
    assert _now(session) == [(1, "a"), (2, "b")]
    after = Tx(session)
    assert after.schema.tablenames() == ["t"]
    assert [schema.name for schema in after.sdk.bucket("exr").schemas()] == [SCHEMA]
    after.rollback()
    assert server.open_transactions == 0


@pytest.mark.parametrize("second", WRITES)
@pytest.mark.parametrize("first", WRITES)
@pytest.mark.parametrize("is_committed", [False, True])
def test_the_first_writer_of_a_row_wins(
    session: Any, first: Write, second: Write, is_committed: bool
) -> None:
    one, other = _committed(session, (1, "a"), (2, "b"))
    winner, loser = Tx(session), Tx(session)
    first(winner, one)
    if is_committed:
        winner.commit()
    second(loser, other)
    with pytest.raises(errors.Conflict):
        second(loser, one)
    assert loser.rows("t")[0] == (1, "a")
    loser.rollback()
    if not is_committed:
        winner.commit()
    assert _now(session)[-1] == (2, "b")
    assert (1, "a") not in _now(session)


@pytest.mark.parametrize("write", WRITES)
def test_a_write_that_was_rolled_back_is_in_nobodys_way(session: Any, write: Write) -> None:
    (row_id,) = _committed(session, (1, "a"))
    gone, tx = Tx(session), Tx(session)
    write(gone, row_id)
    gone.rollback()
    write(tx, row_id)
    tx.commit()
    assert _now(session) != [(1, "a")]


def test_writes_that_were_committed_before_the_snapshot_do_not_clash(session: Any) -> None:
    (row_id,) = _committed(session, (1, "a"))
    reader, first = Tx(session), Tx(session)
    _update(first, row_id)
    first.commit()
    second = Tx(session)
    _delete(second, row_id)
    second.commit()
    assert reader.rows("t") == [(1, "a")]
    reader.rollback()
    assert _now(session) == []


def test_inserts_and_writes_of_different_rows_go_together(session: Any) -> None:
    one, other = _committed(session, (1, "a"), (2, "b"))
    left, right = Tx(session), Tx(session)
    for tx, row_id, key in ((left, one, 3), (right, other, 4)):
        tx.delete("t", [row_id])
        tx.insert("t", (key, "new"), (key + 10, "new"))
    right.commit()
    left.commit()
    assert _now(session) == [(3, "new"), (4, "new"), (13, "new"), (14, "new")]


def test_nothing_keeps_two_transactions_from_inserting_the_same(session: Any) -> None:
    left, right = Tx(session), Tx(session)
    for tx in (left, right):
        tx.insert("t", (1, "twin"))
    left.commit()
    right.commit()
    assert _now(session) == [(1, "twin")] * 2


def test_without_row_conflicts_the_last_writer_wins() -> None:
    with VastServer(row_conflicts=False) as server, prepared(server) as session:
        one, other = _committed(session, (1, "a"), (2, "b"))
        left, right = Tx(session), Tx(session)
        left.update("t", {one: "left", other: "left"})
        right.update("t", {one: "right"})
        right.delete("t", [other])
        right.insert("t", (2, "right"))
        left.commit()
        right.commit()
        assert _now(session) == [(1, "right"), (2, "right")]
        late, early = Tx(session), Tx(session)
        early.delete("t", [one])
        early.commit()
        late.update("t", {one: "too late"})
        late.commit()
        assert _now(session) == [(2, "right")]


def _add_column(tx: Tx, api: Any) -> None:
    columns = pa.schema([("more", pa.int8())])
    api.add_columns("exr", SCHEMA, "t", columns, txid=tx.txid)


def _drop_column(tx: Tx, api: Any) -> None:
    columns = pa.schema([("text", pa.string())])
    api.drop_columns("exr", SCHEMA, "t", columns, txid=tx.txid)


def _rename_table(tx: Tx, api: Any) -> None:
    api.alter_table("exr", SCHEMA, "t", new_name="u", txid=tx.txid)


def _drop_table(tx: Tx, api: Any) -> None:
    api.drop_table("exr", SCHEMA, "t", txid=tx.txid)


def _insert(tx: Tx, api: Any) -> None:
    tx.insert("t", (9, "z"))


DEFINITIONS = (_add_column, _drop_column, _rename_table, _drop_table)


@pytest.mark.parametrize("is_committed", [False, True])
@pytest.mark.parametrize("second", [*DEFINITIONS, _insert])
@pytest.mark.parametrize("first", [*DEFINITIONS, _insert])
def test_definitions_clash_with_all_other_writes(
    session: Any, first: Any, second: Any, is_committed: bool
) -> None:
    winner, loser = Tx(session), Tx(session)
    first(winner, session.api)
    if is_committed:
        winner.commit()
    if first is second is _insert:
        second(loser, session.api)
        return
    with pytest.raises(errors.Conflict):
        second(loser, session.api)
    loser.rollback()


def test_names_are_taken_by_whoever_comes_first(session: Any) -> None:
    api = session.api
    first, second = Tx(session), Tx(session)
    first.create("u")
    api.create_schema("exr", "x", txid=first.txid)
    with pytest.raises(errors.Conflict):
        second.create("u")
    with pytest.raises(errors.Conflict):
        api.create_schema("exr", "x", txid=second.txid)
    with pytest.raises(errors.Conflict):
        api.alter_table("exr", SCHEMA, "t", new_name="u", txid=second.txid)
    with pytest.raises(errors.Conflict):
        api.alter_schema("exr", SCHEMA, new_name="y", txid=second.txid)
    first.commit()
    second.rollback()
    third = Tx(session)
    with pytest.raises(errors.Conflict, match="exists already"):
        third.create("u")
    third.rollback()


def test_a_schema_is_not_dropped_under_a_new_table(session: Any) -> None:
    setup = Tx(session)
    session.api.create_schema("exr", "empty", txid=setup.txid)
    setup.commit()
    creator, dropper = Tx(session), Tx(session)
    session.api.create_table("exr", "empty", "t", COLUMNS, txid=creator.txid)
    with pytest.raises(errors.Conflict):
        session.api.drop_schema("exr", "empty", txid=dropper.txid)
    creator.commit()
    dropper.rollback()


def test_idle_transactions_expire_unless_kept_alive() -> None:
    with VastServer(idle_seconds=0.3) as server, prepared(server) as session:
        (row_id,) = _committed(session, (1, "a"))
        idle, kept = Tx(session), Tx(session)
        idle.delete("t", [row_id])
        for _ in range(4):
            time.sleep(0.15)
            session.api.get_transaction(kept.txid)
        assert server.open_transactions == 1
        for request in (idle.commit, idle.rollback, lambda: idle.rows("t")):
            with pytest.raises(errors.NotFound):
                request()
        kept.delete("t", [row_id])
        kept.commit()
        assert _now(session) == []


def test_a_transaction_ends_once(session: Any) -> None:
    for end in (Tx.commit, Tx.rollback):
        tx = Tx(session)
        tx.insert("t", (1, "a"))
        end(tx)
        for request in (tx.commit, tx.rollback, lambda tx=tx: tx.insert("t", (2, "b"))):
            with pytest.raises(errors.NotFound):
                request()
    assert _now(session) == [(1, "a")]


def test_restart_forgets_open_transactions_only(server: VastServer, session: Any) -> None:
    _committed(session, (1, "a"))
    tx = Tx(session)
    tx.insert("t", (2, "b"))
    server.restart()
    assert server.open_transactions == 0
    with pytest.raises((errors.ConnectionError, errors.NotFound)):
        tx.commit()
    assert _now(session) == [(1, "a")]
    assert _committed(session, (3, "c"))
    assert _now(session) == [(1, "a"), (3, "c")]


def test_outside_of_transactions_every_statement_stands_alone(session: Any) -> None:
    columns = pa.schema([("a", pa.int8())])
    session.api.create_table("exr", SCHEMA, "alone", columns, txid=0)
    tx = Tx(session)
    assert tx.schema.tablenames() == ["t", "alone"]
    tx.rollback()
