"""Rows of a table: immutable blocks, in ascending order of their row ids.

A block never changes; deleting and updating make a new one that shares what is the same.
"""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from vastserver.rowids import RowIds

# Small blocks are merged up to this size; larger ones would make merging slow.
_LARGEST_BLOCK = 64 << 20
_LARGEST_ROWS = 1 << 20

Columns = Mapping[int, Any]


@dataclass(frozen=True, eq=False)
class Block:
    """Row ids and columns by column id; a column that is absent is null everywhere."""

    row_ids: RowIds
    columns: Columns
    dead: NDArray[np.bool_] | None = None

    @property
    def first(self) -> int:
        return int(self.row_ids[0])

    @property
    def last(self) -> int:
        return int(self.row_ids[-1])

    @cached_property
    def alive(self) -> int:
        """How many rows are not deleted."""
        return len(self.row_ids) - (0 if self.dead is None else int(self.dead.sum()))

    @cached_property
    def size(self) -> int:
        """Bytes of the columns, deleted rows included."""
        return sum(int(array.nbytes) for array in self.columns.values())

    def column(self, column_id: int, kind: Any) -> Any:
        """The values of all rows, deleted ones included."""
        array = self.columns.get(column_id)
        return pa.nulls(len(self.row_ids), kind) if array is None else array

    def find(self, row_ids: RowIds) -> NDArray[np.int64]:
        """Where these rows stand, without those that are not here or are deleted."""
        places = np.searchsorted(self.row_ids, row_ids)
        inside = places < len(self.row_ids)
        places = places[inside]
        found: NDArray[np.int64] = places[self.row_ids[places] == row_ids[inside]]
        return found if self.dead is None else found[~self.dead[found]]

    def without(self, row_ids: RowIds) -> Block:
        dead = np.zeros(len(self.row_ids), np.bool_) if self.dead is None else self.dead.copy()
        dead[self.find(row_ids)] = True
        return replace(self, dead=dead)

    def with_values(self, row_ids: RowIds, columns: Columns) -> Block:
        """Other values in some cells; rows that are not here are passed over."""
        places = self.find(row_ids)
        chosen = np.searchsorted(row_ids, self.row_ids[places])
        changed = {
            column_id: self._replaced(column_id, places, array.take(pa.array(chosen)))
            for column_id, array in columns.items()
        }
        return replace(self, columns={**self.columns, **changed})

    def _replaced(self, column_id: int, places: NDArray[np.int64], values: Any) -> Any:
        rows = len(self.row_ids)
        if len(places) == rows:
            return values
        order = np.arange(rows)
        order[places] = rows + np.arange(len(places))
        return pa.concat_arrays([self.column(column_id, values.type), values]).take(order)

    def compact(self, kept: Container[int]) -> Block:
        """The same rows without the deleted ones and with some of the columns only."""
        columns = {key: array for key, array in self.columns.items() if key in kept}
        if self.dead is None:
            return Block(self.row_ids, columns)
        alive = pa.array(~self.dead)
        columns = {key: array.filter(alive) for key, array in columns.items()}
        return Block(self.row_ids[~self.dead], columns)


def merge(blocks: Sequence[Block], kinds: Mapping[int, Any]) -> Block:
    """One block of several, whose row ids may interleave; ``kinds``: types of all columns."""
    compacted = [block.compact(kinds) for block in blocks]
    row_ids = np.concatenate([block.row_ids for block in compacted])
    columns = {}
    for key in {key for block in compacted for key in block.columns}:
        parts = [block.column(key, kinds[key]) for block in compacted]
        columns[key] = pa.concat_arrays(parts)
    if (np.diff(row_ids) < 0).any():
        order = np.argsort(row_ids)
        row_ids = row_ids[order]
        columns = {key: pc.take(array, pa.array(order)) for key, array in columns.items()}
    return Block(row_ids, columns)


def inserted(blocks: tuple[Block, ...], new: Block, kinds: Mapping[int, Any]) -> tuple[Block, ...]:
    """Blocks in order of row ids, with one more among them."""
    before = [block for block in blocks if block.last < new.first]
    behind = [block for block in blocks if block.first > new.last]
    among = [block for block in blocks if block.last >= new.first and block.first <= new.last]
    return (*before, merge([*among, new], kinds) if among else new, *behind)


def tidied(blocks: tuple[Block, ...], kinds: Mapping[int, Any]) -> tuple[Block, ...]:
    """Fewer blocks: small neighbours merged, those without rows left out.

    A block is merged into its left neighbour when it is at least half as large, so that every
    row is copied only a few times on its way into a large block.
    """
    result: list[Block] = []
    for block in blocks:
        run = [block]
        while result and _worth_merging(result[-1], run):
            run.insert(0, result.pop())
        merged = (
            merge(run, kinds) if len(run) > 1 or block.alive * 2 < len(block.row_ids) else block
        )
        if merged.alive:
            result.append(merged)
    return tuple(result)


def _worth_merging(left: Block, run: Sequence[Block]) -> bool:
    rows = sum(block.alive for block in run)
    size = left.size + sum(block.size for block in run)
    fits = left.alive + rows <= _LARGEST_ROWS and size <= _LARGEST_BLOCK
    return fits and left.alive <= 2 * rows
