"""Checks AWS signatures, version 4, in the forms that clients of VAST send."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from itertools import product
from urllib.parse import parse_qsl, quote

from vastserver.request import Request, S3Error
from vastserver.users import User

LARGEST_SKEW = 15 * 60
_ALGORITHM = "AWS4-HMAC-SHA256"
_AUTHORIZATION = re.compile(
    rf"{_ALGORITHM} Credential=(?P<key>[^/]+)/(?P<date>\d{{8}})/(?P<region>[^/]*)/"
    r"(?P<service>[^/]+)/aws4_request,\s*SignedHeaders=(?P<headers>[^,]+),\s*"
    r"Signature=(?P<signature>[0-9a-f]{64})"
)


def check(request: Request, users: Mapping[str, User], now: float, port: int) -> User:
    """The user who signed the request; an ``S3Error`` if none did properly."""
    match = _AUTHORIZATION.fullmatch(request.headers.get("authorization", ""))
    if match is None:
        raise S3Error(403, "AccessDenied", "the request is not signed")
    key, date, region, service, names, signature = match.groups()
    user = users.get(key)
    if user is None:
        raise S3Error(403, "InvalidAccessKeyId", "no such access key")
    stamp = request.headers.get("x-amz-date", "")
    _check_time(stamp, now)
    payload = _payload_hash(request)
    scope = f"{date}/{region}/{service}/aws4_request"
    signing_key = _signing_key(user.secret_key, date, region)
    for canonical in _canonical_requests(request, names.split(";"), payload, port):
        digest = hashlib.sha256(canonical.encode()).hexdigest()
        text = "\n".join((_ALGORITHM, stamp, scope, digest))
        expected = hmac.new(signing_key, text.encode(), hashlib.sha256).hexdigest()
        if service == "s3" and stamp[:8] == date and hmac.compare_digest(expected, signature):
            return user
    raise S3Error(403, "SignatureDoesNotMatch", "the signature does not match the request")


def _check_time(stamp: str, now: float) -> None:
    try:
        signed = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise S3Error(403, "AccessDenied", "x-amz-date is missing or not a time") from None
    if abs(signed - now) > LARGEST_SKEW:
        message = "the clocks of client and server are more than 15 minutes apart"
        raise S3Error(403, "RequestTimeTooSkewed", message)


def _payload_hash(request: Request) -> str:
    """What was signed as the body's hash, once it is known to be true."""
    claimed = request.headers.get("x-amz-content-sha256")
    if claimed == "UNSIGNED-PAYLOAD":
        return claimed
    actual = hashlib.sha256(request.body).hexdigest()
    if claimed not in (None, actual):
        raise S3Error(400, "XAmzContentSHA256Mismatch", "the body is not the one that was signed")
    return actual


@lru_cache(64)
def _signing_key(secret: str, date: str, region: str) -> bytes:
    key = f"AWS4{secret}".encode()
    for text in (date, region, "s3", "aws4_request"):
        key = hmac.new(key, text.encode(), hashlib.sha256).digest()
    return key


def _canonical_requests(
    request: Request, names: list[str], payload: str, port: int
) -> Iterator[str]:
    """All forms that count as the same request.

    S3 signs the path as it stands in the request; the signer of the Python SDK encodes it once
    more, and takes the query as it is sent. Clients differ in signing the host's port.
    """
    sent = request.headers.get("host", "")
    bare = sent.rpartition(":")[0] if sent.rpartition(":")[2].isdigit() else sent
    uris = dict.fromkeys((request.path, quote(request.path, safe="/-_.~")))
    queries = dict.fromkeys((_query_as_sent(request.query), _canonical_query(request.query)))
    hosts = dict.fromkeys((sent, bare, f"{bare}:{port}"))
    for uri, query, host in product(uris, queries, hosts):
        values = request.headers | {"host": host}
        lines = [f"{name}:{' '.join(values.get(name, '').split())}" for name in names]
        yield "\n".join((request.method, uri, query, *lines, "", ";".join(names), payload))


def _query_as_sent(query: str) -> str:
    items = query.split("&") if query else []
    return "&".join(sorted(item if "=" in item else f"{item}=" for item in items))


def _canonical_query(query: str) -> str:
    items = parse_qsl(query, keep_blank_values=True)
    return "&".join(sorted(f"{_encode(name)}={_encode(value)}" for name, value in items))


def _encode(text: str) -> str:
    return quote(text, safe="-_.~")
