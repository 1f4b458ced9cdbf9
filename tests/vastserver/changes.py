"""What statements do to a database, as values: applied at once, again at commit, and journaled.

Each is made from what its transaction saw. At commit it meets the newest database; conflicts
have been ruled out by then, so that rows that are missing there (when row conflicts are not
looked for) are passed over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Protocol, TypeVar

from vastserver.block import Columns
from vastserver.database import Bucket, Database, Definition, Schema, Table
from vastserver.rowids import RowIds

_Value = TypeVar("_Value")


class Change(Protocol):
    def apply(self, database: Database) -> Database: ...


@dataclass(frozen=True)
class PutBucket:
    bucket: Bucket

    def apply(self, database: Database) -> Database:
        return replace(database, buckets={**database.buckets, self.bucket.name: self.bucket})


@dataclass(frozen=True)
class PutSchema:
    """Create a schema or change it."""

    schema: Schema

    def apply(self, database: Database) -> Database:
        return replace(database, schemas={**database.schemas, self.schema.id: self.schema})


@dataclass(frozen=True)
class RemoveSchema:
    schema_id: int

    def apply(self, database: Database) -> Database:
        return replace(database, schemas=_without(database.schemas, self.schema_id))


@dataclass(frozen=True)
class PutTable:
    """Create a table or change all but its rows."""

    definition: Definition

    def apply(self, database: Database) -> Database:
        current = database.tables.get(self.definition.id)
        if current is None:
            table = Table(self.definition, gives_ids=self.definition.gives_ids or None)
        else:
            table = replace(current, definition=self.definition)
        return _with_table(database, table)


@dataclass(frozen=True)
class RemoveTable:
    table_id: int

    def apply(self, database: Database) -> Database:
        return replace(database, tables=_without(database.tables, self.table_id))


@dataclass(frozen=True, eq=False)
class InsertRows:
    table_id: int
    row_ids: RowIds
    columns: Columns
    gives_ids: bool

    def apply(self, database: Database) -> Database:
        table = database.tables[self.table_id]
        return _with_table(database, table.with_rows(self.row_ids, self.columns, self.gives_ids))


@dataclass(frozen=True, eq=False)
class UpdateRows:
    table_id: int
    row_ids: RowIds
    columns: Columns

    def apply(self, database: Database) -> Database:
        table = database.tables[self.table_id]
        return _with_table(database, table.with_values(self.row_ids, self.columns))


@dataclass(frozen=True, eq=False)
class DeleteRows:
    table_id: int
    row_ids: RowIds

    def apply(self, database: Database) -> Database:
        table = database.tables[self.table_id]
        return _with_table(database, table.without_rows(self.row_ids))


def _with_table(database: Database, table: Table) -> Database:
    return replace(database, tables={**database.tables, table.definition.id: table})


def _without(items: Mapping[int, _Value], key: int) -> dict[int, _Value]:
    return {other: value for other, value in items.items() if other != key}
