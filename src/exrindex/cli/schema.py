"""``exrindex schema create | show | check``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from exrindex.cli.context import AsJson, context_of

if TYPE_CHECKING:
    from exrindex.store.base import Description

app = typer.Typer(help="The store's tables: make, show and verify them.", no_args_is_help=True)


@app.command()
def create(
    context: typer.Context,
    is_sorted: Annotated[
        bool,
        typer.Option("--sorted", help="On VAST: keep tables sorted by what rows are looked up by."),
    ] = False,
    vector_index: Annotated[
        bool,
        typer.Option("--vector-index", help="On VAST: index the embeddings of files."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Make the tables that are missing. Running it again changes nothing."""
    from exrindex.cli.output import print_json
    from exrindex.store.base import Layout

    store = context_of(context).open_store()
    created = store.create(Layout(is_sorted, vector_index))
    found = store.describe()
    if as_json:
        print_json({"store": store.url, "created": created, **found._asdict()})
        return
    print(f"{'tables created' if created else 'all tables were there already'}: {store.url}")
    _print_description(found)


@app.command()
def show(context: typer.Context, as_json: AsJson = False) -> None:
    """Print tables, columns, types, versions and row counts."""
    from exrindex.cli.output import print_json, print_rows
    from exrindex.model import EMBEDDING_VERSION
    from exrindex.tables import SCHEMA_VERSION, TABLES

    store = context_of(context).open_store()
    store.require()
    counts = store.row_counts()
    columns = {
        table: [
            {
                "name": field.name,
                "type": str(field.type),
                "null": field.nullable,
                "meaning": field.metadata[b"doc"].decode(),
            }
            for field in schema
        ]
        for table, schema in TABLES.items()
    }
    if as_json:
        tables = {name: {"rows": counts[name], "columns": columns[name]} for name in TABLES}
        versions = {"schema_version": SCHEMA_VERSION, "embedding_version": EMBEDDING_VERSION}
        found = store.describe()._asdict()
        print_json({"store": store.url, **versions, **found, "tables": tables})
        return
    print(f"{store.url}\nschema {SCHEMA_VERSION}, embedding {EMBEDDING_VERSION}")
    _print_description(store.describe())
    for name in TABLES:
        print(f"\n{name}: {counts[name]:,} rows")
        print_rows(columns[name], ["name", "type", "null", "meaning"], nothing="")


@app.command()
def check(context: typer.Context, as_json: AsJson = False) -> None:
    """Verify columns, versions, uniqueness, orphans, vectors; exit code 5 if something is off."""
    from exrindex.cli.output import print_json

    store = context_of(context).open_store()
    problems = store.check()
    if as_json:
        documents = [problem._asdict() for problem in problems]
        print_json({"store": store.url, "ok": not problems, "problems": documents})
    elif problems:
        for problem in problems:
            print(f"{problem.what}\n  what to do: {problem.remedy}")
    else:
        print(f"all is well: {store.url}")
    if problems:
        raise typer.Exit(5)


def _print_description(description: Description) -> None:
    print(description.engine)
    for table, words in description.layout.items():
        print(f"{table}: {words}")
