"""SQL as the ADBC driver speaks it: start a query, ask for its state, fetch its data, let it go.

Bodies are Protocol Buffers of the package ``vastdb.queryengine.protocol``; fields are numbers.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import duckdb

from vastserver.column_commands import END_OF_STREAM
from vastserver.protobuf import Message, encode
from vastserver.query_engine import RunningQuery
from vastserver.request import Reply, Request, S3Error, invalid
from vastserver.service import Service

_IN_PROGRESS, _COMPLETED = 2, 3
_LONGEST_POLL = 0.2
_LARGEST_REPLY = 4 << 20
_TICKET_TYPE = "type.googleapis.com/vastdb.queryengine.protocol.TicketId"


def capabilities(service: Service, request: Request) -> Reply:
    """The version, with a fifth number, and that session options are not known."""
    return Reply(encode((1, f"{service.version}.0"), (2, 0)))


def run(service: Service, request: Request) -> Reply:
    message = _message(request.body)
    with service.store.using(message.number(2)) as transaction:
        database = transaction.database
    buckets = [b for b in database.buckets.values() if request.user.may_use(b.name)]
    try:
        number = service.queries.start(message.text(3), database, buckets)
    except duckdb.Error as error:
        # Guess: that a statement with an error is refused, and how.
        raise invalid(str(error)) from None
    query = _find(service, number)
    schema = query.schema.serialize().to_pybytes()
    status = _status(number, _IN_PROGRESS)
    return Reply(encode((1, status), (2, schema), (3, 0)))


def status(service: Service, request: Request) -> Reply:
    number = _query_id(_message(request.body))
    query = _find(service, number)
    if not query.wait(_LONGEST_POLL):
        return Reply(encode((1, _status(number, _IN_PROGRESS))))
    if query.error is not None:
        # Guess: how a query that failed while it ran is reported.
        return Reply(encode((1, _status(number, _COMPLETED, 500, str(query.error)))))
    # Guess: the form of the name; the driver makes an address of it and keeps the port.
    endpoint = encode((1, "ipv4-" + service.address.replace(".", "-")))
    ticket_id = encode((1, _TICKET_TYPE), (2, encode((1, 0), (2, 0))))
    ticket = encode((2, endpoint), (4, ticket_id))
    return Reply(encode((1, _status(number, _COMPLETED, ticket=ticket))))


def data(service: Service, request: Request) -> Reply:
    """Batches from an offset on, as many as make a handy reply.

    The driver asks on at the next offset as long as it meets no end of the stream.
    """
    message = _message(request.body)
    query = _find(service, _query_id(message))
    if not query.wait(0) or query.error is not None:
        raise invalid("the query has no data")
    start = message.message(3).number(1)
    chosen = _batches_of_reply(query.batches, start)
    end = start + len(chosen)
    is_last = end == len(query.batches)
    next_offset = [] if is_last else [(1, encode((1, end)))]
    head = encode(*next_offset, (2, int(not query.batches)))
    messages = [batch.serialize() for batch in chosen]
    body = b"".join([head, *messages, END_OF_STREAM if is_last else b""])
    return Reply(body, {"tabular-protobuf-size": str(len(head))})


def finish(service: Service, request: Request) -> Reply:
    """The client wants no more of the query; also how a query is cancelled."""
    service.queries.finish(_query_id(_message(request.body)))
    return Reply()


def finish_data(service: Service, request: Request) -> Reply:
    return Reply()


def _message(body: bytes) -> Message:
    try:
        return Message(body)
    except (ValueError, IndexError) as error:
        raise invalid(f"not a message: {error}") from None


def _query_id(message: Message) -> int:
    return message.message(1).number(1)


def _find(service: Service, number: int) -> RunningQuery:
    query = service.queries.get(number)
    if query is None:
        # Guess: status and code.
        raise S3Error(404, "NoSuchQuery", f"there is no query {number}")
    return query


def _status(
    number: int, state: int, code: int = 0, description: str = "", ticket: bytes = b""
) -> bytes:
    query_id = encode((1, number), (2, 0))
    started = encode((1, int(time.time())), (2, 0))
    tickets = [(4, ticket)] if ticket else []
    return encode((1, query_id), (2, started), *tickets, (5, code), (6, description), (7, state))


def _batches_of_reply(batches: Sequence[Any], start: int) -> list[Any]:
    chosen: list[Any] = []
    size = 0
    for batch in batches[start:]:
        if chosen and size + batch.nbytes > _LARGEST_REPLY:
            break
        chosen.append(batch)
        size += batch.nbytes
    return chosen
