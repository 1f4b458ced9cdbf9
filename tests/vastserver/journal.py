"""Commits on disk: a file of records, each written and synced before its commit is answered.

A record is its length, a checksum and the pickled changes of one commit. One that is torn at
the end of the file was never answered, so it is cut off when the file is opened. Reading a
pickle runs what it says: open only data that your own server wrote.
"""

from __future__ import annotations

import fcntl
import io
import os
import pickle
import struct
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa

from vastserver.changes import Change

_MAGIC = b"vastserver journal 1\n"
_HEAD = struct.Struct("<QI")


class Journal:
    """The open file, which nobody else has open."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "journal"
        self._file = self._path.open("a+b", buffering=0)
        try:
            fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._file.close()
            raise
        if self._path.stat().st_size < len(_MAGIC):
            self._file.truncate(0)
            self._write(_MAGIC)
            _sync_folder(folder)

    def read(self) -> Iterator[Sequence[Change]]:
        """All commits, oldest first; then the file is ready for more."""
        with self._path.open("rb") as file:
            if file.read(len(_MAGIC)) != _MAGIC:
                raise ValueError(f"{self._path} is not a journal")
            good = file.tell()
            while (record := _record(file.read(_HEAD.size), file)) is not None:
                good = file.tell()
                yield pickle.loads(record)
        self._file.truncate(good)

    def append(self, changes: Sequence[Change]) -> None:
        out = io.BytesIO()
        _Pickler(out, pickle.HIGHEST_PROTOCOL).dump(changes)
        record = out.getbuffer()
        self._write(_HEAD.pack(len(record), zlib.crc32(record)), record)

    def close(self) -> None:
        self._file.close()

    def _write(self, *parts: Any) -> None:
        """All of it or nothing: what a full disk cuts off is taken back."""
        size = self._path.stat().st_size
        try:
            for part in parts:
                left = memoryview(part)
                while left:
                    left = left[self._file.write(left) :]
            os.fsync(self._file.fileno())
        except OSError:
            self._file.truncate(size)
            raise


class _Pickler(pickle.Pickler):
    """Writes arrays and fields as Arrow does: pickled as they are, a slice drags its origin
    along, and a fixed-size list forgets that its items cannot be null.
    """

    def reducer_override(self, value: Any) -> Any:
        if isinstance(value, pa.Field):
            return _field, (pa.schema([value]).serialize().to_pybytes(),)
        if isinstance(value, pa.Array):
            batch = pa.record_batch([value], names=[""])
            stream = batch.schema.serialize().to_pybytes() + batch.serialize().to_pybytes()
            return _array, (stream,)
        return NotImplemented


def _field(data: bytes) -> Any:
    return pa.ipc.read_schema(pa.py_buffer(data)).field(0)


def _array(data: bytes) -> Any:
    with pa.ipc.open_stream(data) as reader:
        return reader.read_next_batch().column(0)


def _record(head: bytes, file: Any) -> bytes | None:
    if len(head) < _HEAD.size:
        return None
    length, checksum = _HEAD.unpack(head)
    record = file.read(length)
    return record if len(record) == length and zlib.crc32(record) == checksum else None


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
