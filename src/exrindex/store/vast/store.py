"""A ``Store`` in VAST DataBase, through the vendor's SDK."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from exrindex.access import VastAccess
from exrindex.errors import SchemaMismatch
from exrindex.store.base import (
    PLAIN,
    Description,
    Finding,
    Layout,
    Problem,
    SchemaState,
    Slice,
    Tell,
    Upserted,
    VectorColumn,
)
from exrindex.store.checks import row_problems
from exrindex.store.upsert import require_places_once
from exrindex.store.vast import exam, lookup, marks, move, tables
from exrindex.store.vast.link import VastLink, VastTransaction
from exrindex.store.vast.queries import VastQueries
from exrindex.store.vast.rows import fit
from exrindex.store.vast.upsert import upsert
from exrindex.tables import TABLES, Batch


class VastStore:
    """A ``Store`` in one schema of one bucket. Connects when first asked something.

    ``wait_seconds`` is for how long a transaction that conflicts or cannot be reached is tried
    again. ``tell`` hears by which way a question is answered.
    """

    def __init__(self, access: VastAccess, *, wait_seconds: float, tell: Tell) -> None:
        self._link = VastLink(access, wait_seconds, tell)
        self._is_ready = False
        self._queries = VastQueries(self._link, tell)

    @property
    def url(self) -> str:
        return self._link.access.url

    @property
    def place(self) -> str:
        return f"{self.url} at {self._link.access.endpoint}"

    # --- the schema ---

    def state(self) -> SchemaState:
        state = self._link.read(lambda tx: tables.state_of(self._link, tables.look(self._link, tx)))
        self._is_ready = state is SchemaState.READY
        return state

    def create(self, layout: Layout = PLAIN) -> bool:
        return bool(self._counted(lambda tx: int(tables.create(self._link, tx, layout))))

    def require(self) -> None:
        """Looks once: what was right stays so, as far as this store is concerned."""
        if not self._is_ready:
            self._link.read(
                lambda tx: tables.require_ready(self._link, tables.look(self._link, tx))
            )
            self._is_ready = True

    def check(self) -> list[Problem]:
        try:
            self._is_ready = False
            self.require()
        except SchemaMismatch as error:
            mends = tables.CREATE if tables.CREATE in str(error) else tables.RENEW
            return [Problem(str(error), mends)]
        slots = self._link.read(lambda tx: tx.count(tables.SLOTS))
        if slots != tables.SLOT_COUNT:
            return [
                Problem(
                    f"{tables.SLOTS} holds {slots} rows instead of {tables.SLOT_COUNT}",
                    f"drop that table and run: {tables.CREATE}",
                )
            ]
        return row_problems(self.sql, tables.RENEW)

    def describe(self) -> Description:
        release = ".".join(map(str, self._link.release))
        layouts = {name: tables.layout_of(self._link, name) for name in self._link.tables}
        told = {name: layout for name, layout in layouts.items() if layout != tables.PLAIN_TABLE}
        return Description(f"VAST {release}", told)

    def examine(self, *, write: bool) -> Iterator[Finding]:
        return exam.examine(self._link, self.state, write=write)

    def row_counts(self) -> dict[str, int]:
        self.require()
        return self._link.read(
            lambda tx: dict(
                zip(TABLES, tx.together([partial(tx.count, name) for name in TABLES]), strict=True)
            )
        )

    # --- reading ---

    def known(self, directories: Sequence[str]) -> pa.Table:
        self.require()
        return self._link.read(lambda tx: lookup.known(tx, directories))

    def directories(self, root: str) -> list[str]:
        self.require()
        return self._link.read(lambda tx: lookup.directories_below(tx, root))

    def stale_failures(self, root: str, before: dt.datetime) -> pa.Table:
        self.require()
        return self._link.read(lambda tx: lookup.stale_failures(tx, root, before))

    # --- writing ---

    def upsert(self, batch: Batch) -> Upserted:
        require_places_once(batch)
        self.require()
        fitting = {name: fit(name, rows) for name, rows in batch.items()}
        return self._link.write(lambda tx: upsert(tx, fitting))

    def retire(self, places: Sequence[str], at: dt.datetime) -> int:
        self.require()
        return self._counted(lambda tx: marks.retire(tx, places, at))

    def close_failures(self, places: Sequence[str], at: dt.datetime) -> int:
        self.require()
        return self._counted(lambda tx: marks.close_failures(tx, places, at))

    def record_scan(self, row: pa.Table, *, patient: bool = True) -> None:
        self.require()
        fitting = fit("scans", row)
        self._link.write(lambda tx: marks.record_scan(tx, fitting), patient=patient)

    # --- moving ---

    def rows_of(self, part: Slice) -> Batch:
        self.require()
        return self._link.read(lambda tx: move.rows_of(tx, part))

    def child_counts(self, part: Slice) -> pa.Table:
        self.require()
        return self._link.read(lambda tx: move.child_counts(tx, part))

    def add_rows(self, batch: Batch) -> int:
        self.require()
        fitting = {name: fit(name, rows) for name, rows in batch.items()}
        return self._counted(lambda tx: move.add_rows(tx, fitting))

    def add_scans(self, rows: pa.Table) -> int:
        self.require()
        fitting = fit("scans", rows)
        return self._counted(lambda tx: move.add_scans(tx, fitting))

    # --- questions ---

    def nearest(
        self,
        vector: NDArray[np.float32],
        column: VectorColumn,
        *,
        limit: int,
        where: str | None,
        by_sequence: bool,
    ) -> pa.Table:
        self.require()
        return self._queries.nearest(
            vector, column, limit=limit, where=where, by_sequence=by_sequence
        )

    def sql(self, statement: str) -> pa.Table:
        self.require()
        return self._queries.sql(statement)

    def close(self) -> None:
        self._link.close()

    def _counted(self, work: Callable[[VastTransaction], int]) -> int:
        """Run work that tells how much it has done.

        Where the answer to a commit is lost, the next attempt finds everything done: what counts
        is the attempt that did most.
        """
        most = 0

        def counted(transaction: VastTransaction) -> int:
            nonlocal most
            most = max(most, work(transaction))
            return most

        return self._link.write(counted)
