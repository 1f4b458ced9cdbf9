"""What every store can do. A store knows tables of rows and vectors; it knows no EXR."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from enum import StrEnum
from typing import NamedTuple, Protocol, TypeAlias

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from exrindex.tables import Batch


class Upserted(NamedTuple):
    """What one ``upsert`` did, in files.

    ``updated`` rows changed (size, mtime, integrity, or they were retired before),
    ``confirmed`` rows were found as recorded; ``retired`` rows gave way to another header or
    to a failure; ``failed`` counts failures written.
    """

    inserted: int
    updated: int
    confirmed: int
    retired: int
    failed: int


class SchemaState(StrEnum):
    """What a store holds: nothing, tables that are not ours, ours but other, or ours."""

    NEW = "new"
    FOREIGN = "foreign"
    INCOMPATIBLE = "incompatible"
    READY = "ready"


class Problem(NamedTuple):
    """Something ``schema check`` found: what is wrong, and what to do about it."""

    what: str
    remedy: str


class Level(StrEnum):
    """How an examination of something ended."""

    OK = "ok"
    NOTE = "note"
    BAD = "bad"


class Finding(NamedTuple):
    """One line of ``exrindex doctor``: what was looked at, what was found, and what to do.

    ``exit_code`` is that of the error it would be; 0 unless ``level`` is BAD.
    """

    what: str
    level: Level
    text: str
    remedy: str = ""
    exit_code: int = 0


class Description(NamedTuple):
    """``engine`` is name and release; ``layout`` names the tables that are not plain ones."""

    engine: str
    layout: dict[str, str]


class Layout(NamedTuple):
    """How new tables are laid out, where a store knows more than one way.

    ``sorted``: by what rows are looked up by. ``vector_index``: on the metadata embedding.
    """

    sorted: bool = False
    vector_index: bool = False


PLAIN = Layout()


class VectorColumn(StrEnum):
    """The two vectors a neighbour search can go by."""

    METADATA = "metadata_embedding"
    CHANNELS = "channel_fingerprint"


class Slice(NamedTuple):
    """Some of the files of some directories: those whose id begins with ``prefix``.

    Failures belong to the slice with ``failures``, of which there is one for each directory.
    """

    directories: list[str]
    prefix: str = ""
    failures: bool = True


# Hears a sentence about how a question is being answered.
Tell: TypeAlias = Callable[[str], None]


class Store(Protocol):
    """A place for rows. Every method may raise ``StoreError``.

    A method is one transaction: it happens wholly or not at all, and nothing is held open
    between calls, so that others can read and write in between.
    """

    @property
    def url(self) -> str:
        """Where the store is, for people; never holds a secret."""

    @property
    def place(self) -> str:
        """What tells two stores apart: clusters may have buckets of one name."""

    def state(self) -> SchemaState:
        """Whether the tables are there and are the ones this version writes. Creates nothing."""

    def create(self, layout: Layout = PLAIN) -> bool:
        """Make the tables that are missing; False if all were there.

        Raises ``SchemaMismatch`` if tables of these names exist and are different, ``UsageError``
        or ``ReleaseTooOld`` if the store does not know the layout.
        """

    def require(self) -> None:
        """Raise ``SchemaMismatch`` (saying what differs and what to do) unless ``READY``."""

    def check(self) -> list[Problem]:
        """Verify columns, versions, uniqueness, orphans and vector norms."""

    def describe(self) -> Description:
        """What the store is and how its tables are laid out, for people."""

    def examine(self, *, write: bool) -> Iterator[Finding]:
        """Look whether everything is as it should be; raises nothing.

        With ``write`` it also tries what needs a table: one of its own, made and dropped.
        """

    def row_counts(self) -> dict[str, int]:
        """Rows of every table."""

    def known(self, directories: Sequence[str]) -> pa.Table:
        """The live files of some directories.

        Columns: directory, file_path, file_path_normalized, size_bytes, mtime, integrity,
        last_inspected, and has_failure (an open failure stands at the place, too).
        """

    def directories(self, root: str) -> list[str]:
        """Directories at or below ``root`` (a normalised place) that hold live files, sorted."""

    def upsert(self, batch: Batch) -> Upserted:
        """Write one batch by the rules of docs/schema.md, all tables or none."""

    def retire(self, places: Sequence[str], at: dt.datetime) -> int:
        """Mark the live files at these places as gone and close their failures."""

    def stale_failures(self, root: str, before: dt.datetime) -> pa.Table:
        """Open failures at or below ``root`` that were last seen before a moment.

        Those below a directory that could not be listed since are left out. Columns: file_path,
        file_path_normalized, stage, code.
        """

    def close_failures(self, places: Sequence[str], at: dt.datetime) -> int:
        """Mark the open failures at these places as resolved."""

    def record_scan(self, row: pa.Table, *, patient: bool = True) -> None:
        """Write one row of ``scans``, in place of an earlier one with its ``scan_id``.

        Without ``patient`` it gives up at once where others have the store.
        """

    def rows_of(self, part: Slice) -> Batch:
        """All rows of some files, retired ones too, as the contract has them."""

    def child_counts(self, part: Slice) -> pa.Table:
        """How many rows each of these files has in the child tables, which name the columns."""

    def add_rows(self, batch: Batch) -> int:
        """Write rows that come from another store, by the rules of ``merge.py``; how many files.

        Rows that stand already and are not older are left alone.
        """

    def add_scans(self, rows: pa.Table) -> int:
        """Write rows of ``scans`` that come from another store; how many were not there, or not
        finished there."""

    def nearest(
        self,
        vector: NDArray[np.float32],
        column: VectorColumn,
        *,
        limit: int,
        where: str | None,
        by_sequence: bool,
    ) -> pa.Table:
        """The live files nearest to a unit vector, by cosine distance, exactly.

        Columns: file_path, distance, file_id; with ``by_sequence`` one row per sequence (or
        per file outside of any) and also sequence_path, first_frame, last_frame, frame_count.
        ``where`` is a SQL condition on ``files``; raises ``UsageError`` if it is not one.
        """

    def sql(self, statement: str) -> pa.Table:
        """Run one read-only statement; raises ``UsageError`` if it is wrong or would write."""

    def close(self) -> None:
        """Let go of everything."""
