from __future__ import annotations

import io
import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from exrindex.errors import UsageError
from exrindex.source import read_file_list

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer


class Trickle(io.RawIOBase):
    """A stream that gives a few bytes at a time and counts them."""

    def __init__(self, content: bytes, step: int) -> None:
        self._content = content
        self._step = step
        self.given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer)
        piece = self._content[self.given : self.given + min(self._step, len(view))]
        view[: len(piece)] = piece
        self.given += len(piece)
        return len(piece)


def names(content: bytes) -> list[str]:
    return list(read_file_list(io.BytesIO(content)))


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", []),
        (b"\n\r\n  \n", []),
        (b"/a.exr\n/b.exr\n", ["/a.exr", "/b.exr"]),
        (b"/a.exr\n\n/b.exr", ["/a.exr", "/b.exr"]),
        (b"/a.exr\r\n/b.exr\r\n", ["/a.exr", "/b.exr"]),
        (b"/a.exr\0/b.exr\0", ["/a.exr", "/b.exr"]),
        (b"/a.exr\0/b.exr", ["/a.exr", "/b.exr"]),
        (b"/a\nb.exr\0/c\r\0\0\n", ["/a\nb.exr", "/c\r"]),
        (b"\xef\xbb\xbf/a.exr\n", ["/a.exr"]),
        (b"/a b .exr\n/ \n", ["/a b .exr", "/ "]),
        (b"/x/../a.exr\n//b.exr\n", ["/a.exr", "/b.exr"]),
        (b"/\xff.exr\n", ["/\udcff.exr"]),
        ("/ü.exr\n".encode(), ["/ü.exr"]),
    ],
)
def test_lists(content: bytes, expected: list[str]) -> None:
    assert names(content) == expected


@pytest.mark.parametrize("end", [b"\n", b"\r\n", b"\0"])
@pytest.mark.parametrize("step", [1, 7, 65536])
def test_the_size_of_the_blocks_does_not_matter(end: bytes, step: int) -> None:
    expected = [f"/d/{number}.exr" for number in range(300)]
    content = end.join(map(os.fsencode, expected))
    for buffered in (True, False):
        raw = Trickle(content, step)
        stream = io.BufferedReader(raw) if buffered else raw
        assert list(read_file_list(stream)) == expected  # type: ignore[arg-type]  # io over BinaryIO


def test_relative_names_start_at_the_current_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert names(b"./d/../a.exr\n") == [str(tmp_path / "a.exr")]


def test_names_come_while_the_list_is_still_written() -> None:
    raw = Trickle(b"/a.exr\n" * 1000, 7)
    found = read_file_list(io.BufferedReader(raw))
    assert next(found) == "/a.exr"
    assert raw.given == 7


def test_a_pipe_that_stays_open_is_read_as_far_as_it_is() -> None:
    reader, writer = os.pipe()
    with os.fdopen(reader, "rb") as stream, os.fdopen(writer, "wb", buffering=0) as out:
        out.write(b"/a.exr\n/b.exr\n/c")
        found = read_file_list(stream)
        assert [next(found), next(found)] == ["/a.exr", "/b.exr"]
        out.write(b".exr\n")
        assert next(found) == "/c.exr"


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"\x76\x2f\x31\x01\x02\0\0\0channels\0", "an EXR file"),
        ("/a.exr\n".encode("utf-16"), "UTF-16"),
        (b"/a.exr\n" * 20000 + b"/b\0.exr\n", "NUL byte"),
        (b"x" * (2 << 20), "exceeds"),
        (b"/a\n" + b"x" * (2 << 20) + b"\n", "exceeds"),
        (b"/a\0" + b"x" * (2 << 20), "exceeds"),
    ],
)
def test_what_is_no_list_of_files_is_refused(content: bytes, complaint: str) -> None:
    with pytest.raises(UsageError, match=complaint):
        names(content)
