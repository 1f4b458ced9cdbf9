"""Semi-sorted projections: list, create, rename, drop; their columns and statistics."""

from __future__ import annotations

from dataclasses import replace

from vastserver.changes import PutTable
from vastserver.column_commands import find_column, schema_reply
from vastserver.database import Definition, Projection
from vastserver.flatbuffer import Scalar, build
from vastserver.flatbuffer import Table as Buffer
from vastserver.listing import details, page
from vastserver.request import Reply, Request, S3Error, invalid
from vastserver.service import Service, find_table, taken

_SORTED = 1


def list_projections(service: Service, request: Request) -> Reply:
    table = find_table(service.read(request), request)
    found = page(
        table.definition.projections, request, lambda found: found.name, lambda found: found.id
    )
    size = table.size
    listed = [
        details(projection.id, projection.name, num_rows=table.num_rows, size=size)
        for projection in found.items
    ]
    names = {0: request.bucket, 1: request.schema, 2: request.table}
    return Reply(build({**names, 3: listed}), found.headers)


def list_columns(service: Service, request: Request) -> Reply:
    """The columns of a projection, with how they are sorted as metadata."""
    definition = find_table(service.read(request), request).definition
    projection = find_projection(definition, request.argument("name"))
    by_id = {column.id: column for column in definition.columns}
    columns = [by_id[key] for key in (*projection.sorted, *projection.unsorted)]
    # Guess: the metadata; the SDK looks at names and types only.
    fields = [
        column.field.with_metadata(
            {"VAST:sort_type": "Sorted" if column.id in projection.sorted else "Unsorted"}
        )
        for column in columns
    ]
    return schema_reply(columns, request, fields, by_id=False)


def stats(service: Service, request: Request) -> Reply:
    table = find_table(service.read(request), request)
    find_projection(table.definition, request.argument("name"))
    synced = Scalar("q", 100)
    return Reply(build({0: Scalar("q", table.num_rows), 1: Scalar("q", table.size), 3: synced}))


def create(service: Service, request: Request) -> Reply:
    name = request.argument("name")
    columns = Buffer.root(request.body).tables(0)
    with service.writing(request) as transaction:
        definition = find_table(transaction.database, request).definition
        _check_free(definition, name)
        chosen = [
            (find_column(definition, column.text(0)).id, column.scalar(1, "b") == _SORTED)
            for column in columns
        ]
        if not any(is_sorted for _, is_sorted in chosen):
            raise invalid("a projection needs a sorted column")
        projection = Projection(
            service.store.new_id(),
            name,
            tuple(column_id for column_id, is_sorted in chosen if is_sorted),
            tuple(column_id for column_id, is_sorted in chosen if not is_sorted),
        )
        changed = replace(definition, projections=(*definition.projections, projection))
        service.store.claim(transaction, ("table", definition.id), alone=True)
        service.store.change(transaction, PutTable(changed))
    return Reply()


def alter(service: Service, request: Request) -> Reply:
    new_name = Buffer.root(request.body).text(0)
    with service.writing(request) as transaction:
        definition = find_table(transaction.database, request).definition
        projection = find_projection(definition, request.argument("name"))
        if new_name:
            _check_free(definition, new_name)
        renamed = replace(projection, name=new_name or projection.name)
        service.store.claim(transaction, ("table", definition.id), alone=True)
        changed = _with_projection(definition, projection, renamed)
        service.store.change(transaction, PutTable(changed))
    return Reply()


def drop(service: Service, request: Request) -> Reply:
    with service.writing(request) as transaction:
        definition = find_table(transaction.database, request).definition
        projection = find_projection(definition, request.argument("name"))
        service.store.claim(transaction, ("table", definition.id), alone=True)
        changed = _with_projection(definition, projection, None)
        service.store.change(transaction, PutTable(changed))
    return Reply()


def find_projection(definition: Definition, name: str) -> Projection:
    for projection in definition.projections:
        if projection.name == name:
            return projection
    raise S3Error(404, "NoSuchKey", f"there is no projection {name}")


def _with_projection(definition: Definition, old: Projection, new: Projection | None) -> Definition:
    projections = [new if found is old else found for found in definition.projections]
    return replace(definition, projections=tuple(found for found in projections if found))


def _check_free(definition: Definition, name: str) -> None:
    if any(projection.name == name for projection in definition.projections):
        raise taken(f"the projection {name}")
