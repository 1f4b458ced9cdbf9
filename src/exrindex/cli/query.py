"""``exrindex query similar | failures | sql``."""

from __future__ import annotations

import os
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from exrindex.cli.context import AsJson, context_of

if TYPE_CHECKING:
    from exrindex.query import Neighbour

app = typer.Typer(help="Ask the store.", no_args_is_help=True)

# Shares of a distance that a table shows, the largest first.
_MOST_SHARES = 3


class By(StrEnum):
    """What similarity goes by."""

    metadata = "metadata"
    channels = "channels"


@app.command()
def similar(
    context: typer.Context,
    file: Annotated[str, typer.Argument(metavar="FILE", help="An EXR file, indexed or not.")],
    k: Annotated[
        int, typer.Option("-k", min=1, max=1_000_000, metavar="N", help="How many to show.")
    ] = 10,
    by: Annotated[By, typer.Option(help="Compare whole headers, or channels alone.")] = By.metadata,
    where: Annotated[
        str | None,
        typer.Option(
            metavar="SQL",
            help="Search only files for which this holds, such as \"renderer = 'arnold'\".",
            show_default=False,
        ),
    ] = None,
    frames: Annotated[
        bool, typer.Option("--frames", help="List files instead of sequences.")
    ] = False,
    explain: Annotated[
        bool, typer.Option("--explain", help="Say in which respects they differ.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Find the renders whose headers are most like FILE's; 0 is the same structure.

    Distances: up to 0.02 one small thing differs (an attribute, a layer), up to 0.1 one property
    (resolution, compression), above 0.4 unrelated. See docs/embeddings.md.
    """
    from exrindex import query
    from exrindex.cli.output import print_json, print_lines
    from exrindex.source import LocalSource
    from exrindex.store.base import VectorColumn

    ours = context_of(context)
    store = ours.open_store()
    store.require()
    column = VectorColumn.METADATA if by is By.metadata else VectorColumn.CHANNELS
    path = os.path.abspath(file)
    vector = query.vector_of(path, LocalSource([]), store, column, ours.settings.path_maps)
    found = query.similar(
        store, vector, column=column, k=k, where=where, frames=frames, explained=explain
    )
    if as_json:
        print_json([_document(neighbour, explain) for neighbour in found])
        return
    columns = ["distance"] if frames else ["distance", "frames", "count"]
    columns += ["differs in"] if explain else []
    columns += ["file"] if frames else ["sequence"]
    print_lines([_row(neighbour) for neighbour in found], columns, nothing=_nothing(where))


def _nothing(where: str | None) -> str:
    if where is not None:
        return "no indexed file meets the condition of --where"
    return "nothing is indexed that this could be compared with; run: exrindex scan PATH"


def _document(neighbour: Neighbour, explained: bool) -> dict[str, object]:
    document: dict[str, object] = dict(neighbour.row)
    if explained:
        document["explain"] = [
            {"group": share.name, "share": share.share, "of_weight": share.of_weight}
            for share in neighbour.shares
        ]
    return document


def _row(neighbour: Neighbour) -> dict[str, object]:
    row = neighbour.row
    first, last = row.get("first_frame"), row.get("last_frame")
    return {
        "distance": f"{row['distance']:.6f}",
        "file": row["file_path"],
        "sequence": row.get("sequence_path") or row["file_path"],
        "frames": first if first == last else f"{first}-{last}",
        "count": row.get("frame_count"),
        "differs in": _differences(neighbour) or "nothing",
    }


def _differences(neighbour: Neighbour) -> str:
    """The largest shares of the distance; --json has them all."""
    total = sum(share.share for share in neighbour.shares)
    return ", ".join(
        f"{share.name} {share.share / total:.0%}"
        for share in neighbour.shares[:_MOST_SHARES]
        if total and share.share / total >= 0.01
    )


@app.command()
def failures(context: typer.Context, as_json: AsJson = False) -> None:
    """List what is broken now: files that cannot be indexed, frames that lack pixels."""
    from exrindex import query
    from exrindex.cli.output import print_json, print_lines, short_time
    from exrindex.plain import plain_rows

    store = context_of(context).open_store()
    store.require()
    rows = plain_rows(query.broken(store))
    if as_json:
        print_json(rows)
        return
    lines = [{**row, "last seen": short_time(row["last_seen"])} for row in rows]
    print_lines(lines, ["code", "last seen", "reason", "file_path"], nothing="nothing is broken")


@app.command()
def sql(
    context: typer.Context,
    statement: Annotated[str, typer.Argument(metavar="SQL", help="One SELECT.")],
    as_json: AsJson = False,
) -> None:
    """Run one read-only SQL statement. Tables and columns: docs/schema.md, or schema show."""
    from exrindex.cli.output import print_json, print_rows
    from exrindex.plain import plain_rows

    store = context_of(context).open_store()
    store.require()
    table = store.sql(statement)
    rows = plain_rows(table)
    if as_json:
        print_json(rows)
    else:
        print_rows(rows, list(rows[0]) if rows else [], nothing="no rows")
