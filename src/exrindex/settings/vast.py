"""From profile and environment to a ``VastAccess``: who says what, and what is missing."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from urllib.parse import parse_qsl, urlsplit

from exrindex.access import Secret, VastAccess, shown_url
from exrindex.errors import SettingsError
from exrindex.settings.profiles import Profile

SCHEME = "vast"
DEFAULT_SCHEMA = "exr_metadata"

_VARIABLES = {
    "endpoint": "VAST_DB_ENDPOINT",
    "region": "VAST_DB_REGION",
    "bucket": "VAST_DB_BUCKET",
    "schema": "VAST_DB_SCHEMA",
    "access_key": "VAST_DB_ACCESS_KEY",
    "secret_key": "VAST_DB_SECRET_KEY",
    "data_endpoints": "VAST_DB_DATA_ENDPOINTS",
    "tls_verify": "VAST_DB_TLS_VERIFY",
    "ca_bundle": "VAST_DB_CA_BUNDLE",
}
# Variables that say that VAST is meant; the others are of no use without one of them.
REACHED_BY = (_VARIABLES["endpoint"], _VARIABLES["region"])
_HALVES = tuple(_VARIABLES[name] for name in ("bucket", "access_key", "secret_key"))
# What the SDK itself would read, in last place.
_AWS = {
    "endpoint": "AWS_S3_ENDPOINT_URL",
    "access_key": "AWS_ACCESS_KEY_ID",
    "secret_key": "AWS_SECRET_ACCESS_KEY",
}

_WRITTEN = "a VAST store is written vast://BUCKET/SCHEMA, without keys in it"

# What needs no percent sign in a URL: signatures of names that do are not the same everywhere.
_NAME = re.compile(r"[A-Za-z0-9._-]+")
_YES, _NO = ("1", "true", "yes", "on"), ("0", "false", "no", "off")


def require_whole(environ: Mapping[str, str]) -> None:
    """Refuse an environment that says half of how to reach VAST."""
    if any(environ.get(name) for name in REACHED_BY):
        return
    half = next((name for name in _HALVES if environ.get(name)), None)
    if half is not None:
        raise SettingsError(
            f"{half} is set, but VAST_DB_ENDPOINT is not; set it, or name a catalog with --store"
        )


def profile_in(url: str) -> str | None:
    """The profile that a store's URL names: ``vast://BUCKET/SCHEMA?profile=NAME``."""
    return _parse(url)[2] if url.startswith(f"{SCHEME}://") else None


def resolve_access(
    url: str, environ: Mapping[str, str], profile: Profile | None, *, profile_first: bool
) -> VastAccess:
    """How to reach the store at ``vast://[BUCKET[/SCHEMA]]``; what it leaves out is looked up.

    ``profile_first``: the profile was asked for by name, so it stands before the environment.
    Raises ``SettingsError`` naming what is missing and where it can be set.
    """
    bucket, schema, _ = _parse(url)
    sought = _Sought(environ, profile, profile_first)
    endpoint = sought.endpoint()
    keys = {name: sought.key(name) for name in ("access_key", "secret_key")}
    bucket = bucket or sought.text("bucket") or ""
    schema = schema or sought.text("schema") or DEFAULT_SCHEMA
    sought.require({"endpoint": endpoint, **keys, "bucket": bucket})
    return VastAccess(
        endpoint=_endpoint(endpoint),
        access_key=keys["access_key"],
        secret_key=Secret(keys["secret_key"]),
        bucket=_name("bucket", bucket),
        schema=_name("schema", schema),
        data_endpoints=tuple(map(_endpoint, sought.data_endpoints())),
        verify=sought.verify(),
    )


class _Sought:
    """Looks settings up, in order, and says where a missing one belongs."""

    def __init__(
        self, environ: Mapping[str, str], profile: Profile | None, profile_first: bool
    ) -> None:
        self._environ = environ
        self._profile = profile
        self._profile_first = profile_first

    def text(self, name: str) -> str | None:
        """A text: from profile and ``VAST_DB_NAME`` in their order."""
        first, second = self._said(name)
        return first or second

    def endpoint(self) -> str:
        """The address, or the one that the region stands for: of the first who says either."""
        for endpoint, region in zip(self._said("endpoint"), self._said("region"), strict=True):
            if endpoint or region:
                return endpoint or _endpoint_of(region)
        return self._environ.get(_AWS["endpoint"], "")

    def _said(self, name: str) -> tuple[str | None, str | None]:
        from_profile = getattr(self._profile, name, None)
        from_environment = self._environ.get(_VARIABLES[name])
        if self._profile_first:
            return from_profile, from_environment
        return from_environment, from_profile

    def key(self, name: str) -> str:
        """A key, empty where nobody says."""
        source = getattr(self._profile, name, None)
        from_environment = self._environ.get(_VARIABLES[name])
        if source is not None and (self._profile_first or not from_environment):
            assert self._profile is not None
            key: str = source.read(f"profile {self._profile.name}, {name}", self._environ)
            return key
        return from_environment or self._environ.get(_AWS[name], "")

    def require(self, found: Mapping[str, str]) -> None:
        """Name everything that is missing, at once."""
        missing = [name for name, text in found.items() if not text]
        if not missing:
            return
        variables = ", ".join(_VARIABLES[name] for name in missing)
        are = "is" if len(missing) == 1 else "are"
        lacks = (
            f"profile {self._profile.name} has no {', '.join(missing)}, and "
            if self._profile
            else ""
        )
        raise SettingsError(
            f"{lacks}{variables} {are} not set; a catalog that needs no VAST is chosen with "
            "--store PATH.duckdb"
        )

    def data_endpoints(self) -> tuple[str, ...]:
        listed = self._environ.get(_VARIABLES["data_endpoints"], "")
        from_environment = tuple(part for part in re.split(r"[,\s]+", listed) if part)
        from_profile = (self._profile and self._profile.data_endpoints) or ()
        if self._profile_first:
            return from_profile or from_environment
        return from_environment or from_profile

    def verify(self) -> bool | str:
        """Whether to check certificates, or the bundle to check them against."""
        bundle = self.text("ca_bundle")
        wanted = self._environ.get(_VARIABLES["tls_verify"], "").lower()
        if wanted not in ("", *_YES, *_NO):
            raise SettingsError("VAST_DB_TLS_VERIFY: give true or false")
        said = {**dict.fromkeys(_YES, True), **dict.fromkeys(_NO, False)}.get(wanted)
        in_profile = self._profile.tls_verify if self._profile else None
        first, second = (in_profile, said) if self._profile_first else (said, in_profile)
        if (first if first is not None else second) is False:
            return False
        if bundle is None:
            return True
        path = os.path.expanduser(bundle)
        if not os.path.isfile(path):
            raise SettingsError(f"the CA bundle {path} is no file")
        return path


def _parse(url: str) -> tuple[str, str, str | None]:
    """Bucket, schema and profile of a URL; empty where it does not say."""
    try:
        parts = urlsplit(url)
    except ValueError:
        raise SettingsError(_WRITTEN) from None
    profile = None
    for key, value in parse_qsl(parts.query, keep_blank_values=True):
        if key != "profile" or not value:
            raise SettingsError(
                "all that may follow the question mark of a VAST store is profile=NAME"
            )
        profile = value
    schema = parts.path.strip("/")
    if "@" in parts.netloc or "/" in schema or parts.fragment:
        raise SettingsError(_WRITTEN)
    return parts.netloc, schema, profile


def _endpoint_of(region: str | None) -> str:
    return f"https://s3.{_name('region', region)}.vastdata.com" if region else ""


def _name(what: str, name: str) -> str:
    if not _NAME.fullmatch(name):
        raise SettingsError(f"{what} {name!r}: letters, digits, '.', '_' and '-' only")
    return name


def _endpoint(text: str) -> str:
    """A URL of scheme, host and port; https where it does not say."""
    if "@" in text:
        raise SettingsError("an endpoint must not hold keys: they would be shown everywhere")
    url = text if "://" in text else f"https://{text}"
    try:
        parts = urlsplit(url.rstrip("/"))
        is_address = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_address = False
    if not is_address or parts.path or parts.query or parts.fragment:
        raise SettingsError(
            f"endpoint {shown_url(url)!r}: give http://HOST[:PORT] or https://HOST[:PORT]"
        )
    return f"{parts.scheme}://{parts.netloc}"
