"""Trees of small EXR files, made from bytes, and what a catalog says about them.

A frame of a tree is a whole file with a few attributes; the same arguments give the same bytes.
"""

from __future__ import annotations

import datetime as dt
import os
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from exrindex.errors import Unreadable
from exrindex.model import FailureCode, FileRef
from exrindex.scan import Report, ScanOptions, scan
from exrindex.source import LocalSource, Source
from exrindex.source.local import LocalBlob
from exrindex.store import open_store
from exrindex.store.base import Store
from exrindex.store.duck import DuckStore
from exrindex.tables import TABLES, Batch
from exrindex.work import index_chunk
from exrmaker import attr, exr_file, header, minimal_part, scanline_chunk, whole_file

# Columns that differ between two runs over the same tree.
VOLATILE = frozenset(
    "first_seen last_inspected inspection_count retired_at last_seen attempts resolved_at".split()
)
# An hour ago: what is older than a tick of the clock is settled.
OLD_NS = 1_700_000_000_000_000_000


def frame(note: str = "", *, channels: Sequence[str] = ("B", "G", "R"), comment: str = "") -> bytes:
    """A whole file; ``note`` and ``comment`` make headers that differ."""
    return exr_file(
        channels=channels,
        attributes=[attr("note", "string", note), attr("comments", "string", comment)],
    )


def half_rendered(note: str = "") -> bytes:
    """``frame(note)`` with the last chunk's entry in the offset table still zero."""
    whole = frame(note)
    head = len(_head(note))
    return whole[: head + 16] + bytes(8) + whole[head + 24 :]


def multipart(note: str = "") -> bytes:
    """Two parts with chunks, one of which has a view."""
    parts = [
        minimal_part(
            name=name,
            part_type="scanlineimage",
            chunk_count=3,
            channels=channels,
            attributes=[attr("view", "string", "left"), attr("note", "string", note)],
        )
        for name, channels in (("rgba", "ABGR"), ("depth", "Z"))
    ]
    chunks = [
        [scanline_chunk(y, bytes(8 * count), part=index) for y in range(3)]
        for index, count in ((0, 4), (1, 1))
    ]
    return whole_file(header(parts), chunks)


def _head(note: str) -> bytes:
    part = minimal_part(attributes=[attr("note", "string", note), attr("comments", "string", "")])
    return header([part])


def write(path: Path, content: bytes, *, mtime_ns: int | None = OLD_NS) -> Path:
    """Write a file that seems to be old (``mtime_ns`` None: as old as it is)."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    if mtime_ns is not None:
        os.utime(path, ns=(mtime_ns, mtime_ns))
    return path


def plant(folder: Path, files: Mapping[str, bytes]) -> Path:
    for name, content in files.items():
        write(folder / name, content)
    return folder


def mixed_tree(folder: Path, frames: int = 12) -> Path:
    """Two sequences, single files, a multi-part file, and bad files of every kind."""
    plant(folder, {f"sq010/sh0100/beauty.{n:04d}.exr": frame(f"b{n}") for n in range(frames)})
    plant(folder, {f"sq010/sh0200/z.{n}.exr": frame(f"z{n}", channels="Z") for n in range(frames)})
    return plant(
        folder,
        {
            "still.exr": frame("still"),
            "parts.exr": multipart(),
            "half.exr": half_rendered("half"),
            "cut.exr": frame("cut")[:-5],
            "bad/empty.exr": b"",
            "bad/text.exr": b"not an EXR file at all",
            "bad/header.exr": frame("bad")[:60],
            "bad/damaged.exr": _head("d")[:40] + b"\xff" * 400,
            "ünï 名.exr": frame("ünï"),
        },
    )


# --- scanning ---------------------------------------------------------------------------------


def duck(path: Path, *, wait: float = 20.0) -> DuckStore:
    store = open_store(str(path), lock_wait=wait)
    assert isinstance(store, DuckStore)
    return store


def catalog(path: Path, *, wait: float = 20.0) -> DuckStore:
    """A store whose tables are made."""
    store = duck(path, wait=wait)
    store.create()
    return store


def run(store: Store, *roots: Path, source: Source | None = None, **options: Any) -> Report:
    """Scan directories; ``options`` are those of ``ScanOptions``."""
    names = [str(root) for root in roots]
    return scan(source or LocalSource(names), store, ScanOptions(**options), roots=names)


class CountingSource(LocalSource):
    """A source that notes in this process which files are opened: for scans of a single task."""

    def __init__(self, *roots: Path) -> None:
        super().__init__([str(root) for root in roots])
        self.opened: Counter[str] = Counter()

    def open(self, ref: FileRef) -> LocalBlob:
        self.opened[os.path.basename(ref.uri)] += 1
        return super().open(ref)


# --- looking ----------------------------------------------------------------------------------


def rows(store: Store, statement: str) -> list[tuple[object, ...]]:
    return [tuple(row.values()) for row in store.sql(statement).to_pylist()]


def live(store: Store) -> dict[str, str]:
    """File name → integrity of what is there."""
    found = rows(store, "SELECT file_path, integrity FROM files WHERE retired_at IS NULL")
    assert len({path for path, _ in found}) == len(found)
    return {os.path.basename(str(path)): str(integrity) for path, integrity in found}


def open_failures(store: Store) -> dict[str, str]:
    found = rows(store, "SELECT file_path, code FROM failures WHERE resolved_at IS NULL")
    assert len({path for path, _ in found}) == len(found)
    return {os.path.basename(str(path)): str(code) for path, code in found}


def snapshot(store: Store) -> dict[str, list[tuple[object, ...]]]:
    """Every row of every table but ``scans``, sorted, without what differs from run to run.

    Whether a row is retired and whether a failure is resolved is kept; when is not.
    """
    return {name: sorted(_stable(store, name), key=repr) for name in TABLES if name != "scans"}


def _stable(store: Store, table: str) -> Iterator[tuple[object, ...]]:
    names = [name for name in TABLES[table].names if name not in VOLATILE]
    gone = {"files": ", retired_at IS NULL", "failures": ", resolved_at IS NULL"}.get(table, "")
    columns = ", ".join(f'"{name}"' for name in names)
    found: pa.Table = store.sql(f"SELECT {columns}{gone} FROM {table}")
    plain = [
        column.cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
        for column in found.columns
    ]
    return zip(*(column.to_pylist() for column in plain), strict=True)


# --- batches without files --------------------------------------------------------------------


class MemoryBlob:
    def __init__(self, ref: FileRef, content: bytes) -> None:
        self.ref = ref
        self._content = content

    def read(self, start: int, stop: int) -> bytes:
        return self._content[start:stop]


class MemorySource:
    """Files that are bytes; a name whose content is a failure code cannot be read."""

    def __init__(self, files: Mapping[str, bytes | FailureCode], mtime_ns: int) -> None:
        self._files = files
        self._mtime_ns = mtime_ns

    def walk(self) -> Iterator[FileRef]:
        for uri, content in self._files.items():
            size = 0 if isinstance(content, FailureCode) else len(content)
            yield FileRef(uri, size, self._mtime_ns)

    @contextmanager
    def open(self, ref: FileRef) -> Iterator[MemoryBlob]:
        content = self._files[ref.uri]
        if isinstance(content, FailureCode):
            raise Unreadable(content, f"a file that is {content}")
        yield MemoryBlob(FileRef(ref.uri, len(content), self._mtime_ns), content)


def batch_of(
    files: Mapping[str, bytes | FailureCode], seen_at: dt.datetime, *, mtime_ns: int = OLD_NS
) -> Batch:
    """What indexing these files would yield: path → content, or the code of a failure."""
    source = MemorySource(files, mtime_ns)
    return index_chunk(source, list(source.walk()), seen_at)


# --- processes --------------------------------------------------------------------------------


def children(pid: int) -> list[int]:
    """The living descendants of a process, parents first."""
    parents: dict[int, list[int]] = {}
    for status in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = status.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue  # it has ended meanwhile
        if state != "Z":
            parents.setdefault(int(parent), []).append(int(status.parent.name))
    found = list(parents.get(pid, ()))
    for child in found:
        found += parents.get(child, ())
    return found


def command_of(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_text().replace("\0", " ")
    except OSError:
        return ""
