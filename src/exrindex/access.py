"""How a VAST database is reached: where, as whom, and how much to trust the connection."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

# Keys hold slashes, too: everything up to the last @ may be one.
_USER_OR_QUERY = re.compile(r"(?<=://).*@|[?#].*$", re.DOTALL)


def shown_url(url: str) -> str:
    """A URL as it may be shown: where somebody put keys into it, without them."""
    if "://" not in url or url.startswith("duckdb://"):
        return url
    return _USER_OR_QUERY.sub("***", url)


class Secret:
    """A text that shows itself to nobody who does not ask for it by name."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """The text itself, for the one place that signs requests."""
        return self._text

    def __repr__(self) -> str:
        return "Secret(***)"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)


@dataclass(frozen=True, slots=True)
class VastAccess:
    """Everything a VAST store needs to know before its first request.

    ``endpoint`` and ``data_endpoints`` are URLs without a path; bulk reads are spread over the
    latter (the endpoint alone if there are none). ``verify`` is whether TLS certificates are
    checked, or the path of the CA bundle that they are checked against.
    """

    endpoint: str
    access_key: str
    secret_key: Secret = field(repr=False)
    bucket: str
    schema: str
    data_endpoints: tuple[str, ...] = ()
    verify: bool | str = True

    @property
    def url(self) -> str:
        """The store's name for people: ``vast://BUCKET/SCHEMA``."""
        return f"vast://{self.bucket}/{self.schema}"
