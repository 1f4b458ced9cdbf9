"""``exrindex copy``."""

from __future__ import annotations

from typing import Annotated

import typer

from exrindex.cli.context import AsJson, context_of


def copy(
    context: typer.Context,
    source: Annotated[
        str, typer.Option("--from", metavar="URL", help="The store to read.", show_default=False)
    ],
    target: Annotated[
        str, typer.Option("--to", metavar="URL", help="The store to fill.", show_default=False)
    ],
    as_json: AsJson = False,
) -> None:
    """Bring everything in one store into another, without reading a file again.

    Interrupt it as you like and run it again: what is equal on both sides is passed over.
    """
    from exrindex.cli.output import print_json
    from exrindex.cli.progress import describe_copy, progress
    from exrindex.copying import copy as copy_rows

    ours = context_of(context)
    with progress(describe_copy, quiet=ours.quiet) as notify:
        copied = copy_rows(ours.store_at(source), ours.store_at(target), notify=notify)
    if as_json:
        print_json(copied.document())
    elif not ours.quiet:
        print(
            f"{copied.files:,} files in {copied.seconds:.1f} s: {copied.written:,} written, "
            f"{copied.equal:,} equal; {copied.scans:,} scans"
        )
        if copied.written:
            verified = ", ".join(f"{count:,} {table}" for table, count in copied.rows.items())
            print(f"counted in the target after writing: {verified}")
