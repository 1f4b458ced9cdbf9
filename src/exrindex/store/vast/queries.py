"""Questions in SQL and by similarity: by VAST's own engine where it can be had, else here.

Here means: over the columns that the question needs, streamed from all data endpoints, in an
embedded DuckDB. Both ways answer the same text with the same rows.
"""

from __future__ import annotations

import functools
import operator
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from exrindex.errors import StoreError, UsageError
from exrindex.model import EMBEDDING_VERSION
from exrindex.store.base import Tell, VectorColumn
from exrindex.store.conform import conform
from exrindex.store.nearest import nearest_query
from exrindex.store.vast import adbc, engine, search
from exrindex.store.vast.errors import Fault
from exrindex.store.vast.link import VastLink, VastTransaction
from exrindex.store.vast.pushdown import Condition, conditions


class VastQueries:
    """Answers questions about the tables of a link."""

    def __init__(self, link: VastLink, tell: Tell) -> None:
        self._link = link
        self._tell = tell
        self._told: set[str] = set()

    def sql(self, statement: str) -> pa.Table:
        """One read-only statement; raises ``UsageError`` if it is wrong or would write."""
        scans = engine.plan(statement, self._link.access.url)
        if scans.columns:
            found = self._there(statement, "VAST's own SQL engine")
            if found is not None:
                return found
        return self._here(statement, scans, {})

    def nearest(
        self,
        vector: NDArray[np.float32],
        column: VectorColumn,
        *,
        limit: int,
        where: str | None,
        by_sequence: bool,
    ) -> pa.Table:
        """See ``Store.nearest``. Exact, but for what a vector index leaves out."""
        if where is not None:
            engine.require_condition(where, self._link.access.url)
        query = nearest_query(column.value, len(vector), where, by_sequence=by_sequence)
        parameters = {"vector": vector.tolist(), "version": EMBEDDING_VERSION, "k": limit}
        index = self._link.vector_index("files")
        if index is not None and index.column == column.value and adbc.is_installed():
            try:
                found = search.nearest(
                    functools.partial(adbc.run, access=self._link.access),
                    vector, index, limit=limit, where=where, by_sequence=by_sequence,
                )  # fmt: skip
            except adbc.NotThere as error:
                self._say(f"asked here, over streamed columns, since VAST cannot: {error}")
            else:
                self._say("asked by VAST's vector search")
                return found
        else:
            self._say("asked here, over streamed columns")
        return self._here(query, engine.plan(query, self._link.access.url, parameters), parameters)

    def _there(self, statement: str, by: str) -> pa.Table | None:
        """Run a statement in the cluster; None, and a word why, if that cannot be."""
        if not adbc.is_installed():
            self._say(f"asked here, over streamed columns; install {adbc.EXTRA} to have VAST do it")
            return None
        try:
            found = adbc.run(statement, self._link.access)
        except adbc.NotThere as error:
            self._say(f"asked here, over streamed columns, since VAST cannot: {error}")
            return None
        self._say(f"asked by {by}")
        return found

    def _here(self, statement: str, scans: engine.Scans, parameters: Mapping[str, Any]) -> pa.Table:
        """Run a statement in this process, in one transaction."""
        limits = conditions(statement, scans.repeated, parameters)

        def read(transaction: VastTransaction) -> pa.Table:
            feed = _Feed(transaction, limits)
            try:
                return engine.run(statement, scans, feed, self._link.access.url, parameters)
            except UsageError as error:
                # An error in what DuckDB is fed is no error in the SQL.
                if feed.fault is not None:
                    raise feed.fault from feed.fault.__cause__
                if feed.is_reading:
                    raise StoreError(f"{self._link.access.url}: {error}") from error
                raise

        return self._link.read(read)

    def _say(self, how: str) -> None:
        """Tell once by which way questions are answered."""
        if how not in self._told:
            self._told.add(how)
            self._tell(how)


class _Feed:
    """Streams tables into the engine and remembers the fault that ended a stream."""

    def __init__(self, transaction: VastTransaction, limits: Mapping[str, list[Condition]]) -> None:
        self._transaction = transaction
        self._limits = limits
        self.fault: Fault | None = None
        self.is_reading = False

    def __call__(self, table: str, columns: list[str]) -> Iterator[pa.RecordBatch]:
        wanted = pa.schema([(name, engine.field_type(table, name)) for name in columns])
        batches = self._transaction.batches(table, columns, self._predicate(table))
        while True:
            self.is_reading = True
            try:
                batch = next(batches, None)
            except Fault as fault:
                self.fault = fault
                raise
            rows = batch and conform(pa.Table.from_batches([batch]), wanted)
            self.is_reading = False
            if rows is None:
                return
            yield from rows.to_batches()

    def _predicate(self, table: str) -> Any:
        each = [
            condition.predicate(self._transaction.column(table, condition.column))
            for condition in self._limits.get(table, [])
        ]
        return functools.reduce(operator.and_, each) if each else None
