"""The application: global options, and the commands it is made of."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from exrindex import __version__
from exrindex.cli import copy, doctor, inspect, query, scan, schema, status
from exrindex.cli.context import Context

# Rich draws help and errors; tracebacks are for programmers and stay plain.
app = typer.Typer(
    name="exrindex",
    help="Index OpenEXR headers into a database, and ask it questions.",
    no_args_is_help=True,
    add_completion=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        print(f"exrindex {__version__}")
        raise typer.Exit


@app.callback()
def options(
    context: typer.Context,
    store: Annotated[
        str | None,
        typer.Option(
            "--store",
            metavar="URL",
            help="duckdb:///abs/path.duckdb, a path ending in .duckdb, or vast://BUCKET/SCHEMA. "
            "Default: EXRINDEX_STORE, else VAST if VAST_DB_ENDPOINT is set, else the catalog in "
            "your data directory.",
            show_default=False,
        ),
    ] = None,
    profile: Annotated[
        str | None,
        typer.Option(
            "--profile",
            metavar="NAME",
            help="Reach VAST as [profiles.NAME] in the settings file says.",
            show_default=False,
        ),
    ] = None,
    config: Annotated[
        Path | None,
        typer.Option("--config", metavar="FILE", help="Settings file.", show_default=False),
    ] = None,
    verbose: Annotated[bool, typer.Option("-v", "--verbose", help="Say more.")] = False,
    quiet: Annotated[bool, typer.Option("-q", "--quiet", help="Say only what is wrong.")] = False,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version and exit."
        ),
    ] = False,
) -> None:
    """Index OpenEXR headers into a database, and ask it questions."""
    context.obj = Context(store, profile, config, verbose, quiet)


# The commands' modules are small: what a command needs to run, it imports when it runs.
app.command("scan")(scan.scan)
app.command("inspect")(inspect.inspect)
app.command("status")(status.status)
app.command("copy")(copy.copy)
app.command("doctor")(doctor.doctor)
app.add_typer(schema.app, name="schema")
app.add_typer(query.app, name="query")
