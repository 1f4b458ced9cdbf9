"""``exrindex inspect``."""

from __future__ import annotations

import os
from typing import Annotated

import typer

from exrindex.cli.context import AsJson


def inspect(
    files: Annotated[list[str], typer.Argument(metavar="FILE", help="EXR files.")],
    as_json: AsJson = False,
) -> None:
    """Show headers: parts, channels, attributes, integrity. Needs no store, reads no pixels.

    Exit code 4 if a file cannot be read, 1 if one is half rendered or cut off.
    """
    from exrindex.cli.output import print_json
    from exrindex.document import failure_document, file_document
    from exrindex.inspection import inspect_file
    from exrindex.model import Failure, FileRef
    from exrindex.source import LocalSource

    source = LocalSource([])
    status = 0
    documents = []
    for name in files:
        found = inspect_file(source, FileRef(os.path.abspath(name), 0, 0))
        if isinstance(found, Failure):
            status = 4
            document = failure_document(found)
        else:
            if found.integrity.is_broken:
                status = max(status, 1)
            document = file_document(found.ref, found.header, found.integrity)
        if as_json:
            documents.append(document)
        else:
            from exrindex.cli.view import print_document

            print_document(document)
    if as_json:
        print_json(documents)
    raise typer.Exit(status)
