"""The rules of an upsert as a pure function; what a store does with them is in the contract."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exrindex.rows import failure_rows
from exrindex.store.upsert import (
    EXISTING_FILES,
    OPEN_FAILURES,
    REPEATED,
    TOUCHED,
    plan_upsert,
    require_places_once,
)
from exrindex.tables import FAILURES, FILES, TIMESTAMP

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


class Row(NamedTuple):
    """A row of ``files`` as far as the rules look at it; the id is ``place/header``."""

    place: str
    header: str
    size: int = 1
    mtime_us: int = 1
    integrity: str = "ok"
    is_retired: bool = False


def incoming(*rows: Row) -> pa.Table:
    """Rows that come in; all were seen ``NOW``."""
    return pa.table(
        {
            **_common(rows),
            "last_inspected": pa.array([NOW] * len(rows), TIMESTAMP),
        }
    )


def existing(*rows: Row) -> pa.Table:
    """Rows that stand; all were seen, and retired if they are, the day before ``NOW``."""
    before = NOW - dt.timedelta(days=1)
    return pa.table(
        {
            **_common(rows),
            "first_seen": pa.array([before] * len(rows), TIMESTAMP),
            "last_inspected": pa.array([before] * len(rows), TIMESTAMP),
            "retired_at": pa.array([before if row.is_retired else None for row in rows], TIMESTAMP),
        }
    )


def _common(rows: tuple[Row, ...]) -> dict[str, pa.Array]:
    return {
        "file_id": pa.array([f"{row.place}/{row.header}" for row in rows], pa.string()),
        "file_path_normalized": pa.array([row.place for row in rows], pa.string()),
        "header_hash": pa.array([row.header for row in rows], pa.string()),
        "size_bytes": pa.array([row.size for row in rows], pa.int64()),
        "mtime": pa.array([row.mtime_us for row in rows], TIMESTAMP),
        "integrity": pa.array([row.integrity for row in rows], pa.string()),
    }


NO_FAILURES = failure_rows([], NOW)


class Plan(NamedTuple):
    insert: list[str]
    touch: list[str]
    updated: int
    retire: list[str]


def plan(new: list[Row], old: list[Row], clock: dt.datetime = NOW) -> Plan:
    made = plan_upsert(
        {"files": incoming(*new), "failures": NO_FAILURES}, existing(*old), NO_FAILURES, clock
    )
    assert made.retire["at"].to_pylist() == [NOW] * made.retire.num_rows
    return Plan(
        made.insert, made.touch["file_id"].to_pylist(), made.counts.updated,
        made.retire["file_id"].to_pylist(),
    )  # fmt: skip


OLD = Row("p", "h")


def test_a_row_from_the_future_proves_nothing() -> None:
    """It was written by a machine whose clock is wrong; without one, it was seen later."""
    later = existing(OLD)
    moment = pa.array([NOW + dt.timedelta(hours=1)], TIMESTAMP)
    later = later.set_column(
        later.schema.get_field_index("last_inspected"), "last_inspected", moment
    )
    batch = {"files": incoming(Row("p", "i")), "failures": NO_FAILURES}
    for clock, inserted in ((NOW, ["p/i"]), (NOW + dt.timedelta(hours=2), [])):
        assert plan_upsert(batch, later, NO_FAILURES, clock).insert == inserted


@pytest.mark.parametrize(
    ("new", "old", "expected"),
    [
        (OLD, [], Plan(["p/h"], [], 0, [])),
        (OLD, [OLD], Plan([], ["p/h"], 0, [])),
        (OLD._replace(size=2), [OLD], Plan([], ["p/h"], 1, [])),
        (OLD._replace(mtime_us=2), [OLD], Plan([], ["p/h"], 1, [])),
        (OLD._replace(integrity="truncated"), [OLD], Plan([], ["p/h"], 1, [])),
        (OLD, [OLD._replace(is_retired=True)], Plan([], ["p/h"], 1, [])),
        (Row("p", "i"), [OLD], Plan(["p/i"], [], 0, ["p/h"])),
        (Row("p", "i"), [OLD._replace(is_retired=True)], Plan(["p/i"], [], 0, [])),
        (Row("p", "i"), [OLD, Row("p", "i", is_retired=True)], Plan([], ["p/i"], 1, ["p/h"])),
        (Row("q", "h"), [OLD], Plan(["q/h"], [], 0, [])),
    ],
)
def test_the_rules_one_by_one(new: Row, old: list[Row], expected: Plan) -> None:
    assert plan([new], old) == expected


@pytest.mark.parametrize("mtime_us", [-(2**62), 2**62, 253_402_300_800_000_000])
def test_a_time_beyond_the_calendar_is_compared_like_any_other(mtime_us: int) -> None:
    old = Row("p", "h", mtime_us=mtime_us)
    assert plan([old], [old]).updated == 0
    assert plan([OLD], [old]).updated == 1


headers = st.sampled_from("hij")
history = st.lists(st.tuples(st.sampled_from("pqr"), headers), max_size=12)


@given(steps=st.lists(st.dictionaries(st.sampled_from("pqr"), headers), max_size=8))
def test_any_history_leaves_one_live_header_a_place(steps: list[dict[str, str]]) -> None:
    """Applying plans to a table of rows: one live row a place, the latest; none ever twice."""
    rows: dict[str, bool] = {}
    latest: dict[str, str] = {}
    for step in steps:
        old = [Row(file_id[0], file_id[2], is_retired=retired) for file_id, retired in rows.items()]
        made = plan([Row(place, header) for place, header in step.items()], old)
        assert not set(made.insert) & rows.keys()
        assert set(made.touch) <= rows.keys()
        rows |= dict.fromkeys(made.insert + made.touch, False)
        rows |= dict.fromkeys(made.retire, True)
        latest |= step
        live = sorted(file_id for file_id, retired in rows.items() if not retired)
        assert live == sorted(f"{place}/{header}" for place, header in latest.items())


def test_places_are_counted_over_files_and_failures() -> None:
    def batch(*places: str) -> dict[str, pa.Table]:
        return {"files": incoming(*(Row(place, "h") for place in places)), "failures": NO_FAILURES}

    require_places_once(batch("p", "q"))
    with pytest.raises(ValueError, match="once"):
        require_places_once(batch("p", "q", "p"))


def test_the_columns_it_relies_on_are_those_of_files() -> None:
    assert {*incoming().column_names, *EXISTING_FILES, *TOUCHED} <= set(FILES.names)
    assert {*OPEN_FAILURES, *REPEATED} <= set(FAILURES.names)
