"""What a place that holds files must offer: a walk that lists them, and reading ranges of one.

A source is sent to worker processes, so it can be pickled; a worker only opens files.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager
from typing import Protocol, TypeAlias

from exrindex.model import Failure, FileRef, Skipped

Found: TypeAlias = FileRef | Failure | Skipped


class Blob(Protocol):
    """A file held open: one open and one look at its size, however many ranges are read."""

    @property
    def ref(self) -> FileRef:
        """The file as it was after opening and before the first byte was read.

        A file that changes while it is read is therefore seen as changed by the next scan.
        """

    def read(self, start: int, stop: int) -> bytes:
        """The bytes from ``start`` up to ``stop``; shorter only where the file ends.

        Raises ``errors.Unreadable``.
        """


class Source(Protocol):
    """Where files come from."""

    def walk(self) -> Iterator[Found]:
        """List the files, each as soon as it is found; what is lost on the way is a value.

        Failures have stage ``list``. One about a directory says that files below it may be
        missing from the walk.
        """

    def open(self, ref: FileRef) -> AbstractContextManager[Blob]:
        """Open a listed file. Raises ``errors.Unreadable`` with its code and reason.

        Only ``ref.uri`` is looked at: size and time are taken anew.
        """
