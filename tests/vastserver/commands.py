"""All commands: by method and the first item of the query string."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from vastserver import (
    bucket_commands,
    column_commands,
    projection_commands,
    query_commands,
    row_commands,
    schema_commands,
    sql_commands,
    table_commands,
    transaction_commands,
)
from vastserver.request import Reply, Request, S3Error, invalid
from vastserver.service import Service

LARGEST_BODY = 5 << 20

Handler = Callable[[Service, Request], Reply]


class Command(NamedTuple):
    handler: Handler
    writes: bool = False


COMMANDS = {
    ("GET", "transaction"): Command(transaction_commands.get),
    ("POST", "transaction"): Command(transaction_commands.begin),
    ("PUT", "transaction"): Command(transaction_commands.commit),
    ("DELETE", "transaction"): Command(transaction_commands.rollback),
    ("HEAD", ""): Command(bucket_commands.head),
    ("GET", ""): Command(bucket_commands.list_objects),
    ("GET", "schema"): Command(schema_commands.list_schemas),
    ("POST", "schema"): Command(schema_commands.create, writes=True),
    ("PUT", "schema"): Command(schema_commands.alter, writes=True),
    ("DELETE", "schema"): Command(schema_commands.drop, writes=True),
    ("GET", "table"): Command(table_commands.list_tables),
    ("POST", "table"): Command(table_commands.create, writes=True),
    ("PUT", "table"): Command(table_commands.alter, writes=True),
    ("DELETE", "table"): Command(table_commands.drop, writes=True),
    ("GET", "stats"): Command(table_commands.stats),
    ("GET", "column"): Command(column_commands.list_columns),
    ("GET", "sorted-columns"): Command(column_commands.list_sorted),
    ("POST", "column"): Command(column_commands.add, writes=True),
    ("PUT", "column"): Command(column_commands.rename, writes=True),
    ("DELETE", "column"): Command(column_commands.drop, writes=True),
    ("POST", "rows"): Command(row_commands.insert, writes=True),
    ("PUT", "rows"): Command(row_commands.update, writes=True),
    ("DELETE", "rows"): Command(row_commands.delete, writes=True),
    ("GET", "data"): Command(query_commands.data),
    ("GET", "projection"): Command(projection_commands.list_projections),
    ("POST", "projection"): Command(projection_commands.create, writes=True),
    ("PUT", "projection"): Command(projection_commands.alter, writes=True),
    ("DELETE", "projection"): Command(projection_commands.drop, writes=True),
    ("GET", "projection-columns"): Command(projection_commands.list_columns),
    ("GET", "projection-stats"): Command(projection_commands.stats),
    ("GET", "query-engine-capabilities"): Command(sql_commands.capabilities),
    ("POST", "query-engine-capabilities"): Command(sql_commands.capabilities),
    ("POST", "vastdb-run-query"): Command(sql_commands.run),
    ("DELETE", "vastdb-run-query"): Command(sql_commands.finish),
    ("POST", "vastdb-query-status"): Command(sql_commands.status),
    ("POST", "vastdb-data"): Command(sql_commands.data),
    ("DELETE", "vastdb-data"): Command(sql_commands.finish_data),
}


def answer(service: Service, request: Request) -> Reply:
    """Do what a request asks for; an ``S3Error`` says why not."""
    command = COMMANDS.get((request.method, request.command))
    if command is None:
        what = f"{request.method} ?{request.command}"
        raise S3Error(501, "NotImplemented", f"this test server has no {what}")
    user = request.user
    if not user.may_use(request.bucket) or (command.writes and user.read_only):
        raise S3Error(403, "AccessDenied", f"{user.access_key} may not do this")
    if len(request.body) > LARGEST_BODY:
        raise invalid("the body is larger than 5 MiB", "EntityTooLarge")  # Guess: the code.
    return command.handler(service, request)
