"""Rows of ``files``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import orjson
import pyarrow as pa

from exrindex import __version__
from exrindex.document import Document, header_document
from exrindex.model import EMBEDDING_VERSION, Indexed
from exrindex.naming import (
    directory_of,
    escape_text,
    normalize_path,
    place_of,
    sequence_of,
    version_of,
)
from exrindex.renderers import renderer_of
from exrindex.rows.attributes import AttributeRows
from exrindex.rows.channels import ChannelRows
from exrindex.rows.columns import (
    PathMaps,
    columns_of,
    constant,
    table_of,
    to_microseconds,
    vectors_of,
)
from exrindex.rows.ids import make_file_id
from exrindex.tables import CHANNEL_VECTOR, FILES, METADATA_VECTOR, SCHEMA_VERSION, TIMESTAMP


class Located(NamedTuple):
    """Where a file is, and its id there."""

    place: str
    file_id: str


def locate(item: Indexed, path_maps: PathMaps) -> Located:
    """The canonical place of a file and its id."""
    place = normalize_path(item.ref.uri, path_maps)
    return Located(place, make_file_id(place, item.header.hash))


def file_rows(
    indexed: Sequence[Indexed],
    places: Sequence[Located],
    channels: ChannelRows,
    attributes: AttributeRows,
    seen_at: dt.datetime,
) -> pa.Table:
    """One row for every file; ``seen_at`` (UTC) stamps them all."""
    documents = zip(channels.documents, attributes.documents, strict=True)
    rows = [
        (located.file_id, *_facts(item, located.place), _raw_output(item, documents))
        for item, located in zip(indexed, places, strict=True)
    ]
    stamp = constant(seen_at, len(rows), TIMESTAMP)
    by_column = {
        "metadata_embedding": vectors_of([i.metadata_embedding for i in indexed], METADATA_VECTOR),
        "channel_fingerprint": vectors_of([i.fingerprint for i in indexed], CHANNEL_VECTOR),
        "embedding_version": constant(EMBEDDING_VERSION, len(rows), pa.string()),
        "first_seen": stamp,
        "last_inspected": stamp,
        "inspection_count": constant(1, len(rows), pa.int64()),
        "retired_at": constant(None, len(rows), TIMESTAMP),
        "schema_version": constant(SCHEMA_VERSION, len(rows), pa.int64()),
        "inspector_version": constant(__version__, len(rows), pa.string()),
    }
    by_row = [name for name in FILES.names if name not in by_column]
    return table_of("files", {**columns_of(FILES, by_row, rows), **by_column})


def _facts(item: Indexed, place: str) -> tuple[object, ...]:
    """The columns of a row but for the first and the last."""
    header = item.header
    directory = directory_of(place)
    display = header.parts[0].display_window
    return (
        escape_text(item.ref.uri),
        place,
        directory,
        header.hash,
        header.nbytes,
        item.ref.size,
        to_microseconds(item.ref.mtime_ns),
        str(item.integrity),
        len(header.findings),
        header.version,
        len(header.parts),
        header.is_deep,
        header.is_tiled,
        sum(len(part.channels) for part in header.parts),
        display and display.width,
        display and display.height,
        *sequence_of(place),
        *place_of(directory),
        version_of(place),
        renderer_of(attribute for part in header.parts for attribute in part.attributes),
    )


def _raw_output(item: Indexed, documents: Iterator[tuple[Document, Document]]) -> str:
    """The header as JSON; takes the documents of its parts."""
    parts = list(islice(documents, len(item.header.parts)))
    return orjson.dumps(header_document(item.header, parts)).decode()
