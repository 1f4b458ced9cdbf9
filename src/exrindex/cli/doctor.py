"""``exrindex doctor``."""

from __future__ import annotations

import platform
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated

import typer

from exrindex import __version__
from exrindex.cli.context import AsJson, context_of
from exrindex.errors import ExrIndexError, SettingsError

if TYPE_CHECKING:
    from exrindex.cli.context import Context
    from exrindex.store.base import Finding


def doctor(
    context: typer.Context,
    write: Annotated[
        bool,
        typer.Option(
            "--write", help="Also try what needs a table: on VAST one in a schema of its own."
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Look whether settings, network, store and tables are as they should be.

    Ends with the exit code of the first thing that is not.
    """
    from exrindex.cli.output import print_json, visible

    code = 0
    documents = []
    for finding in _findings(context_of(context), write=write):
        code = code or finding.exit_code
        if as_json:
            documents.append(finding._asdict())
            continue
        print(visible(f"{finding.level:5} {finding.what:12} {finding.text}"), flush=True)
        if finding.remedy:
            print(visible(f"{'':18} what to do: {finding.remedy}"), flush=True)
    if as_json:
        print_json(documents)
    if code:
        raise typer.Exit(code)


def _findings(ours: Context, *, write: bool) -> Iterator[Finding]:
    """From what is installed to what is in the store, as far as it goes."""
    from exrindex.access import shown_url
    from exrindex.store.base import Finding, Level

    yield Finding(
        "version", Level.OK, f"exrindex {__version__}, Python {platform.python_version()}"
    )
    try:
        settings = ours.settings
        source = "nothing else is set" if settings.store_from == "default" else settings.store_from
        yield Finding("settings", Level.OK, f"{shown_url(settings.store)}, from {source}")
        store = ours.store_at(settings.store)
    except SettingsError as error:
        where = "the settings file, VAST_DB_... or --store; see docs/cli.md"
        yield Finding("settings", Level.BAD, str(error), where, error.exit_code)
        return
    except ExrIndexError as error:
        yield Finding("store", Level.BAD, str(error), "", error.exit_code)
        return
    yield from store.examine(write=write)
