"""The line to a cluster: a session made when first needed, and transactions run until they hold.

The unit of retry is the whole transaction: whatever goes wrong inside, its work is done again from
the beginning in a new one, with jittered and growing pauses, until it holds or the time is up. So
work must be fit to be done twice: an upsert is, see ``upsert.py``.
"""

from __future__ import annotations

import logging
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property
from typing import Any, TypeVar

import ibis
import pyarrow as pa
import urllib3
import vastdb
from vastdb._internal import VectorIndex
from vastdb.config import BackoffConfig, QueryConfig, SessionConfig
from vastdb.session import Session
from vastdb.table_metadata import TableMetadata
from vastdb.transaction import Transaction

from exrindex.access import VastAccess
from exrindex.errors import StoreConflict, StoreError
from exrindex.store.base import Tell
from exrindex.store.vast.errors import ONCE, Fault, border

T = TypeVar("T")
ROW_ID = "$row_id"

# Seconds to connect and to wait for the next bytes of an answer.
TIMEOUTS = (10.0, 60.0)
_GOODBYE_TIMEOUTS = (2.0, 3.0)
_GOODBYES = 3
# What the SDK may retry by itself, inside a transaction: reads, and what was told to slow down.
_BACKOFF = BackoffConfig(max_tries=4, max_time=10.0, max_value=2.0)
# Seconds between attempts. Who waits for another writer looks more often than who waits for a
# cluster.
_FIRST_PAUSE = 0.03
_LONGEST_PAUSE = {True: 0.5, False: 3.0}
# Whoever starts with a wrong endpoint should not wait for as long as a scan waits for a restart.
_CONNECT_SECONDS = 8.0
# A writer that was killed holds what it has updated until the cluster gives its transaction up.
_CONFLICT_PATIENCE = 5
_SILENT_SECONDS = 8.0
_THREADS = 4

# The SDK logs every refused request as a warning, and without handlers logging prints those.
logging.getLogger("vastdb").addHandler(logging.NullHandler())


class VastLink:
    """A cluster, as one user of one bucket and schema."""

    def __init__(self, access: VastAccess, wait_seconds: float, tell: Tell) -> None:
        self.access = access
        self.wait_seconds = wait_seconds
        self._tell = tell
        self.tables: dict[str, TableMetadata] = {}
        self._is_reached = False

    @cached_property
    def session(self) -> Session:
        """Connects: one request, which also tells the release."""
        access = self.access
        if access.verify is False:
            urllib3.disable_warnings(urllib3.exceptions.InsecureRequestWarning)
        with border(access):
            return vastdb.connect(
                access=access.access_key,
                secret=access.secret_key.reveal(),
                endpoint=access.endpoint,
                ssl_verify=access.verify,
                timeout=TIMEOUTS,
                backoff_config=_BACKOFF,
                config=SessionConfig(data_endpoints=self.data_endpoints),
            )

    @property
    def release(self) -> tuple[int, ...]:
        """The cluster's release, such as (5, 4, 0, 20)."""
        return self._until_it_holds(lambda: self.session.api.vast_version)

    @property
    def data_endpoints(self) -> list[str]:
        """Where bulk reads go."""
        return list(self.access.data_endpoints) or [self.access.endpoint]

    @cached_property
    def _pool(self) -> ThreadPoolExecutor:
        return ThreadPoolExecutor(_THREADS, thread_name_prefix="vast")

    def vector_index(self, table: str) -> VectorIndex | None:
        """The vector index of a loaded table."""
        return self.session.transaction().table_from_metadata(self.tables[table]).vector_index

    def read(self, work: Callable[[VastTransaction], T]) -> T:
        """Run work that only reads in a transaction of its own, until it holds."""
        return self._until_it_holds(lambda: self._once(work, commit=False))

    def write(self, work: Callable[[VastTransaction], T], *, patient: bool = True) -> T:
        """Run work in a transaction of its own and commit it, until that holds.

        Without ``patient`` it is tried once.
        """
        return self._until_it_holds(lambda: self._once(work, commit=True), patient=patient)

    def once(self, work: Callable[[VastTransaction], T]) -> T:
        """Run work a single time in a transaction that is rolled back."""
        return self._until_it_holds(lambda: self._once(work, commit=False), patient=False)

    def close(self) -> None:
        """Let go of connections and threads."""
        if "_pool" in self.__dict__:
            self._pool.shutdown()
            del self.__dict__["_pool"]
        if "session" in self.__dict__:
            self.session.api.__exit__()
            del self.__dict__["session"]

    def _until_it_holds(self, attempt: Callable[[], T], *, patient: bool = True) -> T:
        started = time.monotonic()
        tries, pause = 0, _FIRST_PAUSE
        failures: Counter[int] = Counter()
        has_told = False
        while True:
            tries += 1
            try:
                result = attempt()
            except Fault as fault:
                waited = time.monotonic() - started
                failures[fault.tries] += 1
                is_hopeless = not patient or failures[fault.tries] >= fault.tries
                limit = self._patience(fault)
                # One silent request may take all of the time; what has worked gets another try.
                is_late = waited + pause > limit and (tries > 1 or not self._is_reached)
                if is_hopeless or is_late:
                    raise _after(fault, tries, waited) from fault.__cause__
                if waited > _SILENT_SECONDS and not has_told:
                    has_told = True
                    self._tell(f"still trying, for up to {limit:.0f} s: {fault.error}")
                longest = _LONGEST_PAUSE[isinstance(fault.error, StoreConflict)]
            else:
                self._is_reached = True
                return result
            time.sleep(random.uniform(pause / 2, pause))
            pause = min(2 * pause, longest)

    def _patience(self, fault: Fault) -> float:
        """For how many seconds in all a fault is worth another attempt."""
        if not self._is_reached:
            return min(_CONNECT_SECONDS, self.wait_seconds)
        if isinstance(fault.error, StoreConflict):
            return self.wait_seconds * _CONFLICT_PATIENCE
        return self.wait_seconds

    def _once(self, work: Callable[[VastTransaction], T], *, commit: bool) -> T:
        transaction = self.begin()
        try:
            result = work(transaction)
            if commit:
                transaction.commit()
            return result
        finally:
            # Also after a commit that failed: if it was not done, its rows would stay locked.
            if transaction.sdk.is_active:
                self.abandon(transaction)

    def begin(self) -> VastTransaction:
        """A transaction without the SQL connection that the SDK's own context would open."""
        with border(self.access):
            response = self.session.api.begin_transaction()
            transaction = self.session.transaction()
            transaction.txid = int(response.headers["tabular-txid"])
        return VastTransaction(self, transaction, self._pool)

    def abandon(self, transaction: VastTransaction) -> None:
        """Roll back. If that cannot be told the cluster, it finds out by itself, after minutes
        in which whatever the transaction has updated is locked."""
        api = self.session.api
        timeout, api.timeout = api.timeout, _GOODBYE_TIMEOUTS
        try:
            for _ in range(_GOODBYES):
                with suppress(Fault):
                    transaction.roll_back()
                    break
        finally:
            api.timeout = timeout


class VastTransaction:
    """An open transaction: reads and writes of tables whose metadata the link has loaded."""

    def __init__(self, link: VastLink, sdk: Transaction, pool: ThreadPoolExecutor) -> None:
        self.sdk = sdk
        self._link = link
        self._pool = pool

    def require_bucket(self) -> None:
        """Raise a fault if the bucket is not there."""
        with border(self._link.access):
            self.sdk.bucket(self._link.access.bucket)

    def column(self, table: str, name: str) -> ibis.Column:
        """A column, to write a predicate with."""
        return self._link.tables[table].ibis_table[name]

    def select(
        self,
        table: str,
        columns: Sequence[str],
        predicate: Any = None,
        *,
        row_ids: bool = False,
    ) -> pa.Table:
        """Rows in one request (a further one for every 131,072 of them), in memory.

        With ``row_ids`` their ids come as the last column, ``$row_id``.
        """
        config = QueryConfig(
            num_splits=1, num_sub_splits=1, data_endpoints=[self._link.access.endpoint]
        )
        with border(self._link.access):
            handle = self.sdk.table_from_metadata(self._link.tables[table])
            reader = handle.select(list(columns), predicate, config, internal_row_id=row_ids)
            return _with_zones(reader.read_all())

    def stream(
        self, table: str, columns: Sequence[str], predicate: Any = None
    ) -> pa.RecordBatchReader:
        """Rows of a whole table, from all data endpoints at once, in no order.

        Reading from it raises what the SDK raises; it ends with the transaction.
        """
        with border(self._link.access):
            handle = self.sdk.table_from_metadata(self._link.tables[table])
            handle.reload_stats()
            config = QueryConfig(data_endpoints=self._link.data_endpoints)
            return handle.select(list(columns), predicate, config)

    def batches(
        self, table: str, columns: Sequence[str], predicate: Any = None
    ) -> Iterator[pa.RecordBatch]:
        """The batches of ``stream``, with what goes wrong while they come as a ``Fault``."""
        reader = self.stream(table, columns, predicate)
        with border(self._link.access):
            yield from reader

    def count(self, table: str) -> int:
        """How many rows there are; the table's statistics may lag behind."""
        return sum(batch.num_rows for batch in self.batches(table, []))

    def insert(self, table: str, rows: pa.RecordBatch) -> pa.ChunkedArray:
        """Insert rows that fit one request; their row ids."""
        with border(self._link.access):
            return self.sdk.table_from_metadata(self._link.tables[table]).insert(rows)

    def update(self, table: str, rows: pa.Table) -> None:
        """Overwrite cells; the first column is ``$row_id``."""
        with border(self._link.access):
            self.sdk.table_from_metadata(self._link.tables[table]).update(rows)

    def delete(self, table: str, row_ids: pa.ChunkedArray) -> None:
        with border(self._link.access):
            handle = self.sdk.table_from_metadata(self._link.tables[table])
            handle.delete(pa.table({ROW_ID: row_ids}))

    def together(self, works: Sequence[Callable[[], T]]) -> list[T]:
        """Do several things at once; all have ended when this does, also if one fails."""
        futures = [self._pool.submit(work) for work in works]
        try:
            return [future.result() for future in futures]
        finally:
            for future in futures:
                future.cancel()
                if not future.cancelled():
                    future.exception()

    def commit(self) -> None:
        with border(self._link.access):
            self._link.session.api.commit_transaction(self.sdk.active_txid)
        self.sdk.txid = None

    def roll_back(self) -> None:
        with border(self._link.access):
            self._link.session.api.rollback_transaction(self.sdk.active_txid)
        self.sdk.txid = None


def _with_zones(rows: pa.Table) -> pa.Table:
    """Times in UTC, as releases before 5.4 do not say."""
    for index, field in enumerate(rows.schema):
        if pa.types.is_timestamp(field.type) and field.type.tz is None:
            times = rows.column(index).cast(pa.timestamp(field.type.unit, "UTC"))
            rows = rows.set_column(index, field.name, times)
    return rows


def _after(fault: Fault, tries: int, waited: float) -> Exception:
    """The error of a fault, with what was tried if it was tried more than once."""
    if tries == ONCE or not isinstance(fault.error, StoreError):
        return fault.error
    return type(fault.error)(f"{fault.error} (tried {tries} times in {waited:.0f} s)")
