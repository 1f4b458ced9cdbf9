"""Trying on a cluster what the store relies on: permissions, and that concurrent updates collide.

Everything happens in a schema of its own, which is dropped again.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from functools import partial

import pyarrow as pa
from vastdb.table_metadata import TableMetadata, TableRef

from exrindex.errors import ExrIndexError, StoreConflict, StoreError
from exrindex.store.base import Finding, Level
from exrindex.store.vast.errors import Fault, border
from exrindex.store.vast.link import ROW_ID, VastLink, VastTransaction

_TABLE = "probe"
_COLUMNS = pa.schema([("id", pa.int64()), ("text", pa.string())])


def probe(link: VastLink) -> Iterator[Finding]:
    """Make a schema, try everything in it, drop it."""
    scratch = _Scratch(link)
    try:
        link.write(scratch.make)
    except ExrIndexError as error:
        yield Finding("create", Level.BAD, str(error), ALLOW, error.exit_code)
        return
    try:
        yield Finding("create", Level.OK, f"schema and table made in {link.access.bucket}")
        steps: dict[str, Callable[[VastTransaction], object]] = {
            "insert": scratch.insert,
            "select": scratch.rows,
            "update": scratch.update,
        }
        for name, step in steps.items():
            found = _tried(name, link, step)
            yield found
            if found.level is Level.BAD:
                break
        else:
            yield from _collisions(link, scratch)
            yield _tried("delete", link, scratch.delete)
    finally:
        dropped = _tried("drop", link, scratch.drop)
    yield dropped


ALLOW = "let an identity policy of these keys allow the tabular actions on the bucket"


def _tried(name: str, link: VastLink, step: Callable[[VastTransaction], object]) -> Finding:
    try:
        link.write(step)
    except ExrIndexError as error:
        return Finding(name, Level.BAD, str(error), ALLOW, error.exit_code)
    return Finding(name, Level.OK, "allowed")


def _collisions(link: VastLink, scratch: _Scratch) -> Iterator[Finding]:
    """Whether the second of two writers of a row is refused, however they overlap."""
    for what, first_commits in (("both open", False), ("the first committed", True)):
        try:
            refused = link.once(partial(scratch.collide, first_commits=first_commits))
        except ExrIndexError as error:
            yield Finding("conflicts", Level.BAD, str(error), "", error.exit_code)
            continue
        if refused:
            yield Finding("conflicts", Level.OK, f"two writers of one row collide ({what})")
        else:
            yield Finding(
                "conflicts",
                Level.BAD,
                f"two writers of one row do not collide ({what}): concurrent scans of one tree "
                "could leave a file twice",
                "run one scan of a tree at a time, and report this cluster's release",
                StoreError.exit_code,
            )


class _Scratch:
    """A schema with one table of two rows."""

    def __init__(self, link: VastLink) -> None:
        self._link = link
        self._name = f"exrindex_doctor_{secrets.token_hex(6)}"
        self._metadata = TableMetadata(TableRef(link.access.bucket, self._name, _TABLE))

    def make(self, transaction: VastTransaction) -> None:
        with border(self._link.access):
            schema = transaction.sdk.bucket(self._link.access.bucket).create_schema(self._name)
            schema.create_table(_TABLE, _COLUMNS)
            self._metadata.load(transaction.sdk)
        self._link.tables[_TABLE] = self._metadata

    def insert(self, transaction: VastTransaction) -> None:
        transaction.insert(_TABLE, pa.record_batch([[1, 2], ["a", "b"]], schema=_COLUMNS))

    def rows(self, transaction: VastTransaction) -> pa.Table:
        return transaction.select(_TABLE, ["id"], row_ids=True)

    def update(self, transaction: VastTransaction) -> None:
        ids = self.rows(transaction)[ROW_ID].slice(0, 1)
        transaction.update(_TABLE, pa.table({ROW_ID: ids, "text": pa.array(["c"])}))

    def delete(self, transaction: VastTransaction) -> None:
        transaction.delete(_TABLE, self.rows(transaction)[ROW_ID])

    def drop(self, transaction: VastTransaction) -> None:
        with border(self._link.access):
            schema = transaction.sdk.bucket(self._link.access.bucket).schema(self._name)
            schema.table(_TABLE).drop()
            schema.drop()
        self._link.tables.pop(_TABLE, None)

    def collide(self, second: VastTransaction, *, first_commits: bool) -> bool:
        """Whether a transaction may update a row that another one updated since it began."""
        first = self._link.begin()
        try:
            self.update(first)
            if first_commits:
                first.commit()
            self.update(second)
        except Fault as fault:
            if isinstance(fault.error, StoreConflict):
                return True
            raise
        finally:
            if first.sdk.is_active:
                self._link.abandon(first)
        return False
