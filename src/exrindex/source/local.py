"""Files of this machine and of the file systems mounted on it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import TracebackType
from typing import Any

from exrindex.errors import Unreadable
from exrindex.model import Failure, FailureCode, FileRef, Stage
from exrindex.source.base import Found
from exrindex.source.shard import Shard
from exrindex.source.walk import Walk, absolute, lost, prefix_of, what_instead, why

# O_NONBLOCK: a named pipe put in a file's place must not stop us. O_NOCTTY: nor a terminal.
_OPEN_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY
# A read allocates what it asks for, and a damaged header may ask for gigabytes.
_LARGEST_READ = 8 << 20


class LocalBlob:
    """An open file; closed by leaving its ``with`` block."""

    def __init__(self, path: str) -> None:
        try:
            self._descriptor = os.open(path, _OPEN_FLAGS)
        except OSError as error:
            raise Unreadable(*why(error)) from error
        try:
            self._ref = self._look(path)
        except Unreadable:
            os.close(self._descriptor)
            raise

    def _look(self, path: str) -> FileRef:
        try:
            status = os.fstat(self._descriptor)
        except OSError as error:
            raise Unreadable(*why(error)) from error
        instead = what_instead(status.st_mode)
        if instead:
            raise Unreadable(FailureCode.NOT_A_FILE, instead)
        return FileRef(path, status.st_size, status.st_mtime_ns)

    @property
    def ref(self) -> FileRef:
        return self._ref

    def read(self, start: int, stop: int) -> bytes:
        pieces: list[bytes] = []
        try:
            while start < stop:
                piece = os.pread(self._descriptor, min(stop - start, _LARGEST_READ), start)
                if not piece:
                    break
                pieces.append(piece)
                start += len(piece)
        except OSError as error:
            raise Unreadable(*why(error)) from error
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def __enter__(self) -> LocalBlob:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self._descriptor)


class LocalSource:
    """Directories and single files.

    Only ``.exr`` in any case counts inside a directory; a file that is itself a root may have
    any name. A root below another root is walked once, by itself: so it is walked even where
    the walk of the outer one would pass it over. ``exclude`` holds patterns as in
    ``.gitignore``, relative to each root. Raises ``UsageError`` for a pattern without meaning.
    """

    def __init__(
        self,
        roots: Sequence[str],
        *,
        exclude: Sequence[str] = (),
        follow_symlinks: bool = False,
        shard: Shard | None = None,
    ) -> None:
        self.shard = shard
        self.roots = tuple(dict.fromkeys(absolute(root) for root in roots))
        self._exclude = tuple(exclude)
        self._follow = follow_symlinks
        _exclusion(self._exclude)

    def passes_over(self, path: str) -> bool:
        """Whether the walk would not come by a path: hidden, excluded, below no root, or in
        another share."""
        if self.shard is not None:
            owner = path if os.path.isdir(path) else os.path.dirname(path)
            if not self.shard.holds(owner):
                return True
        above = [root for root in self.roots if path == root or path.startswith(prefix_of(root))]
        if not above:
            return True
        excluded = _exclusion(self._exclude)
        relative = path.removeprefix(max(above, key=len)).strip("/")
        place = ""
        for name in relative.split("/") if relative else ():
            place += name
            if name.startswith(".") or (excluded and (excluded(place) or excluded(place + "/"))):
                return True
            place += "/"
        return False

    def check_roots(self) -> list[Failure]:
        """The roots that cannot be opened now.

        The walk goes on without them: it yields a failure for each directory, and for a file
        that exists a reference that then cannot be read.
        """
        return [failure for failure in map(_check, self.roots) if failure]

    def walk(self) -> Iterator[Found]:
        walk = Walk(
            excluded=_exclusion(self._exclude),
            follow_symlinks=self._follow,
            apart=self.roots,
            shard=self.shard,
        )
        for root in self.roots:
            yield from walk.start(root)

    def open(self, ref: FileRef) -> LocalBlob:
        return LocalBlob(ref.uri)


class ListSource:
    """The files and directories a list names, taken from it as the walk goes on.

    A list may be longer than memory, so a place named twice is found twice. The list stays
    behind when the source is sent to another process: there it opens files and walks nothing.
    """

    def __init__(
        self,
        entries: Iterable[str],
        *,
        exclude: Sequence[str] = (),
        follow_symlinks: bool = False,
        shard: Shard | None = None,
    ) -> None:
        self._shard = shard
        self._entries = entries
        self._exclude = tuple(exclude)
        self._follow = follow_symlinks
        _exclusion(self._exclude)

    def walk(self) -> Iterator[Found]:
        walk = Walk(
            excluded=_exclusion(self._exclude), follow_symlinks=self._follow, shard=self._shard
        )
        for entry in self._entries:
            yield from walk.start(absolute(entry))

    def open(self, ref: FileRef) -> LocalBlob:
        return LocalBlob(ref.uri)

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_entries": ()}


def _check(root: str) -> Failure | None:
    try:
        if os.path.isdir(root):
            os.scandir(root).close()
        else:
            with LocalBlob(root):
                pass
    except OSError as error:
        return lost(root, error)
    except Unreadable as error:
        return Failure(root, Stage.LIST, FailureCode(error.code), error.reason)
    return None


def _exclusion(patterns: Sequence[str]) -> Callable[[str], bool] | None:
    if not patterns:
        return None
    from exrindex.source.exclude import exclusion  # on demand: most scans exclude nothing

    return exclusion(patterns)
