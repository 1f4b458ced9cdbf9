"""Read one file's header and judge its integrity, without touching pixels."""

from __future__ import annotations

from dataclasses import dataclass

from exrindex.errors import HeaderError, HeaderTruncated, Unreadable
from exrindex.exr import MAX_HEADER_BYTES, check_integrity, parse_header
from exrindex.model import Failure, FailureCode, FileRef, Header, Integrity, Stage
from exrindex.source.base import Blob, Source

# Covers nearly every header and, mostly, the offset tables behind it (a Cryptomatte frame's
# header is about 25 kB). Longer headers are read on exactly as far as their size fields say.
FIRST_READ = 64 * 1024


@dataclass(frozen=True, slots=True)
class Inspected:
    """A file's header and integrity; ``ref`` holds the size and time of the moment it was read."""

    ref: FileRef
    header: Header
    integrity: Integrity


def inspect_file(source: Source, ref: FileRef) -> Inspected | Failure:
    """Inspect one file: one open, one read, and rarely more. A bad file is a ``Failure``."""
    try:
        with source.open(ref) as blob:
            return _inspect(blob)
    except Unreadable as error:
        return failure_of(ref, Stage.READ, error.code, error.reason)


def _inspect(blob: Blob) -> Inspected | Failure:
    ref = blob.ref
    if ref.size == 0:
        return failure_of(ref, Stage.READ, FailureCode.EMPTY, "the file is empty")
    try:
        data, header = _read_header(blob)
    except HeaderError as error:
        return failure_of(ref, Stage.PARSE, error.code, error.reason, error.offset)

    def read(start: int, stop: int) -> bytes:
        return data[start:stop] if stop <= len(data) else blob.read(start, stop)

    return Inspected(ref, header, check_integrity(header, ref.size, read))


def _read_header(blob: Blob) -> tuple[bytes, Header]:
    """The first bytes of the file and the header in them; reads on while it is cut."""
    size = blob.ref.size
    data = blob.read(0, min(FIRST_READ, size))
    while True:
        try:
            return data, parse_header(data)
        except HeaderTruncated as error:
            # At least doubling keeps the number of reads logarithmic in the header's size.
            wanted = min(max(error.needed, 2 * len(data)), size, MAX_HEADER_BYTES)
            if error.needed > size or wanted <= len(data):
                raise
            more = blob.read(len(data), wanted)
            if not more:
                raise
            data += more


def failure_of(
    ref: FileRef, stage: Stage, code: str, reason: str, offset: int | None = None
) -> Failure:
    """The failure of a listed file."""
    return Failure(ref.uri, stage, FailureCode(code), reason, offset, ref.size, ref.mtime_ns)
