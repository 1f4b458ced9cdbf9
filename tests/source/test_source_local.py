from __future__ import annotations

import os
import pickle
import socket
import subprocess
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from pathspec import GitIgnoreSpec

from exrindex.errors import Unreadable, UsageError
from exrindex.model import Failure, FailureCode, FileRef, Skipped, Stage
from exrindex.source import Found, ListSource, LocalSource, Source, exclude
from privileges import unprivileged
from source.contract import SourceContract


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)


def tree(folder: Path, *names: str) -> Path:
    write(folder, dict.fromkeys(names, b"x"))
    return folder


def uris(found: Sequence[Found], folder: Path) -> list[str]:
    """The files of a walk, relative to a folder."""
    return [os.path.relpath(ref.uri, folder) for ref in found if isinstance(ref, FileRef)]


def skipped(found: Sequence[Found], folder: Path) -> dict[str, str]:
    return {os.path.relpath(s.uri, folder): s.reason for s in found if isinstance(s, Skipped)}


def failures(found: Sequence[Found]) -> list[Failure]:
    return [item for item in found if isinstance(item, Failure)]


def walk(*roots: Path, exclude: Sequence[str] = (), follow_symlinks: bool = False) -> list[Found]:
    source = LocalSource(
        [str(root) for root in roots], exclude=exclude, follow_symlinks=follow_symlinks
    )
    return list(source.walk())


@pytest.fixture
def locked(public: Path) -> Iterator[Path]:
    """A tree with a directory and a file that may not be read."""
    tree(public, "a/1.exr", "locked/2.exr", "z/3.exr", "z/secret.exr")
    (public / "locked").chmod(0)
    (public / "z/secret.exr").chmod(0)
    yield public
    (public / "locked").chmod(0o755)


class _Local(SourceContract):
    def remove(self, ref: FileRef) -> None:
        Path(ref.uri).unlink()

    def overwrite(self, ref: FileRef, content: bytes) -> None:
        Path(ref.uri).write_bytes(content)
        os.utime(ref.uri, ns=(0, ref.mtime_ns + 1))


class TestLocalSource(_Local):
    def make(self, folder: Path, files: Mapping[str, bytes]) -> Source:
        write(folder, files)
        return LocalSource([str(folder)])


class TestListSource(_Local):
    def make(self, folder: Path, files: Mapping[str, bytes]) -> Source:
        write(folder, files)
        return ListSource([str(folder / name) for name in files])


# --- order and names --------------------------------------------------------------------------


def test_files_come_before_subdirectories_each_sorted(tmp_path: Path) -> None:
    names = ["b.exr", "a/2.exr", "a/10.exr", "a/x/1.exr", "c.exr", "a.exr", "B/1.exr"]
    assert uris(walk(tree(tmp_path, *names)), tmp_path) == [
        "a.exr", "b.exr", "c.exr", "B/1.exr", "a/10.exr", "a/2.exr", "a/x/1.exr",
    ]  # fmt: skip


def test_only_exr_in_any_case_counts_in_a_directory(tmp_path: Path) -> None:
    tree(tmp_path, "a.exr", "b.EXR", "c.Exr", "d.exr.bkp", "e.tif", "fexr", ".g.exr.tmp", "h.exrs")
    found = walk(tmp_path)
    assert uris(found, tmp_path) == ["a.exr", "b.EXR", "c.Exr"]
    assert len(found) == 3


def test_hidden_places_are_passed_over_and_said(tmp_path: Path) -> None:
    tree(tmp_path, "a.exr", "._a.exr", ".exr", ".snapshot/1/a.exr", ".DS_Store", "d/.x/1.exr")
    found = walk(tmp_path)
    assert uris(found, tmp_path) == ["a.exr"]
    assert skipped(found, tmp_path) == dict.fromkeys(
        ["._a.exr", ".exr", ".snapshot", "d/.x"], "hidden"
    )


def test_a_hidden_root_is_walked(tmp_path: Path) -> None:
    tree(tmp_path, ".cache/a.exr")
    assert uris(walk(tmp_path / ".cache"), tmp_path) == [".cache/a.exr"]


def test_a_directory_named_like_a_file_is_walked(tmp_path: Path) -> None:
    found = walk(tree(tmp_path, "x.exr/y.exr"))
    assert uris(found, tmp_path) == ["x.exr/y.exr"]
    assert len(found) == 1


@pytest.mark.parametrize(
    "name", [b"\xff\xfe.exr", b"new\nline.exr", b" .exr", b"a\\b.exr", b"-.exr"]
)
def test_any_name_is_found_and_can_be_opened(tmp_path: Path, name: bytes) -> None:
    place = os.path.join(os.fsencode(tmp_path), b"d\xe9", name)
    os.mkdir(os.path.dirname(place))
    with open(place, "wb") as file:
        file.write(b"content")
    (ref,) = walk(tmp_path)
    assert isinstance(ref, FileRef)
    assert os.fsencode(ref.uri) == place
    with LocalSource([str(tmp_path)]).open(ref) as blob:
        assert blob.read(0, 7) == b"content"


def test_a_uri_is_absolute_and_symbolic_links_stay(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tree(tmp_path, "real/a.exr")
    (tmp_path / "link").symlink_to("real")
    monkeypatch.chdir(tmp_path)
    found = list(LocalSource(["link/../link/./"]).walk())
    assert [item.uri for item in found] == [str(tmp_path / "link/a.exr")]


def test_the_root_of_the_file_system_makes_no_double_slash() -> None:
    first = next(iter(LocalSource(["/"]).walk()))
    assert first.uri.startswith("/")
    assert not first.uri.startswith("//")


@pytest.mark.parametrize("root", ["", "a\0b"])
def test_what_can_be_no_path_is_refused(root: str) -> None:
    with pytest.raises(UsageError):
        LocalSource([root])


def test_a_file_is_yielded_before_the_rest_is_listed(tmp_path: Path) -> None:
    tree(tmp_path, "a.exr", "d/b.exr")
    found = LocalSource([str(tmp_path)]).walk()
    assert next(found).uri.endswith("a.exr")
    tree(tmp_path, "d/late.exr")
    assert uris(list(found), tmp_path) == ["d/b.exr", "d/late.exr"]


# --- roots ------------------------------------------------------------------------------------


def test_roots_below_or_beside_each_other_are_walked_once(tmp_path: Path) -> None:
    tree(tmp_path, "a/1.exr", "a/b/2.exr", "ab/3.exr")
    for roots in (["a", "a/b", "ab"], ["a/b", "a", "a", "a/b/../b", "ab"], ["ab", "a/b", "a/"]):
        found = list(LocalSource([str(tmp_path / root) for root in roots]).walk())
        assert sorted(uris(found, tmp_path)) == ["a/1.exr", "a/b/2.exr", "ab/3.exr"], roots
        assert len(found) == 3


def test_a_root_is_walked_even_where_the_outer_walk_would_pass_it_over(tmp_path: Path) -> None:
    tree(tmp_path, "1.exr", ".h/2.exr", "cache/3.exr", "frame.dat", ".4.exr", "real/5.exr")
    (tmp_path / "link").symlink_to("real")
    inner = [tmp_path / name for name in (".h", "cache", "frame.dat", ".4.exr", "link")]
    found = walk(tmp_path, *inner, exclude=["cache"])
    assert sorted(uris(found, tmp_path)) == [
        ".4.exr", ".h/2.exr", "1.exr", "cache/3.exr", "frame.dat", "link/5.exr", "real/5.exr",
    ]  # fmt: skip
    assert skipped(found, tmp_path) == {}


def test_a_named_file_may_have_any_name(tmp_path: Path) -> None:
    tree(tmp_path, "picture")
    assert uris(walk(tmp_path / "picture"), tmp_path) == ["picture"]


def test_roots_that_cannot_be_opened_are_told_and_the_others_walked(tmp_path: Path) -> None:
    tree(tmp_path, "here/a.exr")
    source = LocalSource([str(tmp_path / name) for name in ("gone", "here", "gone.exr")])
    problems = source.check_roots()
    assert [(f.uri, f.stage, f.code) for f in problems] == [
        (str(tmp_path / name), Stage.LIST, FailureCode.VANISHED) for name in ("gone", "gone.exr")
    ]
    assert all(f.uri in source.roots for f in problems)
    found = list(source.walk())
    assert failures(found) == problems
    assert uris(found, tmp_path) == ["here/a.exr"]


def test_roots_without_permission_are_told(locked: Path) -> None:
    roots = [str(locked / "locked"), str(locked / "z/secret.exr"), str(locked / "a")]
    with unprivileged():
        problems = LocalSource(roots).check_roots()
    assert [(f.uri, f.code, f.reason) for f in problems] == [
        (root, FailureCode.UNREADABLE, "Permission denied") for root in roots[:2]
    ]


def test_a_root_that_is_no_file_is_told(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (problem,) = LocalSource([str(tmp_path / "pipe")]).check_roots()
    assert problem.code is FailureCode.NOT_A_FILE


# --- links ------------------------------------------------------------------------------------


def test_a_linked_file_is_found_at_its_own_place(tmp_path: Path) -> None:
    tree(tmp_path, "d/real.dat")
    (tmp_path / "d/link.exr").symlink_to("real.dat")
    (ref,) = walk(tmp_path)
    assert ref == FileRef(
        str(tmp_path / "d/link.exr"), 1, (tmp_path / "d/real.dat").stat().st_mtime_ns
    )


def test_a_dangling_link_names_its_target(tmp_path: Path) -> None:
    (tmp_path / "a.exr").symlink_to("../old/a.exr")
    (tmp_path / "other").symlink_to("nowhere")
    (failure,) = walk(tmp_path)
    assert failure == Failure(
        str(tmp_path / "a.exr"),
        Stage.LIST,
        FailureCode.VANISHED,
        "symbolic link to ../old/a.exr, which does not exist",
    )


def test_a_link_to_itself_is_unreadable(tmp_path: Path) -> None:
    (tmp_path / "a.exr").symlink_to("a.exr")
    (failure,) = failures(walk(tmp_path))
    assert failure.code is FailureCode.UNREADABLE
    assert "symbolic links" in failure.reason


def test_linked_directories_are_passed_over_unless_followed(tmp_path: Path) -> None:
    tree(tmp_path, "real/a.exr")
    (tmp_path / "link").symlink_to("real")
    (tmp_path / "x.exr").symlink_to("real")
    found = walk(tmp_path)
    assert uris(found, tmp_path) == ["real/a.exr"]
    assert skipped(found, tmp_path) == dict.fromkeys(
        ["link", "x.exr"], "symbolic link to a directory"
    )
    found = walk(tmp_path, follow_symlinks=True)
    assert uris(found, tmp_path) == ["link/a.exr", "real/a.exr", "x.exr/a.exr"]
    assert len(found) == 3


def test_loops_of_links_end(tmp_path: Path) -> None:
    tree(tmp_path, "a/b/1.exr", "c/2.exr")
    (tmp_path / "a/b/up").symlink_to("../..")
    (tmp_path / "c/self").symlink_to(".")
    (tmp_path / "c/broken").symlink_to("broken")
    found = walk(tmp_path, follow_symlinks=True)
    assert uris(found, tmp_path) == ["a/b/1.exr", "c/2.exr"]
    assert skipped(found, tmp_path) == dict.fromkeys(["a/b/up", "c/self"], "symbolic link loop")
    (failure,) = failures(found)
    assert failure.uri == str(tmp_path / "c/broken")


# --- what cannot be read ----------------------------------------------------------------------


def test_what_is_no_file_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)  # the name of a socket must be short
    os.mkfifo(tmp_path / "pipe.exr")
    (tmp_path / "null.exr").symlink_to("/dev/null")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket.exr")
        found = walk(tmp_path)
    assert {Path(f.uri).name: (f.stage, f.code, f.reason) for f in failures(found)} == {
        name: (Stage.LIST, FailureCode.NOT_A_FILE, f"{kind}, not a regular file")
        for name, kind in (
            ("pipe.exr", "a named pipe"),
            ("null.exr", "a character device"),
            ("socket.exr", "a socket"),
        )
    }
    assert len(found) == 3


def test_a_directory_without_permission_does_not_stop_the_walk(locked: Path) -> None:
    with unprivileged():
        found = walk(locked)
    assert uris(found, locked) == ["a/1.exr", "z/3.exr", "z/secret.exr"]
    assert failures(found) == [
        Failure(str(locked / "locked"), Stage.LIST, FailureCode.UNREADABLE, "Permission denied")
    ]


def test_a_directory_that_may_be_listed_but_not_entered(locked: Path) -> None:
    (locked / "locked").chmod(0o444)
    with unprivileged():
        found = walk(locked / "locked")
    assert [(f.uri, f.code) for f in failures(found)] == [
        (str(locked / "locked/2.exr"), FailureCode.UNREADABLE)
    ]


def test_a_file_without_permission_cannot_be_opened(locked: Path) -> None:
    ref = FileRef(str(locked / "z/secret.exr"), 1, 0)
    with unprivileged(), pytest.raises(Unreadable) as caught:
        LocalSource([]).open(ref)
    assert (caught.value.code, caught.value.reason) == ("unreadable", "Permission denied")


def test_places_that_vanish_during_the_walk(tmp_path: Path) -> None:
    tree(tmp_path, "1.exr", "2.exr", "3.exr", "d/4.exr", "e/5.exr")
    found = LocalSource([str(tmp_path)]).walk()
    first = next(found)
    (tmp_path / "2.exr").unlink()
    (tmp_path / "d/4.exr").unlink()
    (tmp_path / "d").rmdir()
    rest = list(found)
    assert uris([first, *rest], tmp_path) == ["1.exr", "3.exr", "e/5.exr"]
    assert [(f.uri, f.code) for f in failures(rest)] == [
        (str(tmp_path / name), FailureCode.VANISHED) for name in ("2.exr", "d")
    ]


def test_directories_nested_deeper_than_recursion_and_paths_go(tmp_path: Path) -> None:
    """Python recurses 1000 deep, and a path has at most 4096 bytes."""
    here = os.open(tmp_path, os.O_RDONLY)
    try:
        for depth in range(2500):
            if depth in (0, 1500):
                os.close(os.open("a.exr", os.O_CREAT | os.O_WRONLY, dir_fd=here))
            os.mkdir("d", dir_fd=here)
            below = os.open("d", os.O_RDONLY, dir_fd=here)
            os.close(here)
            here = below
    finally:
        os.close(here)
    try:
        found = walk(tmp_path)
    finally:
        subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)
    assert uris(found, tmp_path) == ["a.exr", "d/" * 1500 + "a.exr"]
    (failure,) = failures(found)
    assert (failure.code, failure.reason) == (FailureCode.UNREADABLE, "File name too long")


# --- exclusion --------------------------------------------------------------------------------


EXCLUSIONS: list[tuple[list[str], list[str], list[str]]] = [
    (["*_tmp.exr"], ["a.exr", "d/a.exr", "d/e/a.exr", "e/a.exr"], ["d/e/x_tmp.exr", "x_tmp.exr"]),
    (["e/"], ["a.exr", "x_tmp.exr", "d/a.exr"], ["d/e", "e"]),
    (["/e"], ["a.exr", "x_tmp.exr", "d/a.exr", "d/e/a.exr", "d/e/x_tmp.exr"], ["e"]),
    (["d/**/a.exr"], ["a.exr", "x_tmp.exr", "d/e/x_tmp.exr", "e/a.exr"], ["d/a.exr", "d/e/a.exr"]),
    (["*.exr", "!x_*"], ["x_tmp.exr", "d/e/x_tmp.exr"],
     ["a.exr", "d/a.exr", "d/e/a.exr", "e/a.exr"]),
    (["d", "!d/a.exr"], ["a.exr", "x_tmp.exr", "e/a.exr"], ["d"]),
]  # fmt: skip


@pytest.mark.parametrize(("patterns", "kept", "passed_over"), EXCLUSIONS)
def test_patterns_mean_what_they_mean_to_git(
    tmp_path: Path, patterns: list[str], kept: list[str], passed_over: list[str]
) -> None:
    tree(tmp_path, "a.exr", "x_tmp.exr", "d/a.exr", "d/e/a.exr", "d/e/x_tmp.exr", "e/a.exr")
    found = walk(tmp_path, exclude=patterns)
    assert uris(found, tmp_path) == kept
    assert skipped(found, tmp_path) == dict.fromkeys(passed_over, "excluded")


@pytest.mark.parametrize(("patterns", "kept", "passed_over"), EXCLUSIONS)
def test_git_agrees(
    tmp_path: Path, patterns: list[str], kept: list[str], passed_over: list[str]
) -> None:
    tree(tmp_path, "a.exr", "x_tmp.exr", "d/a.exr", "d/e/a.exr", "d/e/x_tmp.exr", "e/a.exr")
    git = ["git", "-C", str(tmp_path)]
    try:
        subprocess.run([*git, "init", "-q"], check=True)
    except FileNotFoundError:
        pytest.skip("git is not installed")
    command = [*git, "ls-files", "--others", *(f"--exclude={pattern}" for pattern in patterns)]
    listed = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    assert sorted(listed.split()) == sorted(kept)


def test_patterns_start_at_each_root(tmp_path: Path) -> None:
    tree(tmp_path, "a/x/1.exr", "b/x/2.exr", "b/c/x/3.exr")
    found = walk(tmp_path / "a", tmp_path / "b", exclude=["/x"])
    assert uris(found, tmp_path) == ["b/c/x/3.exr"]


def test_a_named_file_is_excluded_by_its_name_and_a_named_directory_never(tmp_path: Path) -> None:
    tree(tmp_path, "tmp/a.exr", "tmp/b.exr")
    found = walk(tmp_path / "tmp", exclude=["tmp", "b.exr"])
    assert uris(found, tmp_path) == ["tmp/a.exr"]
    found = walk(tmp_path / "tmp/a.exr", tmp_path / "tmp/b.exr", exclude=["tmp", "b.exr"])
    assert uris(found, tmp_path) == ["tmp/a.exr"]
    assert skipped(found, tmp_path) == {"tmp/b.exr": "excluded"}


def test_undecodable_names_and_patterns_match(tmp_path: Path) -> None:
    for name in (b"\xff.exr", b"\xfe.exr"):
        with open(os.path.join(os.fsencode(tmp_path), name), "wb"):
            pass
    found = walk(tmp_path, exclude=[os.fsdecode(b"\xff*")])
    assert uris(found, tmp_path) == [os.fsdecode(b"\xfe.exr")]


def test_the_matcher_is_given_nothing_that_utf8_cannot_hold(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """pathspec's optional matchers encode what they get."""

    class Encoding(GitIgnoreSpec):
        def match_file(self, file: Any, *args: Any, **kwargs: Any) -> bool:
            return super().match_file(file.encode("utf-8").decode("utf-8"), *args, **kwargs)

    monkeypatch.setattr(exclude, "GitIgnoreSpec", Encoding)
    excluded = exclude.exclusion([os.fsdecode(b"\xff*")])
    assert excluded(os.fsdecode(b"d/\xff.exr"))
    assert not excluded(os.fsdecode(b"d/\xfe.exr"))


@pytest.mark.parametrize("pattern", ["", "#work", "!", "/"])
@pytest.mark.parametrize("make", [LocalSource, ListSource])
def test_a_pattern_without_meaning_is_refused(pattern: str, make: Callable[..., Source]) -> None:
    with pytest.raises(UsageError, match="matches nothing"):
        make([], exclude=["*.tmp", pattern])


# --- reading ----------------------------------------------------------------------------------


def test_a_pipe_put_in_place_of_a_file_is_refused_at_once(tmp_path: Path) -> None:
    tree(tmp_path, "a.exr")
    (ref,) = walk(tmp_path)
    assert isinstance(ref, FileRef)
    (tmp_path / "a.exr").unlink()
    os.mkfifo(tmp_path / "a.exr")
    with pytest.raises(Unreadable) as caught:
        LocalSource([]).open(ref)
    assert (caught.value.code, caught.value.reason) == (
        "not_a_file",
        "a named pipe, not a regular file",
    )


def test_sockets_and_directories_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("s.exr")
        for place in (tmp_path / "s.exr", tmp_path):
            with pytest.raises(Unreadable) as caught:
                LocalSource([]).open(FileRef(str(place), 0, 0))
            assert caught.value.code == "not_a_file"


def test_a_file_below_a_file_has_vanished(tmp_path: Path) -> None:
    tree(tmp_path, "a")
    with pytest.raises(Unreadable) as caught:
        LocalSource([]).open(FileRef(str(tmp_path / "a/b.exr"), 0, 0))
    assert caught.value.code == "vanished"


def test_refused_files_leave_no_descriptor_open(tmp_path: Path) -> None:
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(20):
        with pytest.raises(Unreadable):
            LocalSource([]).open(FileRef(str(tmp_path), 0, 0))
    tree(tmp_path, "a.exr")
    with LocalSource([]).open(FileRef(str(tmp_path / "a.exr"), 0, 0)):
        pass
    assert len(list(Path("/proc/self/fd").iterdir())) == before


def test_a_large_range_is_read_whole(tmp_path: Path) -> None:
    content = os.urandom(1 << 20) * 20
    (tmp_path / "a.exr").write_bytes(content)
    with LocalSource([]).open(FileRef(str(tmp_path / "a.exr"), 0, 0)) as blob:
        assert blob.read(3, 1 << 60) == content[3:]


def test_a_failing_read_is_unreadable() -> None:
    """The first page of a process is never mapped: reading it is an I/O error."""
    with LocalSource([]).open(FileRef("/proc/self/mem", 0, 0)) as blob:
        with pytest.raises(Unreadable) as caught:
            blob.read(0, 16)
        assert (caught.value.code, caught.value.reason) == ("unreadable", "Input/output error")


# --- lists ------------------------------------------------------------------------------------


def test_a_list_names_files_directories_and_what_is_gone(tmp_path: Path) -> None:
    tree(tmp_path, "one.dat", "d/1.exr", "d/e/2.exr", "d/no.tif")
    names = ["one.dat", "gone.exr", "d", "one.dat"]
    found = list(ListSource(str(tmp_path / name) for name in names).walk())
    assert uris(found, tmp_path) == ["one.dat", "d/1.exr", "d/e/2.exr", "one.dat"]
    assert [(f.uri, f.stage, f.code) for f in failures(found)] == [
        (str(tmp_path / "gone.exr"), Stage.LIST, FailureCode.VANISHED)
    ]


def test_a_list_is_taken_as_the_walk_goes_on(tmp_path: Path) -> None:
    tree(tmp_path, "a.exr")
    taken = 0

    def entries() -> Iterator[str]:
        nonlocal taken
        while True:
            taken += 1
            yield str(tmp_path / "a.exr")

    found = ListSource(entries()).walk()
    for count in range(1, 4):
        next(found)
        assert taken == count


def test_the_list_stays_behind_when_the_source_is_sent(tmp_path: Path) -> None:
    tree(tmp_path, "a.exr")
    sent = pickle.loads(pickle.dumps(ListSource(iter([str(tmp_path / "a.exr")]))))
    assert list(sent.walk()) == []
    with sent.open(FileRef(str(tmp_path / "a.exr"), 0, 0)) as blob:
        assert blob.read(0, 9) == b"x"


def test_a_local_source_walks_the_same_when_it_was_sent(tmp_path: Path) -> None:
    tree(tmp_path, "a.exr", "b.exr", "l/c.exr")
    source = LocalSource([str(tmp_path)], exclude=["b*"], follow_symlinks=True)
    assert list(pickle.loads(pickle.dumps(source)).walk()) == list(source.walk())


# --- what the walk leaves out on request ------------------------------------------------------


def test_passed_over_is_what_the_walk_does_not_come_by(tmp_path: Path) -> None:
    root = str(tmp_path)
    source = LocalSource([root], exclude=["cache/", "*.tmp.exr"])
    assert not source.passes_over(root)
    assert not source.passes_over(f"{root}/d/a.exr")
    assert source.passes_over(f"{root}/d/cache/a.exr")
    assert source.passes_over(f"{root}/a.tmp.exr")
    assert source.passes_over(f"{root}/.snapshot/a.exr")
    assert source.passes_over(f"{root}-other/a.exr")
    assert not LocalSource([root, f"{root}/.shown"]).passes_over(f"{root}/.shown/a.exr")
