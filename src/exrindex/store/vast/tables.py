"""The tables on VAST: their columns there, making them, and telling whether they are ours.

VAST knows no comments and no keys, so two small tables of our own stand beside those of the
contract: ``exrindex_about`` says which schema version this is, and ``exrindex_slots`` holds the
rows that concurrent writers collide on (see ``slots.py``).
"""

from __future__ import annotations

from functools import partial
from typing import NamedTuple

import pyarrow as pa
import pyarrow.compute as pc
from vastdb import VectorIndexSpec
from vastdb.table_metadata import TableMetadata, TableRef, TableType

from exrindex.errors import ReleaseTooOld, SchemaMismatch
from exrindex.store.base import Layout, SchemaState
from exrindex.store.vast.errors import border
from exrindex.store.vast.link import VastLink, VastTransaction
from exrindex.tables import SCHEMA_VERSION, TABLES

ABOUT = "exrindex_about"
SLOTS = "exrindex_slots"
SLOT_COUNT = 65_536

# The first release that gives row ids, without which nothing can be updated.
OLDEST_RELEASE = (5, 1)
# Where a column keeps its time zone; before, it comes back as a time without one.
_ZONES_SINCE = (5, 4)

CREATE = "exrindex schema create"
PLAIN_TABLE = "plain"

RENEW = "name another schema with --store vast://BUCKET/SCHEMA and scan again"

_OURS: dict[str, pa.Schema] = {
    ABOUT: pa.schema([("key", pa.string()), ("value", pa.string())]),
    SLOTS: pa.schema([("slot", pa.int64()), ("holder", pa.string())]),
}

# What the rows of a table are sorted by where the layout asks for it: what they are looked up by.
_SORTED_BY = {
    "files": ["directory"],
    "failures": ["directory"],
    "channels": ["channel_name"],
    "attributes": ["attr_name"],
}
# Vectors of unit length: by squared distance they rank as by cosine.
_INDEX = VectorIndexSpec("metadata_embedding", "l2sq")


def vast_schema(table: str) -> pa.Schema:
    """The columns of one of our tables on VAST: the contract's, all nullable, without metadata."""
    if table in _OURS:
        return _OURS[table]
    return pa.schema([pa.field(field.name, field.type) for field in TABLES[table]])


_EVERYTHING = (*TABLES, *_OURS)


class _Metadata(TableMetadata):  # type: ignore[misc]
    """Metadata that is shared by all transactions.

    The SDK copies it deeply for each of them; in the copy the items of a list are nullable, since
    pyarrow forgets that when it pickles the type, and the table would no longer be the same.
    """

    def __deepcopy__(self, memo: object) -> _Metadata:
        return self


class Found(NamedTuple):
    """What stands in the schema: tables of our names with their metadata, and others' names."""

    ours: dict[str, TableMetadata]
    others: list[str]
    version: str | None


def look(link: VastLink, transaction: VastTransaction) -> Found:
    """Read what there is. Raises a fault that names the bucket if that is missing."""
    access = link.access
    with border(access):
        schema = transaction.sdk.bucket(access.bucket).schema(access.schema, fail_if_missing=False)
        names = schema.tablenames() if schema is not None else []
    ours = [name for name in _EVERYTHING if name in names]
    loaded = transaction.together([partial(_load, link, transaction, name) for name in ours])
    found = dict(zip(ours, loaded, strict=True))
    link.tables = dict(found)
    version = _version(transaction) if ABOUT in found else None
    return Found(found, [name for name in names if name not in _EVERYTHING], version)


def state_of(link: VastLink, found: Found) -> SchemaState:
    """Whether what was found is what this version writes."""
    if not found.ours:
        return SchemaState.FOREIGN if found.others else SchemaState.NEW
    if len(found.ours) < len(_EVERYTHING) or differences(link, found):
        return SchemaState.INCOMPATIBLE
    return SchemaState.READY


def differences(link: VastLink, found: Found) -> list[str]:
    """How the tables that exist differ from the contract, each as one phrase."""
    phrases = []
    if ABOUT in found.ours and found.version != str(SCHEMA_VERSION):
        phrases.append(f"it holds schema version {found.version} instead of {SCHEMA_VERSION}")
    for table, metadata in found.ours.items():
        for field in vast_schema(table):
            index = metadata.arrow_schema.get_field_index(field.name)
            if index < 0:
                phrases.append(f"{table}.{field.name} is missing")
                continue
            kind = metadata.arrow_schema.field(index).type
            if kind != field.type and kind != _without_zone(link, field.type):
                phrases.append(f"{table}.{field.name} is {kind} instead of {field.type}")
    return phrases


def require_ready(link: VastLink, found: Found) -> None:
    """Raise ``SchemaMismatch`` unless the tables are the ones this version writes."""
    url = link.access.url
    state = state_of(link, found)
    if state is SchemaState.READY:
        return
    if state is SchemaState.NEW:
        raise SchemaMismatch(f"{url} holds no tables yet; run: {CREATE}")
    if state is SchemaState.FOREIGN:
        raise SchemaMismatch(
            f"{url} holds tables of something else; name another schema with --store, or run "
            f"`{CREATE}` to put the tables of exrindex beside those"
        )
    if phrases := differences(link, found):
        raise _mismatch(url, phrases)
    missing = ", ".join(name for name in _EVERYTHING if name not in found.ours)
    raise SchemaMismatch(f"{url} has no table {missing}; run: {CREATE}")


def _mismatch(url: str, phrases: list[str]) -> SchemaMismatch:
    shown = "; ".join(phrases[:5])
    more = f"; and {len(phrases) - 5} more" if len(phrases) > 5 else ""
    return SchemaMismatch(
        f"{url}: its tables are not the ones this version of exrindex writes: {shown}{more}; "
        f"{RENEW}"
    )


def create(link: VastLink, transaction: VastTransaction, layout: Layout) -> bool:
    """Make what is missing; False if nothing was."""
    require_release(link, layout)
    found = look(link, transaction)
    if phrases := differences(link, found):
        raise _mismatch(link.access.url, phrases)
    missing = [name for name in _EVERYTHING if name not in found.ours]
    access = link.access
    with border(access):
        bucket = transaction.sdk.bucket(access.bucket)
        schema = bucket.create_schema(access.schema, fail_if_exists=False)
        for table in missing:
            indexed = layout.vector_index and table == "files"
            schema.create_table(
                table,
                vast_schema(table),
                sorting_key=_SORTED_BY.get(table, []) if layout.sorted and not indexed else [],
                vector_index=_INDEX if indexed else None,
            )
    for table in missing:
        link.tables[table] = _load(link, transaction, table)
    if ABOUT in missing:
        transaction.insert(ABOUT, _about())
    if SLOTS in missing:
        transaction.insert(SLOTS, _slots())
    return bool(missing)


def require_release(link: VastLink, layout: Layout) -> None:
    """Raise ``ReleaseTooOld`` if the cluster lacks what we need or what the layout asks for."""
    release = ".".join(map(str, link.release))
    if link.release < OLDEST_RELEASE:
        raise ReleaseTooOld(
            f"{link.access.endpoint} runs VAST {release}; exrindex needs "
            f"{'.'.join(map(str, OLDEST_RELEASE))} or newer"
        )
    with border(link.access):
        if layout.sorted:
            link.session.features.check_elysium()
        if layout.vector_index:
            link.session.features.check_vector()


def layout_of(link: VastLink, table: str) -> str:
    """How a table is laid out, in words."""
    index, metadata = link.vector_index(table), link.tables[table]
    if index is not None:
        return f"vector index on {index.column}"
    if metadata.table_type in (TableType.Elysium, TableType.SortedPartitions):
        return "sorted by " + ", ".join(field.name for field in metadata.sorted_columns)
    return PLAIN_TABLE


def _load(link: VastLink, transaction: VastTransaction, table: str) -> TableMetadata:
    access = link.access
    metadata = _Metadata(TableRef(access.bucket, access.schema, table))
    with border(access):
        metadata.load(transaction.sdk)
    return metadata


def _version(transaction: VastTransaction) -> str | None:
    about = transaction.select(ABOUT, ["key", "value"])
    versions = about.filter(pc.equal(about["key"], "schema_version"))["value"].to_pylist()
    return str(versions[0]) if versions else None


def _about() -> pa.RecordBatch:
    rows = [{"key": "schema_version", "value": str(SCHEMA_VERSION)}]
    return pa.RecordBatch.from_pylist(rows, schema=_OURS[ABOUT])


def _slots() -> pa.RecordBatch:
    slots = pa.array(range(SLOT_COUNT), pa.int64())
    nothing = [pa.nulls(SLOT_COUNT, field.type) for field in _OURS[SLOTS]][1:]
    return pa.RecordBatch.from_arrays([slots, *nothing], schema=_OURS[SLOTS])


def _without_zone(link: VastLink, kind: pa.DataType) -> pa.DataType | None:
    if pa.types.is_timestamp(kind) and link.release < _ZONES_SINCE:
        return pa.timestamp(kind.unit)
    return None
