"""Every error exrindex raises on purpose, in one tree.

    ExrIndexError
    ├─ UsageError            2   the command cannot mean anything (bad SQL, for one)
    ├─ SettingsError         3   settings file, environment or credentials
    │  ├─ CredentialsRefused     the database does not accept the keys, or the clock
    │  ├─ NotVast                what answers at the endpoint is no VAST database
    │  └─ BucketMissing          the database has no such bucket, or it holds no tables
    ├─ SourceError           4   a root cannot be opened, a named file is unreadable
    │  └─ Unreadable             one file; becomes a ``Failure`` in ``work.py``
    ├─ HeaderError           4   the bytes are not a readable EXR header (``.offset``)
    │  └─ HeaderTruncated        more bytes are wanted (``.needed``)
    ├─ SchedulerUnavailable  5   the Dask scheduler cannot be reached, or its workers are unfit
    └─ StoreError            5   the database refused
       ├─ StoreUnavailable       cannot be reached
       ├─ StoreConflict          another writer was first
       ├─ StoreLocked            another process holds the catalog; waited for, then raised
       ├─ PermissionRefused      the keys are right, but do not allow this
       ├─ ReleaseTooOld          the cluster's release lacks something that is needed
       └─ SchemaMismatch         the tables are not the ones this version writes

The number is the process's exit code. All arguments are positional: an exception with a
keyword-only argument cannot be unpickled and would break the process pool it crosses.
"""

from __future__ import annotations

from typing import ClassVar


class ExrIndexError(Exception):
    """Root of the tree. The message says what happened, where, and what to do."""

    exit_code: ClassVar[int] = 1


class UsageError(ExrIndexError):
    """The command or one of its values makes no sense."""

    exit_code = 2


class SettingsError(ExrIndexError):
    """A setting is missing, unknown or malformed."""

    exit_code = 3


class CredentialsRefused(SettingsError):
    """The database does not accept the keys, or finds the clock of this machine wrong."""


class NotVast(SettingsError):
    """Something answers at the endpoint, but not as a VAST database does."""


class BucketMissing(SettingsError):
    """The database has no such bucket, or the bucket is not one for tables."""


class SourceError(ExrIndexError):
    """A place that should hold files cannot be read."""

    exit_code = 4


class Unreadable(SourceError):
    """One file cannot be read.

    ``code`` is one of the failure codes of ``model.FailureCode``.
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason

    def __str__(self) -> str:
        return self.reason


class HeaderError(ExrIndexError):
    """The bytes are not a readable EXR header; ``offset`` is the byte where that shows."""

    exit_code = 4

    def __init__(self, reason: str, offset: int, code: str = "damaged_header") -> None:
        super().__init__(reason, offset, code)
        self.reason = reason
        self.offset = offset
        self.code = code

    def __str__(self) -> str:
        return f"{self.reason} (at byte {self.offset})"


class HeaderTruncated(HeaderError):
    """The header goes on beyond the bytes given.

    ``needed`` is larger than what was given and never larger than the whole header: reading
    that many bytes from the start of the file and parsing again always gets further.
    """

    def __init__(self, reason: str, offset: int, needed: int) -> None:
        super().__init__(reason, offset, "truncated_header")
        self.args = (reason, offset, needed)
        self.needed = needed


class Interrupted(BaseException):
    """Ctrl-C (130) or SIGTERM (143). No error, so nothing that handles errors can swallow it."""

    def __init__(self, exit_code: int) -> None:
        super().__init__(exit_code)
        self.exit_code = exit_code


class SchedulerUnavailable(ExrIndexError):
    """The Dask scheduler cannot be reached, or has no workers that can do the work."""

    exit_code = 5


class StoreError(ExrIndexError):
    """The database refused or cannot be reached."""

    exit_code = 5


class StoreUnavailable(StoreError):
    """The database does not answer; the transaction may be tried again."""


class StoreConflict(StoreError):
    """Another writer changed the same rows first; the transaction may be tried again."""


class StoreLocked(StoreError):
    """Another process kept the embedded catalog locked for longer than we wait."""


class PermissionRefused(StoreError):
    """The keys are right, but they do not allow what was asked."""


class ReleaseTooOld(StoreError):
    """The cluster's release lacks something that exrindex needs."""


class SchemaMismatch(StoreError):
    """The store's tables are not the ones this version of exrindex reads and writes."""
