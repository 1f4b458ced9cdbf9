"""What every source must do. A test class of a source inherits this and says how to make one."""

from __future__ import annotations

import pickle
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path

import pytest

from exrindex.errors import Unreadable
from exrindex.model import FailureCode, FileRef
from exrindex.source import Source

CONTENT = bytes(range(256)) * 8
FILES = {
    "b.0002.exr": b"bb",
    "b.0010.EXR": b"",
    "sub/a.exr": CONTENT,
    "sub/z.ExR": b"z",
    "ünïcödé 名 .exr": b"u",
}


class SourceContract(ABC):
    @abstractmethod
    def make(self, folder: Path, files: Mapping[str, bytes]) -> Source:
        """A source that holds exactly ``files``, by relative name."""

    @abstractmethod
    def remove(self, ref: FileRef) -> None:
        """Take a file away behind the source's back."""

    @abstractmethod
    def overwrite(self, ref: FileRef, content: bytes) -> None:
        """Change a file behind the source's back."""

    def refs(self, source: Source) -> dict[str, FileRef]:
        """Every file of the walk by the end of its uri; the walk must find nothing else."""
        found = list(source.walk())
        refs = [item for item in found if isinstance(item, FileRef)]
        assert refs == found
        by_name = {name: ref for ref in refs for name in FILES if ref.uri.endswith("/" + name)}
        assert len(by_name) == len(refs)
        return by_name

    def test_the_walk_lists_every_file_once_with_its_size(self, tmp_path: Path) -> None:
        refs = self.refs(self.make(tmp_path, FILES))
        assert {name: ref.size for name, ref in refs.items()} == {
            name: len(content) for name, content in FILES.items()
        }
        assert all(ref.mtime_ns > 10**18 for ref in refs.values())

    def test_two_walks_find_the_same_in_the_same_order(self, tmp_path: Path) -> None:
        source = self.make(tmp_path, FILES)
        assert list(source.walk()) == list(source.walk())

    def test_an_empty_place_holds_nothing(self, tmp_path: Path) -> None:
        assert list(self.make(tmp_path, {}).walk()) == []

    @pytest.mark.parametrize(
        ("start", "stop"),
        [(0, 10), (5, 5), (9, 3), (250, 260), (2000, 9999), (2048, 2049), (0, 1 << 40)],
    )
    def test_a_range_is_read_as_far_as_the_file_goes(
        self, tmp_path: Path, start: int, stop: int
    ) -> None:
        source = self.make(tmp_path, {"sub/a.exr": CONTENT})
        with source.open(self.refs(source)["sub/a.exr"]) as blob:
            assert blob.read(start, stop) == CONTENT[start:stop]

    def test_ranges_are_independent(self, tmp_path: Path) -> None:
        source = self.make(tmp_path, {"sub/a.exr": CONTENT})
        with source.open(self.refs(source)["sub/a.exr"]) as blob:
            assert blob.read(100, 110) == CONTENT[100:110]
            assert blob.read(0, 4) == CONTENT[:4]

    def test_an_unchanged_file_is_opened_as_it_was_listed(self, tmp_path: Path) -> None:
        source = self.make(tmp_path, FILES)
        for ref in self.refs(source).values():
            with source.open(ref) as blob:
                assert blob.ref == ref

    def test_a_changed_file_is_opened_as_it_is(self, tmp_path: Path) -> None:
        source = self.make(tmp_path, {"sub/a.exr": CONTENT})
        listed = self.refs(source)["sub/a.exr"]
        self.overwrite(listed, b"four")
        with source.open(listed) as blob:
            assert blob.ref.uri == listed.uri
            assert blob.ref.size == 4
            assert blob.ref.mtime_ns != listed.mtime_ns
            assert blob.read(0, 100) == b"four"

    def test_a_file_that_is_gone_has_vanished(self, tmp_path: Path) -> None:
        source = self.make(tmp_path, {"sub/a.exr": CONTENT})
        ref = self.refs(source)["sub/a.exr"]
        self.remove(ref)
        with pytest.raises(Unreadable) as caught, source.open(ref):
            pass
        assert caught.value.code == FailureCode.VANISHED
        assert caught.value.reason
        assert ref.uri not in caught.value.reason

    def test_a_worker_can_open_what_was_listed(self, tmp_path: Path) -> None:
        source = self.make(tmp_path, {"sub/a.exr": CONTENT})
        ref = self.refs(source)["sub/a.exr"]
        in_worker: Source = pickle.loads(pickle.dumps(source))
        with in_worker.open(ref) as blob:
            assert blob.read(0, 10) == CONTENT[:10]
