"""The command line. Importing this loads no database, no Arrow and no EXR library."""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

from exrindex.cli.app import app
from exrindex.errors import ExrIndexError, Interrupted

__all__ = ["app", "main"]


def main() -> None:
    """Run the command of ``sys.argv`` and exit with its code."""
    signal.signal(signal.SIGINT, _interrupt)
    signal.signal(signal.SIGTERM, _interrupt)
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
        # Whoever read our output has gone. Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + signal.SIGPIPE
    return code


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
