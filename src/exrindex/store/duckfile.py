"""Opening a DuckDB file for one transaction, waiting for its lock, and naming what goes wrong.

DuckDB allows one process at a time: whoever has the file open for writing keeps all others out.
So nobody holds it longer than one transaction, and everybody waits for its turn.
"""

from __future__ import annotations

import errno
import os
import random
import signal
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from types import FrameType

import duckdb

from exrindex.errors import (
    ExrIndexError,
    SchemaMismatch,
    StoreConflict,
    StoreError,
    StoreLocked,
    StoreUnavailable,
    UsageError,
)

_FIRST_WAIT, _LONGEST_WAIT = 0.005, 0.1
# DuckDB would take most of the machine's memory as a cache; a scan runs beside a farm.
_WRITE_MEMORY = "256MB"
_NO_HARD_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)
_TURN = threading.Lock()
_SQL_HINT = "see docs/schema.md for tables and columns"

# Every class of duckdb's that it may raise → ours. The first match along the class's bases wins.
TRANSLATION: dict[type[duckdb.Error], type[ExrIndexError]] = {
    duckdb.ParserException: UsageError,
    duckdb.SyntaxException: UsageError,
    duckdb.BinderException: UsageError,
    duckdb.CatalogException: UsageError,
    duckdb.ConversionException: UsageError,
    duckdb.OutOfRangeException: UsageError,
    duckdb.TypeMismatchException: UsageError,
    duckdb.InvalidInputException: UsageError,
    duckdb.InvalidTypeException: UsageError,
    duckdb.NotImplementedException: UsageError,
    duckdb.PermissionException: UsageError,
    duckdb.ProgrammingError: UsageError,
    duckdb.TransactionException: StoreConflict,
    duckdb.ConstraintException: StoreConflict,
    duckdb.IntegrityError: StoreConflict,
    duckdb.ConnectionException: StoreUnavailable,
    duckdb.HTTPException: StoreUnavailable,
    duckdb.Error: StoreError,
}


def translate(error: duckdb.Error, path: Path | str, *, users_sql: bool = False) -> ExrIndexError:
    """Our name for a DuckDB error, with the file (or store) and what to do about it.

    An error in SQL is the user's only where the user wrote it; in ours it is the store's.
    """
    text = _first_line(error)
    # A commit that finds the disk full is reported as a failed transaction.
    if "No space left" in text or "File too large" in text:
        return StoreError(f"{path}: the disk is full: {text}; free space and run the command again")
    if isinstance(error, duckdb.IOException):
        return _translate_io(text, path)
    # Another thread still reads beside a writer that is done: over in a moment.
    if "different configuration" in text:
        return StoreLocked(f"{path}: another thread has it open")
    if isinstance(error, duckdb.OutOfMemoryException):
        return StoreError(f"{path}: DuckDB ran out of memory: {text}")
    kind = next(TRANSLATION[base] for base in type(error).__mro__ if base in TRANSLATION)
    if kind is UsageError and not users_sql:
        return StoreError(f"{path}: {text}")
    if kind is UsageError:
        return UsageError(f"{text}\n{_SQL_HINT}")
    return kind(f"{path}: {text}")


def _translate_io(text: str, path: Path | str) -> ExrIndexError:
    if "Could not set lock" in text:
        return StoreLocked(f"{path}: {text}")
    if "not a valid DuckDB database" in text:
        return SchemaMismatch(
            f"{path} is not a DuckDB database; name another file with --store, "
            "or move this one away"
        )
    if "version" in text and "DuckDB" in text:
        return SchemaMismatch(
            f"{path} was written by another version of DuckDB than the {duckdb.__version__} here: "
            f"{text}"
        )
    return StoreUnavailable(f"{path}: {text}")


def require_text(users_sql: str) -> None:
    """Refuse SQL that cannot be handed to DuckDB."""
    try:
        users_sql.encode()
    except UnicodeEncodeError as error:
        raise UsageError("the SQL is not UTF-8") from error


def require_single(connection: duckdb.DuckDBPyConnection, statement: str) -> None:
    """Refuse several statements in one text."""
    require_text(statement)
    statements = connection.extract_statements(statement)
    if len(statements) != 1:
        raise UsageError(f"one SQL statement is wanted, {len(statements)} were given")


def _first_line(error: duckdb.Error) -> str:
    return str(error).strip().partition("\n\n")[0]


@contextmanager
def interruptible(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Stop the query when a signal comes, then let the signal's handler raise.

    If a handler raises inside DuckDB, DuckDB raises an error of its own instead, or none at all.
    """
    came: list[int] = []
    handlers = _handlers()

    def stop(number: int, frame: FrameType | None) -> None:
        came.append(number)
        connection.interrupt()

    for number in handlers:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
        if came:
            handlers[came[0]](came[0], None)


def _handlers() -> dict[int, Callable[[int, FrameType | None], object]]:
    """What handles the signals that end a program; only the main thread may ask for them."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    found = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    return {number: handler for number, handler in found.items() if callable(handler)}


class DuckFile:
    """One DuckDB file; opened anew for every transaction."""

    def __init__(self, path: Path, wait_seconds: float) -> None:
        self.path = path
        self.wait_seconds = wait_seconds
        self._is_written = False
        self._writer_guard = threading.Lock()

    def exists(self) -> bool:
        try:
            mode = self.path.stat().st_mode
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError as error:
            raise StoreUnavailable(f"{self.path}: {error.strerror}") from error
        if not stat.S_ISREG(mode):
            # Opening a named pipe would wait for ever.
            raise StoreError(f"{self.path} is no regular file; name another one with --store")
        return True

    def make(self) -> None:
        """Put an empty database in place unless something is there: in one step.

        DuckDB writes a new file bit by bit: a process killed meanwhile would leave a file that
        is no database, and two that begin at once could overwrite each other's.
        """
        if self.exists():
            return
        log = self.path.with_name(self.path.name + ".wal")
        # Asked again: another process may have made the catalog and its log since.
        if log.exists() and not self.exists():
            raise StoreError(
                f"{log} belongs to a catalog that is gone: put {self.path.name} back beside it, "
                "or move it away, too"
            )
        try:
            with TemporaryDirectory(dir=self.path.parent, prefix=".exrindex-") as folder:
                fresh = Path(folder, "new.duckdb")
                duckdb.connect(fresh).close()
                os.link(fresh, self.path)
        except FileExistsError:
            return  # another process was first
        except duckdb.Error as error:
            raise translate(error, self.path) from error
        except OSError as error:
            if error.errno in _NO_HARD_LINKS:
                return  # opening it for writing makes it
            raise StoreUnavailable(f"{self.path}: {error.strerror}") from error

    @contextmanager
    def _turn(self, seconds: float) -> Iterator[None]:
        """Keep the other threads out: connections of one process would share their settings."""
        if not _TURN.acquire(timeout=seconds):
            raise StoreLocked(
                f"{self.path}: another thread of this scan waits for it or works on it; wait "
                "longer with EXRINDEX_LOCK_WAIT=SECONDS"
            )
        try:
            yield
        finally:
            _TURN.release()

    @contextmanager
    def reading(self, *, users_sql: bool = False) -> Iterator[duckdb.DuckDBPyConnection]:
        """A read-only connection that cannot reach other files either.

        While another thread writes it is one beside the writer's, which sees what is committed; but
        for the SQL of users, whose connection has to be locked.
        """
        beside = None if users_sql else self._wait_beside_writer()
        if beside is not None:
            with self._used(beside):
                yield beside
            return
        with self._turn(self.wait_seconds):
            connection = self._open(read_only=True)
            with self._used(connection, users_sql=users_sql):
                connection.execute("SET enable_external_access = false")
                connection.execute("SET lock_configuration = true")
                yield connection

    def _wait_beside_writer(self) -> duckdb.DuckDBPyConnection | None:
        """A connection beside the writer's; None once no other thread has its turn.

        A writer that waits for another process gives up by itself after ``wait_seconds``.
        """
        deadline = time.monotonic() + 2 * self.wait_seconds
        while _TURN.locked() and time.monotonic() < deadline:
            connection = self._beside_writer()
            if connection is not None:
                return connection
            time.sleep(_FIRST_WAIT)
        return None

    def _beside_writer(self) -> duckdb.DuckDBPyConnection | None:
        with self._writer_guard:
            if not self._is_written:
                return None
            # While it is open a further connection shares its database, settings and all.
            connection = duckdb.connect(self.path)
        connection.execute("SET TimeZone = 'UTC'")
        return connection

    @contextmanager
    def _used(
        self, connection: duckdb.DuckDBPyConnection, *, users_sql: bool = False
    ) -> Iterator[None]:
        """Errors by our names, signals heard, and the connection closed at the end."""
        try:
            with interruptible(connection):
                yield
        except duckdb.Error as error:
            raise translate(error, self.path, users_sql=users_sql) from error
        finally:
            connection.close()

    @contextmanager
    def writing(self, *, patient: bool = True) -> Iterator[duckdb.DuckDBPyConnection]:
        """A connection inside one transaction: committed at the end, rolled back on any error.

        Without ``patient`` it raises ``StoreLocked`` at once where another process is in.
        """
        with self._turn(self.wait_seconds if patient else 0):
            connection = self._open(read_only=False, patient=patient)
            # Closing without a commit rolls back.
            with self._used(connection), self._shared():
                connection.execute("BEGIN")
                yield connection
                connection.execute("COMMIT")

    @contextmanager
    def _shared(self) -> Iterator[None]:
        """Let other threads read beside the connection that is open."""
        with self._writer_guard:
            self._is_written = True
        try:
            yield
        finally:
            with self._writer_guard:
                self._is_written = False

    def _open(self, *, read_only: bool, patient: bool = True) -> duckdb.DuckDBPyConnection:
        """Open the file, waiting for other processes up to ``wait_seconds`` if ``patient``."""
        deadline = time.monotonic() + (self.wait_seconds if patient else 0)
        wait = _FIRST_WAIT
        while True:
            try:
                connection = duckdb.connect(self.path, read_only=read_only)
                break
            except duckdb.Error as error:
                translated = translate(error, self.path)
                if not isinstance(translated, StoreLocked):
                    raise translated from error
                if time.monotonic() >= deadline:
                    raise StoreLocked(
                        f"{translated}\nwaited {self.wait_seconds:g} s for it; try again when "
                        "that process is done, or wait longer with EXRINDEX_LOCK_WAIT=SECONDS"
                    ) from error
            time.sleep(random.uniform(wait / 2, wait))
            wait = min(wait * 2, _LONGEST_WAIT)
        connection.execute("SET TimeZone = 'UTC'")
        connection.execute("SET enable_progress_bar = false")
        if not read_only:
            connection.execute(f"SET memory_limit = '{_WRITE_MEMORY}'")
        return connection
