"""Schemas: list, create, rename, drop."""

from __future__ import annotations

from dataclasses import replace

from vastserver.changes import PutSchema, RemoveSchema
from vastserver.database import Database, Schema
from vastserver.flatbuffer import Table as Buffer
from vastserver.flatbuffer import build
from vastserver.listing import details, page
from vastserver.request import Reply, Request, S3Error, invalid
from vastserver.service import Service, find_bucket, find_schema, taken


def list_schemas(service: Service, request: Request) -> Reply:
    """The schemas directly below a bucket or a schema."""
    database = service.read(request)
    schemas = database.schemas_in(find_schema(database, request))
    found = page(schemas, request, lambda schema: schema.name, lambda schema: schema.id)
    listed = [details(schema.id, schema.name, schema.properties) for schema in found.items]
    return Reply(build({0: request.bucket, 1: listed}), found.headers)


def create(service: Service, request: Request) -> Reply:
    parent_path, _, name = request.schema.rpartition("/")
    if not name:
        raise invalid("a schema needs a name")
    with service.writing(request) as transaction:
        database = transaction.database
        parent = database.schema(find_bucket(database, request), parent_path)
        if parent is None:
            raise S3Error(404, "NoSuchKey", f"there is no schema {request.bucket}/{parent_path}")
        _check_free(database, parent, name)
        service.store.claim(transaction, ("schema", parent), alone=False)
        service.store.claim(transaction, ("schema name", parent, name), alone=True)
        properties = Buffer.root(request.body).text(0) if request.body else ""
        schema = Schema(service.store.new_id(), parent, name, properties)
        service.store.change(transaction, PutSchema(schema))
    return Reply()


def alter(service: Service, request: Request) -> Reply:
    """Another name, other properties, or both."""
    name = request.arguments.get("tabular-new-schema-name", "")
    with service.writing(request) as transaction:
        database = transaction.database
        schema = _find(database, request)
        names = [schema.name]
        if name:
            _check_free(database, schema.parent, name)
            names.append(name)
        service.store.claim(transaction, ("schema", schema.id), alone=True)
        keys = [("schema name", schema.parent, name) for name in names]
        service.store.claim(transaction, *keys, alone=True)
        properties = Buffer.root(request.body).text(0) if request.body else ""
        changed = replace(
            schema, name=name or schema.name, properties=properties or schema.properties
        )
        service.store.change(transaction, PutSchema(changed))
    return Reply()


def drop(service: Service, request: Request) -> Reply:
    with service.writing(request) as transaction:
        database = transaction.database
        schema = _find(database, request)
        if database.schemas_in(schema.id) or database.tables_in(schema.id):
            # Guess: the code.
            raise S3Error(409, "SchemaNotEmpty", f"the schema {schema.name} is not empty")
        service.store.claim(transaction, ("schema", schema.id), alone=True)
        service.store.claim(transaction, ("schema name", schema.parent, schema.name), alone=True)
        service.store.change(transaction, RemoveSchema(schema.id))
    return Reply()


def _find(database: Database, request: Request) -> Schema:
    schema = database.schemas.get(find_schema(database, request))
    if schema is None:
        raise invalid("the request names no schema")
    return schema


def _check_free(database: Database, parent: int, name: str) -> None:
    if "/" in name:
        raise invalid(f"not a name for a schema: {name}")
    if any(schema.name == name for schema in database.schemas_in(parent)):
        raise taken(f"the schema {name}")
