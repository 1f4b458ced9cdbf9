"""Facts about files → Arrow tables, one function per table.

Ids derive from place and header alone, so the same tree indexed anywhere gives the same ids.
"""

from __future__ import annotations

import datetime as dt
import hashlib
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
import orjson
import pyarrow as pa

from exrindex import __version__
from exrindex.document import (
    STORED_VALUE_BYTES,
    header_document,
    stored_value,
    window_document,
)
from exrindex.model import (
    EMBEDDING_VERSION,
    Attribute,
    Box,
    Failure,
    Indexed,
)
from exrindex.naming import (
    channel_places,
    directory_of,
    escape_text,
    normalize_path,
    place_of,
    sequence_of,
    version_of,
)
from exrindex.renderers import renderer_of
from exrindex.tables import (
    ATTRIBUTES,
    CHANNEL_VECTOR,
    CHANNELS,
    FAILURES,
    FILES,
    METADATA_VECTOR,
    PARTS,
    SCHEMA_VERSION,
    TIMESTAMP,
    Batch,
)

PathMaps = Sequence[tuple[str, str]]

# What Python's datetime can hold, the years 1 to 9999; file systems can say more.
_EARLIEST_US, _LATEST_US = -62_135_596_800_000_000, 253_402_300_799_999_999


def to_microseconds(mtime_ns: int) -> int:
    """A modification time as the tables hold it, at the edge where it is out of their range."""
    return min(max(mtime_ns // 1000, _EARLIEST_US), _LATEST_US)


_PART_KIND, _CHANNEL_KIND, _ATTRIBUTE_KIND = 1, 2, 3


def make_file_id(file_path_normalized: str, header_hash: str) -> str:
    """A version 8 UUID (RFC 9562) from the SHA-256 of place and header."""
    digest = bytearray(
        hashlib.sha256(f"{file_path_normalized}\0{header_hash}".encode()).digest()[:16]
    )
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


@lru_cache(maxsize=65536)
def _position(kind: int, part_index: int, index: int) -> str:
    """The last group of a child's id: 4 bits of kind, 16 of part, 28 of position.

    The groups before it are the file's own, 74 of whose bits are hash.
    """
    return f"{kind << 44 | part_index << 28 | index:012x}"


def make_batch(
    indexed: Sequence[Indexed],
    failures: Sequence[Failure],
    seen_at: dt.datetime,
    path_maps: PathMaps = (),
) -> Batch:
    """Every row of some files and failures; ``seen_at`` (UTC) stamps them all."""
    places = [_locate(item, path_maps) for item in indexed]
    return {
        "files": _files(indexed, places, seen_at),
        "parts": _parts(indexed, places),
        "channels": _channels(indexed, places),
        "attributes": _attributes(indexed, places),
        "failures": failure_rows(failures, seen_at, path_maps),
    }


class _Located(NamedTuple):
    place: str
    file_id: str


def _locate(item: Indexed, path_maps: PathMaps) -> _Located:
    place = normalize_path(item.ref.uri, path_maps)
    return _Located(place, make_file_id(place, item.header.hash))


def _files(indexed: Sequence[Indexed], places: list[_Located], seen_at: dt.datetime) -> pa.Table:
    rows = []
    for item, located in zip(indexed, places, strict=True):
        header = item.header
        directory = directory_of(located.place)
        sequence_path, frame = sequence_of(located.place)
        where = place_of(directory)
        display = header.parts[0].display_window
        rows.append(
            (
                located.file_id,
                escape_text(item.ref.uri),
                located.place,
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
                sequence_path,
                frame,
                *where,
                version_of(located.place),
                renderer_of(attribute for part in header.parts for attribute in part.attributes),
                orjson.dumps(header_document(header, stored=True)).decode(),
            )
        )
    stamp = _constant(seen_at, len(rows), TIMESTAMP)
    return _table(
        FILES,
        rows,
        by_row=[name for name in FILES.names if name not in _FILES_BY_COLUMN],
        metadata_embedding=_vectors([item.metadata_embedding for item in indexed], METADATA_VECTOR),
        channel_fingerprint=_vectors([item.fingerprint for item in indexed], CHANNEL_VECTOR),
        embedding_version=_constant(EMBEDDING_VERSION, len(rows), pa.string()),
        first_seen=stamp,
        last_inspected=stamp,
        inspection_count=_constant(1, len(rows), pa.int64()),
        retired_at=_constant(None, len(rows), TIMESTAMP),
        schema_version=_constant(SCHEMA_VERSION, len(rows), pa.int64()),
        inspector_version=_constant(__version__, len(rows), pa.string()),
    )


_FILES_BY_COLUMN = frozenset(
    "metadata_embedding channel_fingerprint embedding_version first_seen last_inspected"
    " inspection_count retired_at schema_version inspector_version".split()
)


def _parts(indexed: Sequence[Indexed], places: list[_Located]) -> pa.Table:
    rows = []
    for item, located in zip(indexed, places, strict=True):
        for part in item.header.parts:
            tile = part.tile or (None, None, None, None)
            rows.append(
                (
                    located.file_id[:24] + _position(_PART_KIND, part.index, 0),
                    located.file_id,
                    part.index,
                    part.name and escape_text(part.name),
                    part.type and escape_text(part.type),
                    part.view and escape_text(part.view),
                    _window_json(part.data_window),
                    _window_json(part.display_window),
                    *(part.data_window or (None,) * 4),
                    *(part.display_window or (None,) * 4),
                    part.compression,
                    part.line_order,
                    part.pixel_aspect_ratio,
                    part.is_tiled,
                    part.is_deep,
                    *tile,
                    part.chunk_count,
                    len(part.channels),
                )
            )
    return _table(PARTS, rows, by_row=PARTS.names)


def _channels(indexed: Sequence[Indexed], places: list[_Located]) -> pa.Table:
    rows = []
    vectors: list[np.ndarray[Any, np.dtype[np.float32]]] = []
    for item, located in zip(indexed, places, strict=True):
        stem = located.file_id[:24]
        for part in item.header.parts:
            part_id = stem + _position(_PART_KIND, part.index, 0)
            if part.channels:
                vectors.append(item.part_fingerprints[part.index])
            where = channel_places(item.header, part)
            for index, (channel, place) in enumerate(zip(part.channels, where, strict=True)):
                rows.append(
                    (
                        stem + _position(_CHANNEL_KIND, part.index, index),
                        located.file_id,
                        part_id,
                        part.index,
                        index,
                        escape_text(channel.name),
                        channel.type,
                        escape_text(place.layer),
                        escape_text(place.component),
                        place.view and escape_text(place.view),
                        channel.x_sampling,
                        channel.y_sampling,
                        channel.p_linear,
                    )
                )
    first = pa.array([i if row[4] == 0 else None for i, row in enumerate(rows)], pa.int64())
    return _table(
        CHANNELS,
        rows,
        by_row=CHANNELS.names[:-1],
        channel_fingerprint=_vectors(vectors, CHANNEL_VECTOR).take(_ordinals(first)),
    )


def _ordinals(marks: pa.Int64Array) -> pa.Int64Array:
    """0, 1, 2, ... in place of the values that are set; null stays null."""
    is_set = marks.is_valid().to_numpy(zero_copy_only=False)
    return pa.array(np.cumsum(is_set) - 1, pa.int64(), mask=~is_set)


def _attributes(indexed: Sequence[Indexed], places: list[_Located]) -> pa.Table:
    rows = []
    for item, located in zip(indexed, places, strict=True):
        stem = located.file_id[:24]
        for part in item.header.parts:
            part_id = stem + _position(_PART_KIND, part.index, 0)
            for index, attribute in enumerate(part.attributes):
                rows.append(
                    (
                        stem + _position(_ATTRIBUTE_KIND, part.index, index),
                        located.file_id,
                        part_id,
                        part.index,
                        index,
                        escape_text(attribute.name),
                        escape_text(attribute.type),
                        *_values(attribute),
                    )
                )
    return _table(ATTRIBUTES, rows, by_row=ATTRIBUTES.names)


_ENUMS = frozenset(("compression", "lineOrder", "envmap", "deepImageState"))
_Values = tuple[str | None, str | None, int | None, float | None]


def _values(attribute: Attribute) -> _Values:
    """value_json, value_text, value_int and value_float of an attribute."""
    if attribute.type == "chlist" and attribute.name == "channels" and not attribute.problem:
        return None, None, None, None
    value = stored_value(attribute)
    as_json = orjson.dumps(value).decode()
    if attribute.problem or len(attribute.raw) > STORED_VALUE_BYTES:
        text = value.get("head") if isinstance(value, dict) else None
        return as_json, text if isinstance(text, str) else None, None, None
    match attribute.type, value:
        case ("float" | "double", str() | int() | float()):
            return as_json, None, None, float(value)
        case (kind, str()) if kind in _ENUMS:
            return as_json, value, attribute.raw[0], None
        case (_, str()):
            return as_json, value, None, None
        case (_, int()):
            return as_json, None, value, float(value)
        case ("rational", {"num": int() as num, "den": int() as den}):
            return as_json, None, None, num / den if den else None
        case (_, {"text": str() as text}):
            return as_json, text, None, None
    return as_json, None, None, None


def failure_rows(
    failures: Sequence[Failure], seen_at: dt.datetime, path_maps: PathMaps = ()
) -> pa.Table:
    """Rows of ``failures``, first and last seen at ``seen_at``."""
    places = [normalize_path(failure.uri, path_maps) for failure in failures]
    rows = [
        (
            escape_text(failure.uri),
            place,
            directory_of(place),
            failure.size,
            None if failure.mtime_ns is None else to_microseconds(failure.mtime_ns),
            str(failure.stage),
            str(failure.code),
            failure.offset,
            escape_text(failure.reason),
            seen_at,
            seen_at,
            1,
            None,
        )
        for failure, place in zip(failures, places, strict=True)
    ]
    return _table(FAILURES, rows, by_row=FAILURES.names)


def _table(
    schema: pa.Schema, rows: list[tuple[Any, ...]], *, by_row: Iterable[str], **by_column: pa.Array
) -> pa.Table:
    """A table from row tuples (in the order of ``by_row``) and ready columns."""
    names = list(by_row)
    columns = zip(*rows, strict=True) if rows else iter([()] * len(names))
    arrays = dict(by_column)
    for name, values in zip(names, columns, strict=True):
        arrays[name] = pa.array(values, schema.field(name).type)
    return pa.table([arrays[name] for name in schema.names], schema=schema)


def _constant(value: Any, count: int, kind: pa.DataType) -> pa.Array:
    return pa.repeat(pa.scalar(value, kind), count)


def _vectors(
    vectors: Sequence[np.ndarray[Any, np.dtype[np.float32]]], kind: pa.FixedSizeListType
) -> pa.Array:
    flat = np.concatenate(vectors) if vectors else np.empty(0, np.float32)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat, pa.float32()), type=kind)


def _window_json(box: Box | None) -> str | None:
    return None if box is None else orjson.dumps(window_document(box)).decode()
