"""``exrindex status``."""

from __future__ import annotations

from typing import Any

import typer

from exrindex.cli.context import AsJson, context_of


def status(context: typer.Context, as_json: AsJson = False) -> None:
    """Show what is in the store, and the last scans."""
    from exrindex import query
    from exrindex.cli.output import print_json

    store = context_of(context).open_store()
    store.require()
    document = query.status(store)
    if as_json:
        print_json(document)
    else:
        _print(document)


def _print(document: dict[str, Any]) -> None:
    from exrindex.cli.output import human_bytes, print_lines, short_time, visible

    rows = document["rows"]
    print(visible(document["store"]))
    print(
        f"{document['files']:,} files ({human_bytes(document['bytes'])}) in "
        f"{document['sequences']:,} sequences, {document['headers']:,} distinct headers\n"
        f"last read: {short_time(document['last_inspected']) or 'never'}"
    )
    print("rows: " + ", ".join(f"{count:,} {table}" for table, count in rows.items()))
    for title, name in (
        ("integrity", "integrity"),
        ("cannot be indexed", "open_failures"),
        ("written by", "renderers"),
    ):
        if document[name]:
            print(f"{title}: " + ", ".join(f"{n:,} {kind}" for kind, n in document[name].items()))
    print()
    print_lines(
        [_scan_row(scan) for scan in document["scans"]],
        ["started", "seconds", "found", "inserted", "updated", "failed", "exit", "roots"],
        nothing="no scan yet; run: exrindex scan PATH",
        shorten=False,
    )


def _scan_row(scan: dict[str, Any]) -> dict[str, object]:
    from exrindex.cli.output import short_time

    counts = scan["counts"] or {}
    seconds = counts.get("seconds")
    return {
        "started": short_time(scan["started_at"]),
        "seconds": None if seconds is None else round(seconds, 1),
        **{name: counts.get(name) for name in ("found", "inserted", "updated", "failed")},
        "exit": "unfinished" if scan["exit_status"] is None else scan["exit_status"],
        "roots": " ".join(scan["roots"]),
    }
