"""The SDK as a client of the tests: its transactions without the SQL connections it adds."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import vastdb
from vastdb.config import BackoffConfig, QueryConfig
from vastdb.table_metadata import TableMetadata, TableRef, TableType

from vastserver import VastServer

SCHEMA = "s"
COLUMNS = pa.schema([("key", pa.int64()), ("text", pa.string())])
Row = tuple[Any, ...]


class Tx:
    """A transaction; what it does with a table has the table's name first."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.sdk = session.transaction()
        self.sdk.txid = int(session.api.begin_transaction().headers["tabular-txid"])

    @property
    def txid(self) -> int:
        return int(self.sdk.txid)

    @property
    def schema(self) -> Any:
        return self.sdk.bucket("exr").schema(SCHEMA)

    def commit(self) -> None:
        self._session.api.commit_transaction(self.txid)

    def rollback(self) -> None:
        self._session.api.rollback_transaction(self.txid)

    def create(self, name: str, columns: pa.Schema = COLUMNS, **options: Any) -> None:
        api, bucket = self._session.api, "exr"
        api.create_table(bucket, SCHEMA, name, columns, txid=self.txid, **options)

    def table(self, name: str, columns: pa.Schema = COLUMNS) -> Any:
        """The table, without asking the server about it."""
        metadata = TableMetadata(TableRef("exr", SCHEMA, name), columns, TableType.Regular)
        return self.sdk.table_from_metadata(metadata)

    def insert(self, name: str, *rows: Row) -> list[int]:
        values = [list(column) for column in zip(*rows, strict=True)]
        inserted = self.table(name).insert(pa.table(values, schema=COLUMNS))
        return [int(row_id) for row_id in inserted.to_pylist()]

    def rows(self, name: str, columns: pa.Schema = COLUMNS) -> list[Row]:
        """All rows, in order of their first columns."""
        return sorted(self.with_ids(name, columns).values())

    def with_ids(self, name: str, columns: pa.Schema = COLUMNS) -> dict[int, Row]:
        found = self.select(name, columns=columns, internal_row_id=True)
        ids = [int(row_id) for row_id in found["$row_id"].to_pylist()]
        values = zip(*(found[column].to_pylist() for column in columns.names), strict=True)
        return dict(zip(ids, values, strict=True))

    def select(self, name: str, columns: pa.Schema = COLUMNS, **options: Any) -> pa.Table:
        config = QueryConfig(
            num_splits=1, num_sub_splits=1, data_endpoints=[self._session._context.endpoint]
        )
        table = self.table(name, columns)
        return table.select(config=options.pop("config", config), **options).read_all()

    def update(self, name: str, values: Mapping[int, str]) -> None:
        """Give rows other texts, by row id."""
        batch = pa.table(
            {"$row_id": pa.array(list(values), pa.uint64()), "text": list(values.values())}
        )
        self.table(name).update(batch)

    def delete(self, name: str, row_ids: Sequence[int]) -> None:
        self.table(name).delete(pa.table({"$row_id": pa.array(list(row_ids), pa.uint64())}))


@contextmanager
def connected(server: VastServer, **options: Any) -> Iterator[Any]:
    """A session that gives up soon."""
    options = {"access": server.access_key, "secret": server.secret_key, "timeout": 20} | options
    backoff = BackoffConfig(max_tries=3, max_value=0.01)
    session = vastdb.connect(endpoint=server.endpoint, backoff_config=backoff, **options)
    with session.api:
        yield session


@contextmanager
def prepared(server: VastServer, *tables: str) -> Iterator[Any]:
    """A session, and these tables in the schema ``s``."""
    with connected(server) as session:
        tx = Tx(session)
        session.api.create_schema("exr", SCHEMA, txid=tx.txid)
        for name in tables or ("t",):
            tx.create(name)
        tx.commit()
        server.log.clear()
        yield session
