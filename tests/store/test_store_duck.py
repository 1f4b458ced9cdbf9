from __future__ import annotations

import datetime as dt
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import duckdb
import pytest

from exrindex.errors import (
    ExrIndexError,
    Interrupted,
    SchemaMismatch,
    StoreConflict,
    StoreError,
    StoreLocked,
    StoreUnavailable,
    UsageError,
)
from exrindex.store.base import SchemaState, Store
from exrindex.store.duck import DuckStore
from exrindex.store.duckfile import DuckFile, translate
from exrindex.tables import TABLES
from privileges import unprivileged
from store.contract import A, StoreContract
from trees import batch_of, catalog, duck, frame, multipart, rows

NOW = dt.datetime(2026, 3, 1, tzinfo=dt.UTC)


class TestDuckStore(StoreContract):
    @pytest.fixture(autouse=True)
    def _folder(self, tmp_path: Path) -> None:
        self.folder = tmp_path

    def make_store(self) -> Store:
        return duck(self.folder / f"{len(list(self.folder.iterdir()))}.duckdb")


def execute(path: Path, *statements: str) -> None:
    with duckdb.connect(path) as connection:
        for statement in statements:
            connection.execute(statement)


def filled(path: Path) -> DuckStore:
    store = catalog(path)
    store.upsert(batch_of({"/d/a.exr": A, "/d/m.exr": multipart()}, NOW))
    return store


# --- whose tables they are --------------------------------------------------------------------


def test_a_database_of_something_else_is_foreign(tmp_path: Path) -> None:
    path = tmp_path / "foreign.duckdb"
    execute(path, "CREATE TABLE orders (i INTEGER)", "INSERT INTO orders VALUES (7)")
    store = duck(path)
    assert store.state() is SchemaState.FOREIGN
    with pytest.raises(SchemaMismatch, match="something else") as caught:
        store.require()
    assert str(path) in str(caught.value)
    assert store.create() is True
    assert store.state() is SchemaState.READY
    assert rows(store, "SELECT i FROM orders") == [(7,)]


DEFECTS = {
    "ALTER TABLE stored.files DROP shot": "stored.files.shot is missing",
    "ALTER TABLE parts ALTER tile_x_size TYPE VARCHAR": "parts.tile_x_size is VARCHAR",
    "ALTER TABLE stored.embeddings ALTER vector TYPE FLOAT[]": "stored.embeddings.vector is FLOAT",
    "DROP VIEW files; CREATE TABLE files AS FROM stored.files": "files is a table instead of",
    "COMMENT ON TABLE scans IS 'exrindex schema 99'": "'exrindex schema 99'",
    "COMMENT ON TABLE stored.files IS NULL": "table stored.files says None",
}


@pytest.mark.parametrize(("statement", "message"), DEFECTS.items(), ids=list(DEFECTS.values()))
def test_other_tables_are_refused_by_name(tmp_path: Path, statement: str, message: str) -> None:
    store = catalog(tmp_path / "c.duckdb")
    execute(tmp_path / "c.duckdb", statement)
    content = (tmp_path / "c.duckdb").read_bytes()
    assert store.state() is SchemaState.INCOMPATIBLE
    for refused in (store.require, store.create):
        with pytest.raises(SchemaMismatch) as caught:
            refused()
        assert message in str(caught.value)
        assert str(tmp_path / "c.duckdb") in str(caught.value)
        assert "--store" in str(caught.value)
        assert caught.value.exit_code == 5
    (problem,) = store.check()
    assert message in problem.what
    assert "another file" in problem.remedy
    assert (tmp_path / "c.duckdb").read_bytes() == content


def test_views_of_others_are_left_alone(tmp_path: Path) -> None:
    """They were replaced without a word."""
    path = tmp_path / "c.duckdb"
    execute(path, "CREATE TABLE t AS SELECT 1 AS a", "CREATE VIEW files AS SELECT a FROM t")
    store = duck(path)
    assert store.state() is SchemaState.INCOMPATIBLE
    for refused in (store.require, store.create):
        with pytest.raises(SchemaMismatch, match="view files says None"):
            refused()
    assert rows(store, "SELECT a FROM files") == [(1,)]


def test_a_missing_view_is_made_again(tmp_path: Path) -> None:
    store = filled(tmp_path / "c.duckdb")
    execute(tmp_path / "c.duckdb", "DROP VIEW files")
    (problem,) = store.check()
    assert problem.remedy == "exrindex schema create"
    assert store.create() is True
    assert store.check() == []
    assert rows(store, "SELECT count(*) FROM files") == [(2,)]


def test_a_missing_table_is_made_as_the_remedy_says(tmp_path: Path) -> None:
    store = catalog(tmp_path / "c.duckdb")
    execute(tmp_path / "c.duckdb", "DROP TABLE failures")
    assert store.state() is SchemaState.INCOMPATIBLE
    (problem,) = store.check()
    assert "failures" in problem.what
    assert problem.remedy == "exrindex schema create"
    assert store.create() is True
    assert store.check() == []


def test_each_vector_stands_once(tmp_path: Path) -> None:
    """Frames share them; it is most of the bytes of a row."""
    store = catalog(tmp_path / "c.duckdb")
    frames = {f"/d/{name}.{n:04d}.exr": frame() for name in "ab" for n in range(5)}
    store.upsert(batch_of(frames, NOW))
    store.upsert(batch_of({"/e/a.exr": frame(), "/e/m.exr": multipart()}, NOW))
    both = "SELECT channel_fingerprint v FROM files UNION SELECT channel_fingerprint FROM channels"
    for vectors, used in (
        ("stored.embeddings", "SELECT DISTINCT metadata_embedding v FROM files"),
        ("stored.fingerprints", f"SELECT v FROM ({both}) WHERE v IS NOT NULL"),
    ):
        kept = rows(store, f"SELECT count(*), count(DISTINCT vector) FROM {vectors}")
        wanted = rows(store, f"SELECT count(*) AS a, count(*) AS b FROM ({used})")
        assert kept == wanted != [(0, 0)]
    assert rows(store, "SELECT count(*) FROM files WHERE metadata_embedding IS NULL") == [(0,)]


# --- check ------------------------------------------------------------------------------------

SEEDED = {
    "INSERT INTO stored.files SELECT * REPLACE (uuid() AS file_id) FROM stored.files":
    "same header twice",
    "INSERT INTO stored.files SELECT * REPLACE (uuid() AS file_id, 'x' AS header_hash)"
    " FROM stored.files WHERE file_path = '/d/m.exr'": "two live headers",
    "DELETE FROM stored.files WHERE file_path = '/d/m.exr'": "belong to no file",
    "DELETE FROM parts WHERE part_index = 1": "as many parts or channels",
    "DELETE FROM stored.channels WHERE channel_name = 'Z'": "as many parts or channels",
    "INSERT INTO attributes SELECT * FROM attributes": "ids in attributes stand twice",
    "UPDATE attributes SET file_id = uuid()": "rows of attributes belong to no file",
    "UPDATE stored.embeddings SET vector ="
    " list_transform(vector::FLOAT[], lambda x: x * 2)::FLOAT[384]":
    "files.metadata_embedding are not of unit length",
    "UPDATE stored.fingerprints SET vector = list_value("
    + ", ".join(["'nan'::FLOAT"] * 128)
    + ")::FLOAT[128]": "files.channel_fingerprint are not of unit length",
    "UPDATE stored.channels SET channel_fingerprint_id = NULL": "lack the fingerprint",
    "DELETE FROM stored.fingerprints": "lack the fingerprint",
    "UPDATE stored.files SET embedding_version = 'old'": "another version than exr-hdr-1",
    "UPDATE stored.files SET schema_version = 0": "another schema version",
}  # fmt: skip


@pytest.mark.parametrize(("statement", "message"), SEEDED.items(), ids=list(SEEDED.values()))
def test_check_finds_what_was_seeded(tmp_path: Path, statement: str, message: str) -> None:
    store = filled(tmp_path / "c.duckdb")
    execute(tmp_path / "c.duckdb", statement)
    problems = store.check()
    assert [problem for problem in problems if message in problem.what]
    assert all("another file" in problem.remedy for problem in problems)


# --- what is no catalog -----------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 100, 12_288, 500_000])
def test_a_file_of_something_else_is_left_alone(tmp_path: Path, size: int) -> None:
    path = tmp_path / "c.duckdb"
    path.write_bytes(b"p" * size)
    for ask in (duck(path).state, duck(path).create, duck(path).require):
        with pytest.raises(SchemaMismatch, match="not a DuckDB database") as caught:
            ask()
        assert str(path) in str(caught.value)
    assert path.read_bytes() == b"p" * size


def test_a_cut_catalog_is_an_error_of_the_store(tmp_path: Path) -> None:
    store = filled(tmp_path / "c.duckdb")
    os.truncate(tmp_path / "c.duckdb", 9000)
    with pytest.raises(StoreError, match=r"c\.duckdb"):
        store.row_counts()


def test_a_directory_is_no_catalog(tmp_path: Path) -> None:
    path = tmp_path / "c.duckdb"
    path.mkdir()
    for ask in (duck(path).state, duck(path).create):
        with pytest.raises(StoreError, match="directory") as caught:
            ask()
        assert caught.value.exit_code == 5


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    store = duck(tmp_path / "no" / "c.duckdb")
    assert store.state() is SchemaState.NEW
    with pytest.raises(StoreError, match=r"/no is not a directory;"):
        store.create()
    assert list(tmp_path.iterdir()) == []


def test_a_read_only_catalog_can_be_asked_but_not_written(public: Path) -> None:
    filled(public / "c.duckdb")
    (public / "c.duckdb").chmod(0o444)
    public.chmod(0o555)
    content = (public / "c.duckdb").read_bytes()
    with unprivileged():
        store = duck(public / "c.duckdb")
        assert store.row_counts()["files"] == 2
        with pytest.raises(StoreUnavailable, match="Permission denied") as caught:
            store.upsert(batch_of({"/d/b.exr": A}, NOW))
        assert caught.value.exit_code == 5
        assert str(public / "c.duckdb") in str(caught.value)
        with pytest.raises(StoreUnavailable, match="Permission denied"):
            duck(public / "new.duckdb").create()
    assert (public / "c.duckdb").read_bytes() == content
    assert [path.name for path in public.iterdir()] == ["c.duckdb"]


def test_a_folder_that_may_not_be_entered(public: Path) -> None:
    (public / "closed").mkdir(mode=0o700)
    with unprivileged():
        for ask in (
            duck(public / "closed/c.duckdb").state,
            duck(public / "closed/c.duckdb").create,
        ):
            with pytest.raises(StoreUnavailable, match="Permission denied"):
                ask()


# --- making the file --------------------------------------------------------------------------


def test_creation_is_one_step(tmp_path: Path) -> None:
    """Whoever looks sees no file or a whole database, however often creation is killed."""
    code = (
        "import sys; from trees import duck; from pathlib import Path\n"
        "store = duck(Path(sys.argv[1])); print(flush=True); store.create()"
    )
    for number in range(6):
        path = tmp_path / str(number) / "c.duckdb"
        path.parent.mkdir()
        with python(code, str(path)) as process:
            assert process.stdout is not None
            process.stdout.readline()
            while process.poll() is None and not any(path.parent.iterdir()):
                pass
            time.sleep(number * 0.003)
            process.kill()
        assert duck(path).state() in (SchemaState.NEW, SchemaState.READY)
        duck(path).create()
        assert duck(path).check() == []


def test_no_catalog_is_made_beside_the_log_of_another(tmp_path: Path) -> None:
    log = tmp_path / "c.duckdb.wal"
    log.write_bytes(b"committed rows")
    with pytest.raises(StoreError, match=r"c\.duckdb\.wal belongs to a catalog that is gone"):
        duck(tmp_path / "c.duckdb").create()
    assert [path.name for path in tmp_path.iterdir()] == [log.name]


def test_where_no_hard_links_are_duckdb_makes_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*paths: object) -> None:
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    assert duck(tmp_path / "c.duckdb").create() is True
    assert [path.name for path in tmp_path.iterdir()] == ["c.duckdb"]


# --- a full disk ------------------------------------------------------------------------------


@pytest.mark.parametrize("room", [0, 50_000, 400_000])
def test_a_full_disk_loses_nothing(tmp_path: Path, room: int) -> None:
    """The limit on the size of files stands in for the end of the disk."""
    store = filled(tmp_path / "c.duckdb")
    before = store.row_counts()
    code = (
        "import sys, resource, datetime as dt; from pathlib import Path\n"
        "from trees import batch_of, duck, frame\n"
        "from exrindex.errors import StoreError\n"
        "store = duck(Path(sys.argv[1])); limit = int(sys.argv[2])\n"
        "files = {f'/n/{n}.exr': frame(f'{n}', comment='x' * 3000) for n in range(200)}\n"
        "batch = batch_of(files, dt.datetime.now(dt.UTC))\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))\n"
        "try:\n    store.upsert(batch)\n"
        "except StoreError as error:\n    print(error); sys.exit(error.exit_code)\n"
    )
    limit = (tmp_path / "c.duckdb").stat().st_size + room
    with python(code, str(tmp_path / "c.duckdb"), str(limit)) as process:
        output = process.communicate()[0]
    assert process.returncode == 5, output
    assert "the disk is full" in output
    assert str(tmp_path / "c.duckdb") in output
    assert store.row_counts() == before
    assert store.check() == []
    assert store.upsert(batch_of({"/n/1.exr": frame("1")}, NOW)).inserted == 1


# --- many processes ---------------------------------------------------------------------------


def test_waiting_for_the_lock_ends_with_the_holders_number(tmp_path: Path) -> None:
    store = filled(tmp_path / "c.duckdb")
    with holder(tmp_path / "c.duckdb") as process:
        for ask in (store.row_counts, lambda: store.upsert(batch_of({}, NOW))):
            impatient = duck(tmp_path / "c.duckdb", wait=0.2)
            began = time.monotonic()
            with pytest.raises(StoreLocked) as caught:
                (impatient.row_counts if ask is store.row_counts else impatient.create)()
            assert 0.2 <= time.monotonic() - began < 5
            assert f"PID {process.pid}" in str(caught.value)
            assert "waited 0.2 s" in str(caught.value)
            assert caught.value.exit_code == 5
    assert store.row_counts()["files"] == 2


def test_who_waits_gets_its_turn(tmp_path: Path) -> None:
    filled(tmp_path / "c.duckdb")
    with holder(tmp_path / "c.duckdb") as process:
        threading.Timer(0.5, process.kill).start()
        assert duck(tmp_path / "c.duckdb", wait=20).row_counts()["files"] == 2


def test_a_reader_does_not_give_up_behind_a_writer_of_its_own(tmp_path: Path) -> None:
    """The writer waits for another process first: together longer than a single wait may be."""
    filled(tmp_path / "c.duckdb")
    store = duck(tmp_path / "c.duckdb", wait=2.0)
    file = store._file
    inside, leave = threading.Event(), threading.Event()

    def write() -> None:
        with file.writing():
            inside.set()
            leave.wait(timeout=20)

    with holder(tmp_path / "c.duckdb") as other, ThreadPoolExecutor(2) as pool:
        writer = pool.submit(write)
        time.sleep(0.3)
        reader = pool.submit(store.known, ["/d"])
        time.sleep(0.7)
        other.kill()
        assert inside.wait(timeout=10)
        assert reader.result(timeout=10).num_rows == 2
        leave.set()
        writer.result(timeout=10)


def test_who_is_not_patient_waits_for_no_thread_either(tmp_path: Path) -> None:
    """An interrupted scan records its end if it can, and leaves."""
    store = filled(tmp_path / "c.duckdb")
    file = store._file
    with file.writing(), ThreadPoolExecutor(1) as pool:

        def enter() -> None:
            with file.writing(patient=False):
                pass

        with pytest.raises(StoreLocked):
            pool.submit(enter).result(timeout=5)


def test_readers_do_not_keep_each_other_out(tmp_path: Path) -> None:
    filled(tmp_path / "c.duckdb")
    with holder(tmp_path / "c.duckdb", read_only=True):
        assert duck(tmp_path / "c.duckdb", wait=0.0).row_counts()["files"] == 2


@contextmanager
def holder(path: Path, *, read_only: bool = False) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the catalog open."""
    code = (
        "import sys, time, duckdb\n"
        f"connection = duckdb.connect(sys.argv[1], read_only={read_only})\n"
        "print('held', flush=True); time.sleep(60)"
    )
    with python(code, str(path)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


@contextmanager
def python(code: str, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    path = os.pathsep.join(part for part in sys.path if part)
    with subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    ) as process:
        yield process


# --- interruption -----------------------------------------------------------------------------

ENDLESS = "SELECT count(*) FROM range(1000000000) a, range(1000) b WHERE hash(a.range, b.range) = 1"


@pytest.mark.parametrize("writing", [False, True])
def test_a_signal_during_a_query_interrupts(tmp_path: Path, writing: bool) -> None:
    """DuckDB swallows what a handler raises, or raises an error of its own in its place."""
    store = filled(tmp_path / "c.duckdb")
    before = store.row_counts()
    file = DuckFile(tmp_path / "c.duckdb", 1.0)

    def write() -> None:
        with file.writing() as connection:
            connection.execute("DELETE FROM stored.files")
            connection.execute(f"CREATE TABLE endless AS {ENDLESS}")

    with signals_interrupt(), pytest.raises(Interrupted):
        write() if writing else store.sql(ENDLESS)
    assert store.row_counts() == before


@contextmanager
def signals_interrupt() -> Iterator[None]:
    """Send SIGINT twice a second, as people do: one that comes before the query is lost."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise Interrupted(130)

    old = signal.signal(signal.SIGINT, interrupt)
    done = threading.Event()

    def send() -> None:
        while not done.wait(0.5):
            os.kill(os.getpid(), signal.SIGINT)

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield
    finally:
        done.set()
        sender.join()
        signal.signal(signal.SIGINT, old)


# --- errors by name ---------------------------------------------------------------------------

# Every exception class of DuckDB's → ours, in our own statements and in a user's.
MAPPED: dict[str, tuple[type[ExrIndexError], type[ExrIndexError]]] = {
    "Error": (StoreError, StoreError),
    "DatabaseError": (StoreError, StoreError),
    "DataError": (StoreError, StoreError),
    "DependencyException": (StoreError, StoreError),
    "FatalException": (StoreError, StoreError),
    "InternalError": (StoreError, StoreError),
    "InternalException": (StoreError, StoreError),
    "InterruptException": (StoreError, StoreError),
    "NotSupportedError": (StoreError, StoreError),
    "OperationalError": (StoreError, StoreError),
    "OutOfMemoryException": (StoreError, StoreError),
    "ResourceInUseException": (StoreError, StoreError),
    "SequenceException": (StoreError, StoreError),
    "SerializationException": (StoreError, StoreError),
    "IOException": (StoreUnavailable, StoreUnavailable),
    "HTTPException": (StoreUnavailable, StoreUnavailable),
    "ConnectionException": (StoreUnavailable, StoreUnavailable),
    "ConstraintException": (StoreConflict, StoreConflict),
    "IntegrityError": (StoreConflict, StoreConflict),
    "TransactionException": (StoreConflict, StoreConflict),
    "BinderException": (StoreError, UsageError),
    "CatalogException": (StoreError, UsageError),
    "ConversionException": (StoreError, UsageError),
    "InvalidInputException": (StoreError, UsageError),
    "InvalidTypeException": (StoreError, UsageError),
    "NotImplementedException": (StoreError, UsageError),
    "OutOfRangeException": (StoreError, UsageError),
    "ParserException": (StoreError, UsageError),
    "PermissionException": (StoreError, UsageError),
    "ProgrammingError": (StoreError, UsageError),
    "SyntaxException": (StoreError, UsageError),
    "TypeMismatchException": (StoreError, UsageError),
}


def test_every_error_of_duckdb_has_a_name_of_ours() -> None:
    theirs = {
        name
        for name, value in vars(duckdb).items()
        if isinstance(value, type) and issubclass(value, Exception) and name != "Warning"
    }
    assert theirs - MAPPED.keys() == set(), "decide what these mean, in TRANSLATION and here"


@pytest.mark.parametrize("name", MAPPED)
def test_errors_are_translated(name: str) -> None:
    theirs = getattr(duckdb, name, None)
    if theirs is None:
        pytest.skip("this release of DuckDB has no such class")
    for users_sql, ours in zip((False, True), MAPPED[name], strict=True):
        error = translate(theirs("what went wrong"), Path("/c.duckdb"), users_sql=users_sql)
        assert type(error) is ours
        assert "what went wrong" in str(error)
        assert ours is UsageError or "/c.duckdb" in str(error)


@pytest.mark.parametrize(
    "kind", [duckdb.IOException, duckdb.TransactionException, duckdb.FatalException]
)
@pytest.mark.parametrize("text", ["No space left on device", "File too large"])
def test_a_full_disk_is_told_whatever_the_class(kind: type[duckdb.Error], text: str) -> None:
    error = translate(kind(f"Failed to commit: {text}"), Path("/c.duckdb"))
    assert type(error) is StoreError
    assert "the disk is full" in str(error)


def test_the_sql_door_reaches_no_other_file(tmp_path: Path) -> None:
    store = catalog(tmp_path / "c.duckdb")
    (tmp_path / "secret.csv").write_text("a\n1\n")
    execute(tmp_path / "other.duckdb", "CREATE TABLE t (i INTEGER)")
    for statement in (
        f"SELECT * FROM '{tmp_path}/secret.csv'",
        f"SELECT * FROM read_text('{tmp_path}/secret.csv')",
        f"SELECT * FROM glob('{tmp_path}/*')",
        f"COPY files TO '{tmp_path}/out.csv'",
        f"EXPORT DATABASE '{tmp_path}/out'",
        f"ATTACH '{tmp_path}/other.duckdb'",
        "SET enable_external_access = true",
        "SET threads = 1",
        "INSTALL httpfs",
        "SELECT * FROM store",
        "SELECT * FROM TABLES",
    ):
        with pytest.raises(UsageError):
            store.sql(statement)
    assert {path.name for path in tmp_path.iterdir()} == {"c.duckdb", "secret.csv", "other.duckdb"}
    assert set(TABLES) == {str(name) for (name,) in rows(store, "SHOW TABLES")}


def test_a_limit_on_files_is_set_in_the_subprocess_only() -> None:
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
