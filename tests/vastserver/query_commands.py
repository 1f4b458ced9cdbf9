"""Queries: one page of every sub-split that a request asks for."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from vastserver.database import Column, Projection, Table
from vastserver.frames import extract_leaf, page_frames, stream
from vastserver.projection_commands import find_projection
from vastserver.query import Query, check_columns, read_query
from vastserver.request import Reply, Request, invalid
from vastserver.rowids import NO_ROW, ROW_ID
from vastserver.selection import Page, Selection, SubSplit, in_projection
from vastserver.service import Service, find_table

_ESTIMATE = 0xFFFFFFFC
# Guess: what holds if the client sets no limit.
_DEFAULT_LIMIT = 1 << 17
_MOST_SUB_SPLITS = 64
_START = re.compile(r"tabular-start-row-id-\d+")


class _Split(NamedTuple):
    """What the headers of a query say about the rows to be read."""

    number: int
    total: int
    groups_per_stripe: int
    sub_splits: int
    starts: dict[int, int]
    limit: int


def data(service: Service, request: Request) -> Reply:
    if request.number("tabular-schedule-id") < 0:
        raise invalid("tabular-schedule-id is negative")
    split = _read_split(request)
    query = read_query(request.body)
    table = find_table(service.read(request), request)
    check_columns(query, table.definition)
    projection = _projection(request, query, table)
    if projection is not None:
        table = _projected(service, table, projection)
    selection = service.recent.get(table, request.body) or Selection(table, query)
    if split.number == _ESTIMATE:
        estimate = page_frames(0, NO_ROW, [], selection.row_groups())
        return Reply(stream(iter((estimate,))))
    pages = list(_pages(selection, split))
    if split.total > 1 or any(page.next_row != NO_ROW for _, page in pages):
        service.recent.keep(table, request.body, selection)
    return Reply(stream(_frames(query, pages)))


def _read_split(request: Request) -> _Split:
    try:
        parts = [int(part) for part in request.headers.get("tabular-split", "0,1,8").split(",")]
        starts = [
            (int(value.partition(",")[0]), int(value.partition(",")[2]))
            for name, value in request.headers.items()
            if _START.fullmatch(name)
        ]
        number, total, groups = parts
        by_sub_split = dict(starts)
    except ValueError:
        raise invalid("tabular-split or a start row id is not made of numbers") from None
    sub_splits = request.number("tabular-num-of-subsplits", 1)
    if not 1 <= sub_splits <= _MOST_SUB_SPLITS or total < 1 or groups < 1:
        raise invalid("the numbers of splits, sub-splits and row groups are out of range")
    if not starts:
        by_sub_split = dict.fromkeys(range(sub_splits), 0)
    limit = request.number("tabular-limit-rows") or _DEFAULT_LIMIT
    return _Split(number, total, groups, sub_splits, by_sub_split, limit)


def _pages(selection: Selection, split: _Split) -> Iterator[tuple[int, Page]]:
    for sub_split, start in sorted(split.starts.items()):
        if start != NO_ROW:
            number = split.number * split.sub_splits + sub_split
            part = SubSplit(number, split.total * split.sub_splits, split.groups_per_stripe)
            yield sub_split, selection.page(part, start, split.limit)


def _frames(query: Query, pages: list[tuple[int, Page]]) -> Iterator[bytes]:
    for sub_split, page in pages:
        columns = {
            number: page.column(number, query.fields[number].type) for number in query.wanted
        }
        leaves = [extract_leaf(columns[leaf.column], leaf.path) for leaf in query.leaves]
        yield page_frames(sub_split, page.next_row, leaves, page.num_rows)


def _projection(request: Request, query: Query, table: Table) -> Projection | None:
    """The projection that a query names or that suits it.

    Guess: it suits if the filter is on its first sorted column and it has all columns.
    """
    definition = table.definition
    columns = [definition.by_name[f.name] for f in query.fields if f.name != ROW_ID]
    name = request.arguments.get("name")
    if name:
        projection = find_projection(definition, name)
        if not _covers(projection, columns):
            raise invalid(f"the projection {name} does not have all the columns")
        return projection
    if not request.flag("tabular-enable-sorted-projections"):
        return None
    filtered = {definition.by_name[name].id for name in query.filtered if name != ROW_ID}
    suiting = (
        projection
        for projection in definition.projections
        if projection.sorted[0] in filtered and _covers(projection, columns)
    )
    return next(suiting, None)


def _projected(service: Service, table: Table, projection: Projection) -> Table:
    found: Table | None = service.recent.get(table, projection)
    if found is None:
        found = in_projection(table, projection)
        service.recent.keep(table, projection, found)
    return found


def _covers(projection: Projection, columns: list[Column]) -> bool:
    has = {*projection.sorted, *projection.unsorted}
    return all(column.id in has or column.is_row_id for column in columns)
