"""What every command is given: the global options, and what follows from them."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from exrindex.settings import Settings
    from exrindex.store.base import Store

# The option of every command whose answer a program may want to read.
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON on stdout.")]


@dataclass
class Context:
    """What every command is given: the global options, and what follows from them."""

    store_flag: str | None
    profile: str | None
    config: Path | None
    verbose: bool
    quiet: bool

    @cached_property
    def settings(self) -> Settings:
        from exrindex.settings import load_settings

        return load_settings(
            os.environ, config=self.config, store=self.store_flag, profile=self.profile
        )

    def open_store(self) -> Store:
        """The store of the settings; says which on stderr unless the user named it."""
        settings = self.settings
        store = self.store_at(settings.store)
        if settings.store_from != "--store":
            source = "" if settings.store_from == "default" else f", from {settings.store_from}"
            hint = "; choose another with --store" if settings.store_from == "default" else ""
            self.say(f"store: {settings.store}{source}{hint}")
        return store

    def store_at(self, url: str) -> Store:
        """The store at a URL."""
        from exrindex.store import open_store

        access = self.settings.access(url, os.environ)
        if access is not None and access.verify is not True:
            # What is set for VAST goes before what is set for everything that speaks HTTPS.
            for variable in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
                os.environ.pop(variable, None)
            if isinstance(access.verify, str):
                os.environ["SSL_CERT_FILE"] = access.verify  # where the ADBC driver looks
        return open_store(url, lock_wait=self.settings.lock_wait, access=access, tell=self.say)

    def say(self, message: str) -> None:
        """Tell the person at the terminal something, unless they asked for quiet."""
        if not self.quiet:
            print(message, file=sys.stderr)

    def warn(self, message: str) -> None:
        """Tell even those who asked for quiet."""
        print(f"exrindex: {message}", file=sys.stderr)


def context_of(typer_context: typer.Context) -> Context:
    """The ``Context`` of a command."""
    context = typer_context.obj
    assert isinstance(context, Context)
    return context
