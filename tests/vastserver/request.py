"""What arrives and what is answered, and errors as S3 words them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import parse_qsl, unquote, unquote_plus
from xml.sax.saxutils import escape

from vastserver.users import NOBODY, User

# With these commands the last part of the path is a table, not a schema.
_ON_TABLES = frozenset(
    {"rows", "data", "stats", "column", "sorted-columns", "projection", "projection-columns"}
    | {"projection-stats", "partitions", "blob-expansion"}
)


class S3Error(Exception):
    """A request that is refused: its HTTP status, S3 code and text."""

    def __init__(self, status: int, code: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message

    def xml(self, resource: str) -> bytes:
        """The answer's body. The ADBC driver wants all four elements."""
        return (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            f"<Error><Code>{escape(self.code)}</Code><Message>{escape(self.message)}</Message>"
            f"<Resource>{escape(resource)}</Resource><RequestId>0</RequestId></Error>"
        ).encode()


def invalid(message: str, code: str = "InvalidArgument") -> S3Error:
    return S3Error(400, code, message)


@dataclass(eq=False)
class Request:
    """One HTTP request. Names of headers are in lower case, the path is as it was sent."""

    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes
    user: User = NOBODY

    @cached_property
    def command(self) -> str:
        """The first item of the query string, which has no value; empty for plain S3."""
        name, _, value = self.query.partition("&")[0].partition("=")
        return "" if value else unquote_plus(name)

    @cached_property
    def arguments(self) -> dict[str, str]:
        return dict(parse_qsl(self.query, keep_blank_values=True))

    @cached_property
    def _parts(self) -> list[str]:
        # Guess: that names may be percent-encoded.
        return [unquote(part) for part in self.path.strip("/").split("/") if part]

    @cached_property
    def _names_table(self) -> bool:
        return self.command in _ON_TABLES or (self.command == "table" and self.method != "GET")

    @property
    def bucket(self) -> str:
        return self._parts[0] if self._parts else ""

    @property
    def schema(self) -> str:
        """The schema's path below the bucket; empty for the bucket itself."""
        return "/".join(self._parts[1:-1] if self._names_table else self._parts[1:])

    @property
    def table(self) -> str:
        return self._parts[-1] if self._names_table and len(self._parts) > 1 else ""

    @property
    def txid(self) -> int:
        """The transaction; 0 for none."""
        return self.number("tabular-txid")

    def number(self, header: str, default: int = 0) -> int:
        text = self.headers.get(header)
        if text is None:
            return default
        try:
            return int(text)
        except ValueError:
            raise invalid(f"{header} is not a number: {text}") from None

    def flag(self, header: str) -> bool:
        return self.headers.get(header, "").lower() == "true"

    def argument(self, name: str) -> str:
        """A parameter that the command cannot do without."""
        value = self.arguments.get(name, "")
        if not value:
            raise invalid(f"the parameter {name} is missing")
        return value


@dataclass
class Reply:
    """An answer: its body whole, or piece by piece (then it is sent in chunks)."""

    body: bytes | Iterable[bytes] = b""
    headers: dict[str, str] = field(default_factory=dict)
    status: int = 200
