"""What the commands work with, and how they find what a request names."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from vastserver.database import Bucket, Database, Table
from vastserver.query_engine import QueryEngine
from vastserver.request import Request, S3Error
from vastserver.selection import Recent
from vastserver.transactions import Store, Transaction
from vastserver.version import Version


@dataclass
class Service:
    """One life of the server, from start or restart to stop."""

    store: Store
    version: Version
    address: str
    recent: Recent = field(default_factory=Recent)
    queries: QueryEngine = field(init=False)

    def __post_init__(self) -> None:
        self.queries = QueryEngine(self.recent)

    @contextmanager
    def writing(self, request: Request) -> Iterator[Transaction]:
        """The request's transaction, with no other statement of it at the same time."""
        with self.store.using(request.txid) as transaction, transaction.lock:
            yield transaction

    def read(self, request: Request) -> Database:
        """What the request's transaction sees."""
        with self.store.using(request.txid) as transaction:
            return transaction.database


def find_bucket(database: Database, request: Request) -> Bucket:
    bucket = database.buckets.get(request.bucket)
    if bucket is None:
        raise S3Error(404, "NoSuchBucket", f"there is no bucket {request.bucket}")
    if not bucket.is_database:
        raise S3Error(409, "InvalidBucketState", f"the bucket {bucket.name} has no database")
    return bucket


def find_schema(database: Database, request: Request) -> int:
    """The id of the schema, or of the bucket if the request names no schema."""
    schema_id = database.schema(find_bucket(database, request), request.schema)
    if schema_id is None:
        raise S3Error(404, "NoSuchKey", f"there is no schema {request.bucket}/{request.schema}")
    return schema_id


def find_table(database: Database, request: Request) -> Table:
    # Guess: the table of imported objects is not implemented here.
    if "sub-table" in request.arguments:
        raise S3Error(501, "NotImplemented", "the table of imported objects")
    table = database.table(find_schema(database, request), request.table)
    if table is None:
        raise S3Error(404, "NoSuchKey", f"there is no table {request.schema}/{request.table}")
    return table


def taken(what: str) -> S3Error:
    # Guess: the code; the status is what a client that lost a race gets.
    return S3Error(409, "EntityAlreadyExists", f"{what} exists already")
