"""Which rows a query finds, and which of them belong to a page of a sub-split.

Row groups are 2^16 consecutive row ids; so many of them as the client says make a stripe, and
stripes are dealt to the sub-splits of all splits in turn. A sub-split is read in order of row
ids, a page at a time.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from vastserver.block import Block
from vastserver.database import Definition, Projection, Table
from vastserver.query import Query
from vastserver.rowids import NO_ROW, ROW_ID, ROWS_PER_GROUP, RowIds, to_wire

# In a block that is in the order of a projection: the row ids of the table.
_TABLE_ROW_IDS = -1
_LARGEST_PAGE = 32 << 20
_KEPT = 8


class SubSplit(NamedTuple):
    """One of the parts that a scan is dealt out to."""

    number: int
    total: int
    groups_per_stripe: int


class BlockRows:
    """The rows of a block as a query sees them: its columns by their numbers in the query."""

    def __init__(self, block: Block, definition: Definition, fields: Sequence[Any]) -> None:
        self.block = block
        self._definition = definition
        self._fields = fields
        self._columns: dict[int, Any] = {}

    def __len__(self) -> int:
        return len(self.block.row_ids)

    def column(self, number: int) -> Any:
        if number not in self._columns:
            self._columns[number] = self._read(self._fields[number].name)
        return self._columns[number]

    def _read(self, name: str) -> Any:
        given = self.block.columns.get(_TABLE_ROW_IDS)
        row_ids = self.block.row_ids if given is None else given.to_numpy()
        if name == ROW_ID:
            return to_wire(row_ids, self._definition.has_wide_ids)
        column = self._definition.by_name[name]
        if column.is_row_id:
            return pa.array(row_ids)
        return self.block.column(column.id, column.field.type)


class Part(NamedTuple):
    """The rows that were found in one block: their ids, and their places unless all were."""

    rows: BlockRows
    row_ids: RowIds
    places: NDArray[np.int64] | None


class Slice(NamedTuple):
    part: Part
    start: int
    stop: int

    def column(self, number: int) -> Any:
        values = self.part.rows.column(number)
        if self.part.places is not None:
            return values.take(pa.array(self.part.places[self.start : self.stop]))
        if pa.types.is_nested(values.type):
            # Nested arrays are taken apart later, which is simple where they start at 0.
            return values.take(pa.array(np.arange(self.start, self.stop)))
        return values.slice(self.start, self.stop - self.start)


class Page(NamedTuple):
    """Some of the rows of a sub-split, and the row id where the next page starts."""

    slices: Sequence[Slice]
    num_rows: int
    next_row: int

    def column(self, number: int, kind: Any) -> Any:
        parts = [piece.column(number) for piece in self.slices]
        if not parts:
            return pa.array([], kind)
        return parts[0] if len(parts) == 1 else pa.concat_arrays(parts)


class Selection:
    """All rows of a table that a query finds."""

    def __init__(self, table: Table, query: Query) -> None:
        self.parts = list(_find(table, query))
        self._page_rows = _rows_of_page(self.parts, query)

    def page(self, split: SubSplit, start: int, limit: int) -> Page:
        """At most ``limit`` rows of a sub-split, from the row id ``start`` on."""
        limit = min(limit, self._page_rows)
        chosen: list[Slice] = []
        rows = 0
        for piece in self._slices(split, start):
            if rows == limit:
                first = int(piece.part.row_ids[piece.start])
                return Page(chosen, rows, first)
            stop = min(piece.stop, piece.start + limit - rows)
            chosen.append(piece._replace(stop=stop))
            rows += stop - piece.start
            if stop < piece.stop:
                return Page(chosen, rows, int(piece.part.row_ids[stop]))
        return Page(chosen, rows, NO_ROW)

    def row_groups(self) -> int:
        """How many row groups have rows that were found."""
        groups = [np.unique(part.row_ids // ROWS_PER_GROUP) for part in self.parts]
        return len(np.unique(np.concatenate(groups))) if groups else 0

    def _slices(self, split: SubSplit, start: int) -> Iterator[Slice]:
        width = split.groups_per_stripe * ROWS_PER_GROUP
        for part in self.parts:
            place = int(np.searchsorted(part.row_ids, start))
            while place < len(part.row_ids):
                stripe = int(part.row_ids[place]) // width
                # Guess: the order in which stripes are dealt.
                wait = (split.number - stripe) % split.total
                if wait:
                    end = (stripe + wait) * width
                    place = int(np.searchsorted(part.row_ids, end))
                    continue
                stop = int(np.searchsorted(part.row_ids, (stripe + 1) * width))
                yield Slice(part, place, stop)
                place = stop


def _find(table: Table, query: Query) -> Iterator[Part]:
    for block in table.blocks:
        rows = BlockRows(block, table.definition, query.fields)
        found = query.condition.mask(rows)
        if block.dead is not None:
            found &= ~block.dead
        if found.all():
            yield Part(rows, block.row_ids, None)
        elif found.any():
            places = np.flatnonzero(found)
            yield Part(rows, block.row_ids[places], places)


def _rows_of_page(parts: Sequence[Part], query: Query) -> int:
    """How many rows the answer to one request may have, so that it stays of a handy size."""
    if not parts:
        return 1
    rows = parts[0].rows
    size = sum(int(rows.column(number).nbytes) for number in query.wanted)
    return max(1, _LARGEST_PAGE * len(rows) // max(1, size))


def in_projection(table: Table, projection: Projection) -> Table:
    """A table with the columns of a projection only, in its order."""
    kinds = table.definition.kinds
    parts = [part.compact(kinds) for part in table.blocks if part.alive]
    row_ids = np.concatenate([part.row_ids for part in parts] or [np.empty(0, np.int64)])
    columns = {
        key: pa.chunked_array([part.column(key, kinds[key]) for part in parts], kinds[key])
        for key in (*projection.sorted, *projection.unsorted)
        if key in kinds
    }
    keys = pa.table(
        [columns[key] for key in projection.sorted], [str(k) for k in projection.sorted]
    )
    order = pc.sort_indices(keys, [(name, "ascending") for name in keys.column_names])
    sorted_columns = {key: column.take(order).combine_chunks() for key, column in columns.items()}
    sorted_columns[_TABLE_ROW_IDS] = pa.array(row_ids).take(order)
    block = Block(np.arange(len(row_ids)), sorted_columns)
    return Table(table.definition, (block,) if len(row_ids) else ())


class Recent:
    """What was made of a version of a table and is likely to be asked for again.

    The pages of a scan come in many requests with one body, and so do queries.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: OrderedDict[tuple[Table, object], Any] = OrderedDict()

    def get(self, table: Table, key: object) -> Any:
        """What was kept, or None."""
        with self._lock:
            value = self._kept.get((table, key))
            if value is not None:
                self._kept.move_to_end((table, key))
            return value

    def keep(self, table: Table, key: object, value: Any) -> None:
        with self._lock:
            self._kept[table, key] = value
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
