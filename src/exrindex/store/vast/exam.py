"""What ``exrindex doctor`` looks at in a VAST store: from the network up to the tables."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime

import requests

from exrindex.errors import (
    BucketMissing,
    ExrIndexError,
    NotVast,
    PermissionRefused,
    StoreError,
    StoreUnavailable,
)
from exrindex.store.base import Finding, Level, SchemaState
from exrindex.store.vast import adbc, tables
from exrindex.store.vast.errors import HOW_TO_MAKE_A_BUCKET, Fault, border, translate
from exrindex.store.vast.link import VastLink
from exrindex.store.vast.probe import ALLOW, probe

_TIMEOUT = 5.0
# Signatures are refused from a quarter of an hour on; a clock that is off by less is off, too.
_CLOCK_LIMIT_S, _CLOCK_NOTE_S = 15 * 60, 30


def examine(link: VastLink, state: Callable[[], SchemaState], *, write: bool) -> Iterator[Finding]:
    """See ``Store.examine``; ends where going on makes no sense."""
    access = link.access
    for endpoint in dict.fromkeys((access.endpoint, *access.data_endpoints)):
        found = list(_reach(link, endpoint))
        yield from found
        if any(finding.level is Level.BAD for finding in found):
            return
    try:
        release = link.release
    except ExrIndexError as error:
        yield _bad("keys", error, "see docs/vast.md, Credentials")
        return
    yield Finding("keys", Level.OK, f"accepted for {access.access_key}")
    yield from _features(link, release)
    yield from _bucket(link)
    try:
        yield _schema(link, state())
    except ExrIndexError as error:
        yield _bad("schema", error, _remedy(error))
        return
    yield _sql_driver(link)
    if write:
        yield from probe(link)


def _reach(link: VastLink, endpoint: str) -> Iterator[Finding]:
    """Whether something answers at an endpoint, what, and what time it is there."""
    started = time.monotonic()
    try:
        answer = requests.head(endpoint, timeout=_TIMEOUT, verify=link.access.verify)
    except OSError as error:  # also where the file of certificates is not there
        fault = translate(error, link.access)
        yield _bad(
            "endpoint",
            StoreUnavailable(str(fault.error)),
            "check VAST_DB_ENDPOINT, the network and the firewall",
        )
        return
    took = (time.monotonic() - started) * 1000
    server = answer.headers.get("Server", "")
    if not server.startswith("vast"):
        yield _bad(
            "endpoint",
            NotVast(f"{endpoint} answers as {server or 'something without a name'}, not as VAST"),
            "check VAST_DB_ENDPOINT: it is the cluster's S3 address, without a path",
        )
        return
    yield Finding("endpoint", Level.OK, f"{endpoint} answers in {took:.0f} ms")
    try:
        there = parsedate_to_datetime(answer.headers.get("Date", "")).replace(tzinfo=dt.UTC)
    except ValueError:
        return
    yield _clock(there)


def _clock(there: dt.datetime) -> Finding:
    seconds = (dt.datetime.now(dt.UTC) - there).total_seconds()
    side = "ahead of" if seconds > 0 else "behind"
    text = f"this machine's clock is {abs(seconds):.0f} s {side} VAST's"
    if abs(seconds) >= _CLOCK_LIMIT_S:
        return Finding("clock", Level.BAD, text, "set the clock: signatures fail on it", 3)
    if abs(seconds) >= _CLOCK_NOTE_S:
        return Finding("clock", Level.NOTE, text, "set the clock before signatures fail on it")
    return Finding("clock", Level.OK, text)


def _features(link: VastLink, release: tuple[int, ...]) -> Iterator[Finding]:
    text = "VAST " + ".".join(map(str, release))
    if release < tables.OLDEST_RELEASE:
        oldest = ".".join(map(str, tables.OLDEST_RELEASE))
        yield Finding("release", Level.BAD, f"{text} is older than {oldest}", "upgrade it", 5)
        return
    features = {
        "sorted tables": link.session.features.check_elysium,
        "vector indexes": link.session.features.check_vector,
    }
    offered = [name for name, check in features.items() if _is_offered(link, check)]
    yield Finding(
        "release", Level.OK, f"{text}, with {' and '.join(offered) or 'plain tables only'}"
    )


def _is_offered(link: VastLink, check: Callable[[], None]) -> bool:
    try:
        with border(link.access):
            check()
    except Fault:
        return False
    return True


def _bucket(link: VastLink) -> Iterator[Finding]:
    try:
        link.read(lambda transaction: transaction.require_bucket())
    except ExrIndexError as error:
        yield _bad("bucket", error, _remedy(error))
    else:
        yield Finding("bucket", Level.OK, f"{link.access.bucket} is there")


def _schema(link: VastLink, state: SchemaState) -> Finding:
    name = link.access.schema
    match state:
        case SchemaState.READY:
            layouts = {table: tables.layout_of(link, table) for table in link.tables}
            special = [f"{t}: {how}" for t, how in layouts.items() if how != tables.PLAIN_TABLE]
            return Finding(
                "schema", Level.OK, f"{name} is ready ({'; '.join(special) or 'plain tables'})"
            )
        case SchemaState.NEW:
            return Finding("schema", Level.NOTE, f"{name} has no tables yet", tables.CREATE)
        case SchemaState.FOREIGN:
            return Finding("schema", Level.NOTE, f"{name} holds other tables", tables.CREATE)
    return Finding(
        "schema", Level.BAD, f"{name} holds other tables than this version writes",
        "exrindex schema check", StoreError.exit_code,
    )  # fmt: skip


def _sql_driver(link: VastLink) -> Finding:
    here = "queries run here, over streamed columns"
    if not adbc.is_installed():
        return Finding("sql", Level.NOTE, here, f"pip install '{adbc.EXTRA}'")
    try:
        adbc.run("SELECT 1", link.access)
    except adbc.NotThere as error:
        return Finding("sql", Level.NOTE, f"{here}, since the ADBC driver says: {error}")
    return Finding("sql", Level.OK, "the ADBC driver is installed: VAST runs queries itself")


def _remedy(error: ExrIndexError) -> str:
    if isinstance(error, BucketMissing):
        return HOW_TO_MAKE_A_BUCKET
    return ALLOW if isinstance(error, PermissionRefused) else "see docs/troubleshooting.md"


def _bad(what: str, error: ExrIndexError, remedy: str) -> Finding:
    return Finding(what, Level.BAD, str(error), remedy, error.exit_code)
