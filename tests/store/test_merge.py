"""The rules of moving rows, as a pure function; what stores do with them is in the contract."""

from __future__ import annotations

import datetime as dt
from typing import NamedTuple

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exrindex.store.merge import (
    RENEWED_FAILURES,
    RENEWED_FILES,
    STANDING_FAILURES,
    STANDING_FILES,
    MergePlan,
    plan_merge,
)
from exrindex.tables import FAILURES, FILES
from trees import batch_of

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)
DAY = dt.timedelta(days=1)


class Row(NamedTuple):
    """A row of ``files`` as far as the rules look; times in days."""

    place: str
    header: str
    seen: int = 0
    retired: int | None = None


def day(number: int | None) -> dt.datetime | None:
    return None if number is None else NOW + number * DAY


def table(*rows: Row) -> pa.Table:
    """What the rules read of rows of ``files``; the id is ``place/header``."""
    columns = {
        "file_id": [f"{row.place}/{row.header}" for row in rows],
        "file_path_normalized": [row.place for row in rows],
        "last_inspected": [day(row.seen) for row in rows],
        "retired_at": [day(row.retired) for row in rows],
        "inspection_count": [1] * len(rows),
        "size_bytes": [1] * len(rows),
        "mtime": [NOW] * len(rows),
        "integrity": ["ok"] * len(rows),
    }
    return pa.table(columns, schema=pa.schema([FILES.field(name) for name in columns]))


NONE = batch_of({}, NOW)["failures"]


def merge(come: list[Row], stand: list[Row]) -> MergePlan:
    return plan_merge(
        {"files": table(*come), "failures": NONE}, table(*stand).select(STANDING_FILES), NONE
    )


OLD = Row("p", "h")


@pytest.mark.parametrize(
    ("come", "stand", "insert", "renew", "retire"),
    [
        (OLD, [], ["p/h"], [], []),
        (OLD, [OLD], [], [], []),
        (OLD._replace(seen=1), [OLD], [], ["p/h"], []),
        (OLD, [OLD._replace(seen=1)], [], [], []),
        (OLD._replace(retired=1), [OLD], [], ["p/h"], []),
        (OLD, [OLD._replace(retired=1)], [], [], []),
        (OLD._replace(retired=1), [OLD._replace(retired=2)], [], [], []),
        (Row("p", "i", 1), [OLD], ["p/i"], [], ["p/h"]),
        (Row("p", "i", 1, 2), [OLD], ["p/i"], [], []),
        (Row("p", "i", 1), [OLD._replace(retired=0)], ["p/i"], [], []),
        (Row("q", "h"), [OLD], ["q/h"], [], []),
    ],
)
def test_the_rules_one_by_one(
    come: Row, stand: list[Row], insert: list[str], renew: list[str], retire: list[str]
) -> None:
    plan = merge([come], stand)
    assert plan.insert["file_id"].to_pylist() == insert
    assert plan.renew["file_id"].to_pylist() == renew
    assert plan.retire["file_id"].to_pylist() == retire


def test_an_earlier_header_comes_as_retired() -> None:
    plan = merge([OLD], [Row("p", "i", 3)])
    assert plan.insert["retired_at"].to_pylist() == [day(3)]
    assert plan.retire.num_rows == 0


histories = st.lists(
    st.tuples(st.sampled_from("pq"), st.sampled_from("hij"), st.integers(0, 9)),
    max_size=8,
    unique_by=lambda step: step[2],
)


def store_of(history: list[tuple[str, str, int]]) -> dict[str, Row]:
    """The rows that some inspections leave, no two of them at the same moment."""
    rows: dict[str, Row] = {}
    for place, header, seen in sorted(history, key=lambda step: step[2]):
        for key, row in rows.items():
            if row.place == place and row.header != header and row.retired is None:
                rows[key] = row._replace(retired=seen)
        rows[f"{place}/{header}"] = Row(place, header, seen)
    return rows


@given(histories, histories)
def test_a_place_has_one_live_header_whatever_is_moved(
    source: list[tuple[str, str, int]], target: list[tuple[str, str, int]]
) -> None:
    come = store_of([(place, header, 2 * seen) for place, header, seen in source])
    stand = store_of([(place, header, 2 * seen + 1) for place, header, seen in target])
    after = apply(merge(list(come.values()), list(stand.values())), stand)
    assert after.keys() == come.keys() | stand.keys()
    live = [row.place for row in after.values() if row.retired is None]
    assert sorted(live) == sorted({row.place for row in after.values()})
    for key in come.keys() & stand.keys():
        assert after[key].seen == max(come[key].seen, stand[key].seen)
    again = merge(list(come.values()), list(after.values()))
    assert (again.insert.num_rows, again.retire.num_rows) == (0, 0)


def apply(plan: MergePlan, stand: dict[str, Row]) -> dict[str, Row]:
    rows = dict(stand)
    for row in plan.retire.to_pylist():
        rows[row["file_id"]] = rows[row["file_id"]]._replace(retired=(row["at"] - NOW) // DAY)
    for moved in (plan.insert, plan.renew):
        for row in moved.to_pylist():
            place, header = row["file_id"].split("/")
            retired = row["retired_at"] and (row["retired_at"] - NOW) // DAY
            rows[row["file_id"]] = Row(place, header, (row["last_inspected"] - NOW) // DAY, retired)
    return rows


def test_the_columns_it_relies_on_are_the_contracts() -> None:
    assert {*STANDING_FILES, *RENEWED_FILES} <= set(FILES.names)
    assert {*STANDING_FAILURES, *RENEWED_FAILURES} <= set(FAILURES.names)
