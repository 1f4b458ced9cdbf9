"""The walk: which files are below a directory, in which order, and what was passed over.

Names are sorted within a directory, files come before subdirectories, depth first. A file is
yielded as soon as its size is known, and memory holds only the names of the directories on the
path from the root to where the walk is.
"""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from collections.abc import Callable, Collection, Iterator
from functools import partial
from typing import NamedTuple

from exrindex.errors import UsageError
from exrindex.model import Failure, FailureCode, FileRef, Skipped, Stage
from exrindex.naming import escape_text
from exrindex.overlap import Overlap
from exrindex.source.base import Found
from exrindex.source.shard import Shard

HIDDEN = "hidden"
EXCLUDED = "excluded"
LINKED_DIRECTORY = "symbolic link to a directory"
LINK_LOOP = "symbolic link loop"

_CODES = {
    errno.ENOENT: FailureCode.VANISHED,
    errno.ENOTDIR: FailureCode.VANISHED,
    errno.ESTALE: FailureCode.VANISHED,
    errno.ENXIO: FailureCode.NOT_A_FILE,  # what opening a socket gives
}
_KINDS = {
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a character device",
    stat.S_IFBLK: "a block device",
}


def absolute(path: str) -> str:
    """The absolute path, lexically: symbolic links are not resolved.

    Raises ``UsageError`` for what can be no path.
    """
    if not path or "\0" in path:
        raise UsageError(f"{path!r} is not a path")
    path = os.path.abspath(path)
    return path[1:] if path.startswith("//") else path


def why(error: OSError) -> tuple[FailureCode, str]:
    """What an error of the operating system says about a file; the reason names no path."""
    code = _CODES.get(error.errno or 0, FailureCode.UNREADABLE)
    return code, error.strerror or type(error).__name__


def lost(path: str, error: OSError) -> Failure:
    """The failure of a place that could not be listed; a dangling link's names its target."""
    code, reason = why(error)
    if error.errno == errno.ENOENT:
        with contextlib.suppress(OSError):
            reason = f"symbolic link to {escape_text(os.readlink(path))}, which does not exist"
    return Failure(path, Stage.LIST, code, reason)


def what_instead(mode: int) -> str | None:
    """Why a file of this mode is not read; None for a regular file."""
    if stat.S_ISREG(mode):
        return None
    kind = _KINDS.get(stat.S_IFMT(mode), "something of an unknown kind")
    return f"{kind}, not a regular file"


class _Listing(NamedTuple):
    files: list[str]
    directories: list[str]
    links: frozenset[str]
    problem: OSError | None


class _Level(NamedTuple):
    """A directory the walk is in; ``directories`` are still to do, the next one last."""

    prefix: str
    directories: list[str]
    identity: tuple[int, int] | None


class Walk:
    """The rules of one walk.

    ``excluded`` tests paths relative to the root they were found below. Places in ``apart`` are
    roots of their own: a walk that comes by leaves them out. With a ``shard`` all directories are
    walked into, and what is found right in one of another share is left out.
    """

    def __init__(
        self,
        *,
        excluded: Callable[[str], bool] | None = None,
        follow_symlinks: bool = False,
        apart: Collection[str] = (),
        shard: Shard | None = None,
    ) -> None:
        self._shard = shard
        self._looks = Overlap()
        self._excluded = excluded
        self._follow = follow_symlinks
        self._apart = frozenset(apart)

    def start(self, path: str) -> Iterator[Found]:
        """What a named place holds: a directory is walked, a file is taken whatever its name.

        A named file can be excluded by its name; a named directory is the root of the patterns.
        """
        try:
            status = os.stat(path)
        except OSError as error:
            if self._is_ours(os.path.dirname(path)):
                yield lost(path, error)
            return
        if stat.S_ISDIR(status.st_mode):
            yield from self._tree(path)
        elif not self._is_ours(os.path.dirname(path)):
            return
        elif self._excluded and self._excluded(os.path.basename(path)):
            yield Skipped(path, EXCLUDED)
        else:
            yield _taken(path, status)

    def _tree(self, root: str) -> Iterator[Found]:
        skip = len(prefix_of(root))
        levels = [_Level("", [root], None)]
        while levels:
            if not levels[-1].directories:
                levels.pop()
                continue
            path = levels[-1].prefix + levels[-1].directories.pop()
            is_ours = self._is_ours(path)
            identity = _identity(path) if self._follow else None
            if identity and any(level.identity == identity for level in levels):
                if is_ours:
                    yield Skipped(path, LINK_LOOP)
                continue
            listing = _list(path, self._follow)
            prefix = prefix_of(path)
            if listing.problem:
                # Whoever owns it: what is below it may be ours.
                yield lost(path, listing.problem)
            if is_ours:
                yield from self._files(prefix, listing.files, skip)
            deeper: list[str] = []
            for name in listing.directories:
                place = prefix + name
                if place in self._apart:
                    continue
                reason = self._passed_over(name, place[skip:] + "/")
                if reason is None and name in listing.links and not self._follow:
                    reason = LINKED_DIRECTORY
                if reason is None:
                    deeper.append(name)
                elif is_ours:
                    yield Skipped(place, reason)
            deeper.reverse()
            levels.append(_Level(prefix, deeper, identity))

    def _is_ours(self, directory: str) -> bool:
        return self._shard is None or self._shard.holds(directory)

    def _files(self, prefix: str, names: list[str], skip: int) -> Iterator[Found]:
        """The files of a directory: their states are asked for one by one, or many at once."""
        paths = [path for name in names if (path := prefix + name) not in self._apart]
        return self._looks.map(partial(self._look, skip), paths)

    def _look(self, skip: int, path: str) -> Found:
        reason = self._passed_over(path.rpartition("/")[2], path[skip:])
        return Skipped(path, reason) if reason else _file(path)

    def _passed_over(self, name: str, relative: str) -> str | None:
        if name.startswith("."):
            return HIDDEN
        if self._excluded and self._excluded(relative):
            return EXCLUDED
        return None


def prefix_of(directory: str) -> str:
    """The directory with a slash at its end."""
    return directory if directory.endswith("/") else directory + "/"


def _identity(path: str) -> tuple[int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None  # opening the directory will say why
    return status.st_dev, status.st_ino


def _list(path: str, follow: bool) -> _Listing:
    """Names of the ``.exr`` files and of the directories in a directory, each list sorted."""
    files: list[str] = []
    directories: list[str] = []
    links: set[str] = set()
    problem: OSError | None = None
    try:
        with os.scandir(path) as entries:
            for entry in entries:
                name = entry.name
                if _is_directory(entry, follow):
                    directories.append(name)
                    if entry.is_symlink():
                        links.add(name)
                elif name[-4:].lower() == ".exr":
                    files.append(name)
    except OSError as error:
        problem = error
    files.sort()
    directories.sort()
    return _Listing(files, directories, frozenset(links), problem)


def _is_directory(entry: os.DirEntry[str], follow: bool) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        # A link that cannot be followed may lead to a directory: trying to list it tells why not.
        return follow and entry.name[-4:].lower() != ".exr"


def _file(path: str) -> FileRef | Failure:
    try:
        status = os.stat(path)
    except OSError as error:
        return lost(path, error)
    return _taken(path, status)


def _taken(path: str, status: os.stat_result) -> FileRef | Failure:
    instead = what_instead(status.st_mode)
    if instead:
        return Failure(path, Stage.LIST, FailureCode.NOT_A_FILE, instead)
    return FileRef(path, status.st_size, status.st_mtime_ns)
