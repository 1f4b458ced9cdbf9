"""What the VAST SDK and its layers below may raise, in our words: one border, one table.

Every answer says whether the same transaction may be tried again, and how often.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import urlsplit

import pyarrow as pa
import requests
import urllib3
from vastdb import errors as sdk
from vastdb._internal import QueryDataInternalError, UnsupportedServer

from exrindex.access import VastAccess
from exrindex.errors import (
    BucketMissing,
    CredentialsRefused,
    ExrIndexError,
    NotVast,
    PermissionRefused,
    ReleaseTooOld,
    SchemaMismatch,
    StoreConflict,
    StoreError,
    StoreUnavailable,
)

# How often a transaction that failed in some way is worth a try: what may mend itself as long as
# the time allows, what may be a bug of somebody's a few times, what will stay as it is once.
MANY, FEW, ONCE = 1_000_000, 6, 1

RULES: dict[type[Exception], tuple[type[ExrIndexError], int]] = {
    sdk.Conflict: (StoreConflict, MANY),
    sdk.ConnectionError: (StoreUnavailable, MANY),
    sdk.ServiceUnavailable: (StoreUnavailable, MANY),
    sdk.RequestTimeout: (StoreUnavailable, MANY),
    requests.RequestException: (StoreUnavailable, MANY),
    urllib3.exceptions.HTTPError: (StoreUnavailable, MANY),
    sdk.InternalServerError: (StoreUnavailable, FEW),
    QueryDataInternalError: (StoreUnavailable, FEW),
    # An answer that was cut off where nothing below noticed.
    EOFError: (StoreUnavailable, FEW),
    OSError: (StoreUnavailable, FEW),
    struct.error: (StoreUnavailable, FEW),
    pa.ArrowInvalid: (StoreUnavailable, FEW),
    # A transaction that has expired, or a table that somebody dropped.
    sdk.NotFound: (StoreUnavailable, FEW),
    # Somebody made the same table between our look and our attempt.
    sdk.Exists: (StoreConflict, FEW),
    sdk.Forbidden: (PermissionRefused, ONCE),
    sdk.MissingBucket: (BucketMissing, ONCE),
    sdk.Missing: (SchemaMismatch, ONCE),
    sdk.MissingTransaction: (StoreError, ONCE),
    sdk.MissingRowIdColumn: (StoreError, ONCE),
    sdk.NotSupported: (StoreError, ONCE),
    sdk.NotSupportedVersion: (ReleaseTooOld, ONCE),
    NotImplementedError: (ReleaseTooOld, ONCE),
    UnsupportedServer: (NotVast, ONCE),
    sdk.ApiResponseError: (NotVast, ONCE),
    # A header that every VAST answer has is not there.
    KeyError: (NotVast, ONCE),
    sdk.HttpError: (StoreError, ONCE),
    sdk.InvalidArgument: (StoreError, ONCE),
    sdk.ImportFilesError: (StoreError, ONCE),
    # "502 is not a valid HttpStatus", for one.
    ValueError: (StoreUnavailable, FEW),
}

_FOREIGN = tuple(RULES)

_BAD_KEYS = ("InvalidAccessKeyId", "SignatureDoesNotMatch")
_BAD_CLOCK = "RequestTimeTooSkewed"
_NO_TABLES_THERE = "InvalidBucketState"

HOW_TO_MAKE_A_BUCKET = (
    "make one in the VAST management: a view with the protocols S3 Bucket and Database"
)


class Fault(Exception):
    """A foreign error, translated: ours, and how often the transaction may be tried in all."""

    def __init__(self, error: ExrIndexError, tries: int) -> None:
        super().__init__(str(error), tries)
        self.error = error
        self.tries = tries


@contextmanager
def border(access: VastAccess) -> Iterator[None]:
    """Turn whatever the SDK raises into a ``Fault``."""
    try:
        yield
    except _FOREIGN as error:
        raise translate(error, access) from error


def translate(error: Exception, access: VastAccess) -> Fault:
    """Our name for a foreign error, with where it happened and what to do about it."""
    kind, tries = next(RULES[base] for base in type(error).__mro__ if base in RULES)
    where = f"{access.url} at {_endpoint_in(error) or access.endpoint}"
    if isinstance(error, sdk.HttpError) and (server := _stranger(error)):
        if error.status < 500:
            text = f"{_no_vast(access)} but {server}; {_CHECK}: {_http(error)}"
            return Fault(NotVast(text), ONCE)
        return Fault(kind(f"{where}: {_http(error)}, says {server}"), tries)
    if isinstance(error, sdk.Forbidden) and (refused := _refusal(error)):
        return Fault(CredentialsRefused(f"{where} {refused}"), ONCE)
    if isinstance(error, sdk.Conflict) and error.code == _NO_TABLES_THERE:
        text = f"{where}: bucket {access.bucket} holds no tables; {HOW_TO_MAKE_A_BUCKET}"
        return Fault(BucketMissing(text), ONCE)
    if _UNTRUSTED in (text := _text(error, where, access)):
        text += "; name the authority that signed it with VAST_DB_CA_BUNDLE"
        tries = ONCE
    return Fault(kind(text), tries)


def _refusal(error: sdk.Forbidden) -> str:
    """What is wrong with the keys or the signature; empty when it is the permission."""
    if error.code in _BAD_KEYS:
        return (
            f"does not accept the keys ({error.code}): check VAST_DB_ACCESS_KEY and "
            "VAST_DB_SECRET_KEY, or the profile's"
        )
    if error.code == _BAD_CLOCK:
        return (
            "finds the clock of this machine wrong, and signatures fail on that: "
            "set it right (`exrindex doctor` tells by how much)"
        )
    return ""


def _text(error: Exception, where: str, access: VastAccess) -> str:
    match error:
        case sdk.MissingBucket():
            return f"{where}: there is no bucket {access.bucket}; {HOW_TO_MAKE_A_BUCKET}"
        case sdk.Conflict():
            return (
                f"{where}: another writer is at the same rows, or one that was killed still holds "
                f"them for a while: {_http(error)}"
            )
        case sdk.Forbidden():
            return f"{where}: the keys do not allow it: {_http(error)}"
        case sdk.NotSupportedVersion():
            return f"{where}: {error.err_msg} (it is {_dotted(error.version)})"
        case UnsupportedServer():
            return f"{_no_vast(access)}; {_CHECK}: {error}"
        case NotImplementedError():
            return f"the VAST release at {access.endpoint} is too old: {error}"
        case KeyError():
            return f"{_no_vast(access)}: its answer lacks the header {error}"
        case sdk.HttpError():
            return f"{where}: {_http(error)}"
        case sdk.ConnectionError() | requests.exceptions.SSLError():
            reason = _reason(error.cause if isinstance(error, sdk.ConnectionError) else error)
            return f"{where} cannot be reached: {reason}"
        case _:
            return f"{where}: {_reason(error)}"


_CHECK = "check VAST_DB_ENDPOINT"


def _no_vast(access: VastAccess) -> str:
    return f"what answers at {access.endpoint} is no VAST database"


def _stranger(error: sdk.HttpError) -> str:
    """What has answered in place of VAST, which always says that it is that."""
    server = (error.headers or {}).get("Server", "")
    return "" if server.startswith("vast") else server or "something without a name"


def _endpoint_in(error: Exception) -> str:
    """The endpoint that a failed request went to, as far as that is known."""
    cause = error.cause if isinstance(error, sdk.ConnectionError) else error
    request = getattr(cause, "request", None)
    parts = urlsplit(getattr(cause, "url", None) or getattr(request, "url", None) or "")
    return f"{parts.scheme}://{parts.netloc}" if parts.netloc else ""


_UNTRUSTED = "certificate verify failed"


def _http(error: sdk.HttpError) -> str:
    said = ": ".join(filter(None, (error.code, error.message))) or "no reason given"
    return f"{said} (HTTP {error.status} to {error.method})"


def _dotted(version: object) -> str:
    return ".".join(map(str, version)) if isinstance(version, tuple) else str(version)


# What urllib3 puts in front of a reason: "HTTPConnection(host='x', port=1): Failed to ...: ".
_PREAMBLE = re.compile(r"^.*(?:Failed to establish a new connection|Max retries exceeded[^(]*): ")
_OBJECT = re.compile(r"^(?:<[^>]*>|\w+Connection\w*\([^)]*\)): ")


def _reason(error: Exception) -> str:
    """The innermost words of an error, on one line and without the names of objects."""
    inner: object = error
    while isinstance(inner, Exception):
        deeper = getattr(inner, "reason", None) or next(iter(inner.args), None)
        if not isinstance(deeper, Exception):
            break
        inner = deeper
    text = _OBJECT.sub("", " ".join(str(inner).split()))
    text = _PREAMBLE.sub("", text)
    return text or type(error).__name__
