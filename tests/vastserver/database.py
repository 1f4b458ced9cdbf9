"""A database as a value: buckets, schemas, tables and their rows at one moment.

Nothing here is ever changed in place, so a transaction's snapshot is a reference, and what two
versions have in common they share.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from vastserver import block
from vastserver.block import Block, Columns
from vastserver.rowids import ROW_ID_COLUMN, RowIds


@dataclass(frozen=True)
class Column:
    """A column of a table; its id stays when its name changes."""

    id: int
    field: Any
    sort_index: int | None = None

    @property
    def name(self) -> str:
        return str(self.field.name)

    @property
    def is_row_id(self) -> bool:
        """Shows the row's id: nothing is stored for it."""
        return self.name == ROW_ID_COLUMN and bool(pa.types.is_int64(self.field.type))


@dataclass(frozen=True)
class VectorIndex:
    column_id: int
    metric: str
    function: str
    cluster_quantization: str
    search_quantization: str


@dataclass(frozen=True)
class Projection:
    """A semi-sorted projection: columns by id, in their order."""

    id: int
    name: str
    sorted: tuple[int, ...]
    unsorted: tuple[int, ...]


@dataclass(frozen=True)
class Definition:
    """All of a table but its rows."""

    id: int
    schema_id: int
    name: str
    columns: tuple[Column, ...]
    vector_index: VectorIndex | None = None
    projections: tuple[Projection, ...] = ()
    # Guess: a flag at creation decides what the first insert decides otherwise.
    gives_ids: bool = False

    @cached_property
    def by_name(self) -> Mapping[str, Column]:
        return {column.name: column for column in self.columns}

    @cached_property
    def kinds(self) -> Mapping[int, Any]:
        """Types of the columns that are stored, by id."""
        return {column.id: column.field.type for column in self.columns if not column.is_row_id}

    @cached_property
    def sorting_key(self) -> tuple[Column, ...]:
        keys = [column for column in self.columns if column.sort_index is not None]
        return tuple(sorted(keys, key=lambda column: column.sort_index or 0))

    @property
    def has_wide_ids(self) -> bool:
        return bool(self.sorting_key) or self.vector_index is not None

    @cached_property
    def fixed_columns(self) -> frozenset[str]:
        """Columns that every insert must have and no update may touch."""
        names = {column.name for column in self.sorting_key}
        if self.vector_index is not None:
            wanted = self.vector_index.column_id
            names |= {column.name for column in self.columns if column.id == wanted}
        return frozenset(names)


@dataclass(frozen=True, eq=False)
class Table:
    """A table: what it looks like, and its rows."""

    definition: Definition
    blocks: tuple[Block, ...] = ()
    # Whether inserts give the row ids themselves; None before the first one.
    gives_ids: bool | None = None

    @cached_property
    def num_rows(self) -> int:
        return sum(part.alive for part in self.blocks)

    @cached_property
    def size(self) -> int:
        return sum(part.size for part in self.blocks)

    def missing(self, row_ids: RowIds) -> int:
        """How many of these rows do not exist."""
        found = sum(len(part.find(row_ids[ids])) for part, ids in self._parts(row_ids))
        return len(row_ids) - found

    def with_rows(self, row_ids: RowIds, columns: Columns, gives_ids: bool) -> Table:
        if not len(row_ids):
            return self
        blocks = block.inserted(self.blocks, Block(row_ids, columns), self.definition.kinds)
        return replace(self, blocks=blocks, gives_ids=gives_ids)

    def without_rows(self, row_ids: RowIds) -> Table:
        changed = {part: part.without(row_ids[ids]) for part, ids in self._parts(row_ids)}
        return self._with_blocks(changed)

    def with_values(self, row_ids: RowIds, columns: Columns) -> Table:
        changed = {}
        for part, ids in self._parts(row_ids):
            chosen = pa.array(np.flatnonzero(ids))
            values = {key: array.take(chosen) for key, array in columns.items()}
            changed[part] = part.with_values(row_ids[ids], values)
        return self._with_blocks(changed)

    def tidied(self) -> Table:
        blocks = block.tidied(self.blocks, self.definition.kinds)
        return self if blocks == self.blocks else replace(self, blocks=blocks)

    def _with_blocks(self, changed: Mapping[Block, Block]) -> Table:
        return replace(self, blocks=tuple(changed.get(part, part) for part in self.blocks))

    def _parts(self, row_ids: RowIds) -> Iterable[tuple[Block, NDArray[np.bool_]]]:
        """The blocks that may hold some of these rows, and which rows those are."""
        for part in self.blocks:
            chosen = (row_ids >= part.first) & (row_ids <= part.last)
            if chosen.any():
                yield part, chosen


@dataclass(frozen=True)
class Bucket:
    """A bucket; as the parent of schemas it is the schema with the id ``root``."""

    name: str
    root: int
    is_database: bool = True


@dataclass(frozen=True)
class Schema:
    id: int
    parent: int
    name: str
    properties: str = ""


@dataclass(frozen=True, eq=False)
class Database:
    """Everything, by name (buckets) or by id, in order of creation."""

    buckets: Mapping[str, Bucket] = field(default_factory=dict)
    schemas: Mapping[int, Schema] = field(default_factory=dict)
    tables: Mapping[int, Table] = field(default_factory=dict)

    def tidied(self, before: Database) -> Database:
        """The same, with fewer blocks in the tables that have changed."""
        tables = {
            key: table if table is before.tables.get(key) else table.tidied()
            for key, table in self.tables.items()
        }
        return replace(self, tables=tables)

    def last_id(self) -> int:
        """The highest id in use, also by columns that were dropped and still have data."""
        ids = [0, *(bucket.root for bucket in self.buckets.values()), *self.schemas, *self.tables]
        for table in self.tables.values():
            ids += [column.id for column in table.definition.columns]
            ids += [projection.id for projection in table.definition.projections]
            ids += [column_id for part in table.blocks for column_id in part.columns]
        return max(ids)

    def schema(self, bucket: Bucket, path: str) -> int | None:
        """The id of a schema; that of the bucket itself for an empty path."""
        here: int | None = bucket.root
        for name in path.split("/") if path else ():
            here = next((found.id for found in self.schemas_in(here) if found.name == name), None)
            if here is None:
                return None
        return here

    def schemas_in(self, parent: int | None) -> list[Schema]:
        return [schema for schema in self.schemas.values() if schema.parent == parent]

    def table(self, schema_id: int, name: str) -> Table | None:
        return next((t for t in self.tables_in(schema_id) if t.definition.name == name), None)

    def tables_in(self, schema_id: int) -> list[Table]:
        return [t for t in self.tables.values() if t.definition.schema_id == schema_id]
