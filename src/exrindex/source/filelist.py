"""Lists of files as other programs write them: one name per line, or ended by NUL bytes."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Iterator
from typing import BinaryIO

from exrindex.errors import UsageError
from exrindex.source.walk import absolute

_BLOCK = 1 << 16
_LONGEST_ENTRY = 1 << 20
_BOM = b"\xef\xbb\xbf"
_UTF16_BOMS = (b"\xff\xfe", b"\xfe\xff")
_EXR_MAGIC = b"\x76\x2f\x31\x01"


def read_file_list(stream: BinaryIO) -> Iterator[str]:
    """The absolute paths a list names, while it is still being written.

    A NUL byte in the first block means that NUL bytes end the names; otherwise newlines do, with
    or without a carriage return, and blank lines are ignored. Relative names start at the current
    directory. Raises ``UsageError`` for what is no list of files.
    """
    read = stream.read1 if isinstance(stream, io.BufferedIOBase) else stream.read
    first = _first_block(read)
    if first.startswith((_EXR_MAGIC, *_UTF16_BOMS)):
        kind = "an EXR file" if first.startswith(_EXR_MAGIC) else "UTF-16 text"
        raise UsageError(f"this is {kind}, not a list of files in UTF-8 or plain bytes")
    first = first.removeprefix(_BOM)
    newlines = b"\0" not in first
    for entry in _split(first, read, b"\n" if newlines else b"\0"):
        name = entry.removesuffix(b"\r") if newlines else entry
        if not name.strip():
            continue
        if b"\0" in name:
            raise UsageError("this is not a list of files: a line holds a NUL byte")
        yield absolute(os.fsdecode(name))


def _first_block(read: Callable[[int], bytes]) -> bytes:
    """Enough of the stream to see what ends its names."""
    block = b""
    while len(block) < _BLOCK and b"\0" not in block and b"\n" not in block:
        more = read(_BLOCK)
        if not more:
            break
        block += more
    return block


def _split(block: bytes, read: Callable[[int], bytes], end: bytes) -> Iterator[bytes]:
    rest = b""
    while block:
        *whole, rest = (rest + block).split(end)
        yield from whole
        if len(rest) > _LONGEST_ENTRY:
            raise UsageError(f"this is not a list of files: a name exceeds {_LONGEST_ENTRY} bytes")
        block = read(_BLOCK)
    yield rest
