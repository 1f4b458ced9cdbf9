"""The command line. Importing this loads no database, no Arrow and no EXR library."""

from __future__ import annotations

import errno
import os
import signal
import sys
from contextlib import suppress
from types import FrameType

from exrindex.cli.app import app
from exrindex.errors import ExrIndexError, Interrupted, SourceError

__all__ = ["app", "main"]


_OUTPUT_ERRORS = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)


def main() -> None:
    """Run the command of ``sys.argv`` and exit with its code."""
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
    # Started without standard streams (2>&-), a program has None in their place.
    sys.stdout = sys.stdout or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    sys.stderr = sys.stderr or open(os.devnull, "w", encoding="utf-8")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        # A name that the terminal's encoding cannot show must not end the program.
        stream.reconfigure(errors="backslashreplace")  # type: ignore[union-attr]
    sys.exit(_run())


def _run() -> int:
    try:
        code = _run_command()
        sys.stdout.flush()
    except ExrIndexError as error:
        from exrindex.cli.output import message

        print(f"exrindex: {message(error)}", file=sys.stderr)
        return error.exit_code
    except Interrupted as interruption:
        print("exrindex: interrupted", file=sys.stderr)
        return interruption.exit_code
    except BrokenPipeError:
        _drop_output()
        return 128 + signal.SIGPIPE
    except OSError as error:
        return _failed_outside(error)
    return code


def _failed_outside(error: OSError) -> int:
    """What no room has a name for: the output cannot be written, the current directory is gone."""
    if error.filename is None and error.errno == errno.ENOENT:
        print("exrindex: the current directory is gone; change to another", file=sys.stderr)
        return SourceError.exit_code
    if error.filename is not None or error.errno not in _OUTPUT_ERRORS:
        raise error
    _drop_output()
    with suppress(OSError):
        print(f"exrindex: cannot write the output: {error.strerror}", file=sys.stderr)
    return os.EX_IOERR


def _drop_output() -> None:
    """Let nothing more be written: Python would fail again when it flushes at exit."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _run_command() -> int:
    try:
        app(prog_name="exrindex")
    except SystemExit as leaving:
        # Typer makes an exit with code 1 of a closed pipe; ours has a code of its own.
        if isinstance(leaving.__context__, BrokenPipeError):
            raise leaving.__context__ from None
        return leaving.code if isinstance(leaving.code, int) else 1
    return 0


def _interrupt(number: int, frame: FrameType | None) -> None:
    """Leave in order; a second signal ends the process at once, whatever it is waiting for."""
    for handled in (signal.SIGINT, signal.SIGTERM):
        signal.signal(handled, signal.SIG_DFL)
    raise Interrupted(128 + number)
