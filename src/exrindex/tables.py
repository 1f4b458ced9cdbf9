"""The tables: name → Arrow schema. This is the contract between ``rows.py`` and every store.

A row of ``files`` is one header at one place: (``file_path_normalized``, ``header_hash``) is
unique. Columns may be null where the file does not say. Field metadata ``doc`` is the sentence
that ``schema show`` and docs/schema.md print. Timestamps are UTC with microseconds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import pyarrow as pa

from exrindex.model import CHANNEL_DIMS, METADATA_DIMS

SCHEMA_VERSION = 2

TIMESTAMP = pa.timestamp("us", tz="UTC")
_COMPONENT = pa.field("item", pa.float32(), nullable=False)
METADATA_VECTOR = pa.list_(_COMPONENT, METADATA_DIMS)
CHANNEL_VECTOR = pa.list_(_COMPONENT, CHANNEL_DIMS)

_JSON_MARK = {"content": "json"}


def _column(
    name: str, kind: pa.DataType, doc: str, *, null: bool = False, marks: Mapping[str, str] = {}
) -> pa.Field:
    return pa.field(name, kind, nullable=null, metadata={"doc": doc, **marks})


def _text(name: str, doc: str, *, null: bool = False) -> pa.Field:
    return _column(name, pa.string(), doc, null=null)


def _json(name: str, doc: str, *, null: bool = False) -> pa.Field:
    return _column(name, pa.string(), doc, null=null, marks=_JSON_MARK)


def _whole(name: str, doc: str, *, null: bool = False) -> pa.Field:
    return _column(name, pa.int64(), doc, null=null)


def _yes_no(name: str, doc: str) -> pa.Field:
    return _column(name, pa.bool_(), doc)


def _time(name: str, doc: str, *, null: bool = False) -> pa.Field:
    return _column(name, TIMESTAMP, doc, null=null)


FILES = pa.schema(
    [
        _text("file_id", "UUID made from file_path_normalized and header_hash"),
        _text("file_path", "path as it was found; bytes that are not UTF-8 as \\xNN"),
        _text("file_path_normalized", "the canonical place: absolute, NFC, path maps applied"),
        _text("directory", "directory of file_path_normalized"),
        _text("header_hash", "SHA-256 of the header bytes, offset tables excluded"),
        _whole("header_bytes", "length of the header"),
        _whole("size_bytes", "size of the file when it was last inspected"),
        _time("mtime", "modification time when it was last inspected"),
        _text("integrity", "ok, incomplete, truncated or unchecked"),
        _whole("finding_count", "oddities a reader may stumble over; listed in raw_output"),
        _whole("exr_version", "file format version, 2"),
        _whole("multipart_count", "number of parts"),
        _yes_no("is_deep", "holds deep data"),
        _yes_no("is_tiled", "holds tiles"),
        _whole("channel_count", "channels of all parts"),
        _whole("width", "width of the display window of part 0", null=True),
        _whole("height", "height of the display window of part 0", null=True),
        _text("sequence_path", "place with the frame number as # signs", null=True),
        _whole("frame_number", "frame number in the file name", null=True),
        _text("show", "show in the path", null=True),
        _text("sequence", "sequence in the path", null=True),
        _text("shot", "shot in the path", null=True),
        _whole("version", "version number in the path", null=True),
        _text("renderer", "program that wrote the file, as its attributes say", null=True),
        _column("metadata_embedding", METADATA_VECTOR, "unit vector of the whole header"),
        _column("channel_fingerprint", CHANNEL_VECTOR, "unit vector of all channels of the file"),
        _text("embedding_version", "rule set of both vectors; never compare across versions"),
        _time("first_seen", "when this header was first seen at this place"),
        _time("last_inspected", "when the file was last opened"),
        _whole("inspection_count", "how often the file was opened"),
        _time(
            "retired_at", "when it was replaced or found gone; null for what is there", null=True
        ),
        _whole("schema_version", "version of these tables"),
        _text("inspector_version", "version of exrindex that wrote the row"),
        _json("raw_output", "the header as JSON, as `inspect --json` prints it"),
    ]
)

_WINDOW_EDGES = tuple(
    _whole(f"{window}_{edge}", f"{edge} of the {window} window", null=True)
    for window in ("data", "display")
    for edge in ("x_min", "y_min", "x_max", "y_max")
)

PARTS = pa.schema(
    [
        _text("part_id", "UUID made from file_id and the part's position"),
        _text("file_id", "the file"),
        _whole("part_index", "position in the file, from 0"),
        _text("part_name", "name attribute", null=True),
        _text("part_type", "scanlineimage, tiledimage, deepscanline or deeptile", null=True),
        _text("view_name", "view attribute", null=True),
        _json("data_window", 'JSON {"min":[x,y],"max":[x,y]}', null=True),
        _json("display_window", 'JSON {"min":[x,y],"max":[x,y]}', null=True),
        *_WINDOW_EDGES,
        _text("compression", "compression by its short name, or unknown_N", null=True),
        _text("line_order", "increasing_y, decreasing_y or random_y", null=True),
        _column("pixel_aspect_ratio", pa.float64(), "width of a pixel / its height", null=True),
        _yes_no("is_tiled", "a tiled part"),
        _yes_no("is_deep", "a deep part"),
        _whole("tile_x_size", "tile width in pixels", null=True),
        _whole("tile_y_size", "tile height in pixels", null=True),
        _text("level_mode", "one_level, mipmap_levels or ripmap_levels", null=True),
        _text("rounding_mode", "round_down or round_up", null=True),
        _whole("chunk_count", "chunks, as written or else computed", null=True),
        _whole("channel_count", "channels of the part"),
    ]
)

CHANNELS = pa.schema(
    [
        _text("channel_id", "UUID made from file_id and the channel's position"),
        _text("file_id", "the file"),
        _text("part_id", "the part"),
        _whole("part_index", "position of the part"),
        _whole("channel_index", "position in the part, from 0"),
        _text("channel_name", "name as written"),
        _text("channel_type", "half, float or uint; unknown_N for a code without a name"),
        _text("layer_name", "layer, from the channel or its part; empty for the base layer"),
        _text("component_name", "what follows the layer"),
        _text("view_name", "view, from the channel or its part", null=True),
        _whole("x_sampling", "one sample every so many columns"),
        _whole("y_sampling", "one sample every so many rows"),
        _yes_no("p_linear", "perceptually linear (used by B44 only)"),
        _column(
            "channel_fingerprint",
            CHANNEL_VECTOR,
            "unit vector of the part's channels, on the part's first channel row",
            null=True,
        ),
    ]
)

ATTRIBUTES = pa.schema(
    [
        _text("attribute_id", "UUID made from file_id and the attribute's position"),
        _text("file_id", "the file"),
        _text("part_id", "the part; null where it belongs to no part", null=True),
        _whole("part_index", "position of the part; null like part_id", null=True),
        _whole("attribute_index", "position in the part, from 0"),
        _text("attr_name", "name as written"),
        _text("attr_type", "type as written"),
        _json(
            "value_json",
            "the value as JSON; null for channels, which have their own table",
            null=True,
        ),
        _text("value_text", "the value where it is text", null=True),
        _whole("value_int", "the value where it is a whole number", null=True),
        _column("value_float", pa.float64(), "the value where it is a number", null=True),
    ]
)

FAILURES = pa.schema(
    [
        _text("file_path", "path as it was found"),
        _text("file_path_normalized", "the canonical place"),
        _text("directory", "directory of file_path_normalized"),
        _whole("size_bytes", "size, where known", null=True),
        _time("mtime", "modification time, where known", null=True),
        _text("stage", "list, read or parse"),
        _text("code", "what kind of failure; see docs/schema.md"),
        _whole("offset", "byte in the file that shows it", null=True),
        _text("reason", "what happened"),
        _time("first_seen", "first time this failure was seen"),
        _time("last_seen", "last time this failure was seen"),
        _whole("attempts", "how often it was tried"),
        _time("resolved_at", "when the file read again or was found gone", null=True),
    ]
)

SCANS = pa.schema(
    [
        _text("scan_id", "UUID of the run"),
        _time("started_at", "when it started"),
        _time("finished_at", "when it ended; null while it runs or if it was killed", null=True),
        _text("host", "machine"),
        _text("user", "who ran it"),
        _json("roots", "JSON list of what was scanned"),
        _json("options", "JSON object of the options that were set"),
        _json("counts", "JSON object of the summary", null=True),
        _whole("exit_status", "exit code; null like finished_at", null=True),
    ]
)

TABLES: dict[str, pa.Schema] = {
    "files": FILES,
    "parts": PARTS,
    "channels": CHANNELS,
    "attributes": ATTRIBUTES,
    "failures": FAILURES,
    "scans": SCANS,
}

# Tables whose rows belong to a row of ``files`` and come and go with it.
CHILD_TABLES = ("parts", "channels", "attributes")

# Columns that name a row by a UUID; a store with such a type uses it.
ID_COLUMNS = frozenset(("file_id", "part_id", "channel_id", "attribute_id", "scan_id"))


def content_uuid(content: bytes) -> str:
    """The id of some bytes: a version 8 UUID (RFC 9562) from their SHA-256."""
    digest = bytearray(hashlib.sha256(content).digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    text = digest.hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def is_vector(field: pa.Field) -> bool:
    """Whether a column of the contract holds vectors."""
    return bool(pa.types.is_fixed_size_list(field.type))


def holds_json(field: pa.Field) -> bool:
    """Whether a column's text is a JSON document."""
    return bool(field.metadata.get(b"content") == b"json")


# What one unit of work yields and one transaction writes: every table but ``scans``. What a unit
# of work yields has its vectors as dictionaries, since most of them are equal.
Batch: TypeAlias = Mapping[str, pa.Table]


def batch_schema(table: str) -> pa.Schema:
    """The schema of a table of the contract as a unit of work yields it."""
    return pa.schema(
        [
            field.with_type(pa.dictionary(pa.int32(), field.type)) if is_vector(field) else field
            for field in TABLES[table]
        ]
    )


def concat_batches(batches: Sequence[Batch]) -> Batch:
    """One batch with the rows of all, in order."""
    return {name: pa.concat_tables([batch[name] for batch in batches]) for name in batches[0]}


# A batch on its way from one process to another: Arrow streams, compressed. Rows of a sequence
# repeat themselves so much that a tenth is left, and a pipe costs more than the compression.
Packed: TypeAlias = Mapping[str, bytes]
_PACKING = pa.ipc.IpcWriteOptions(compression="lz4")


def pack_batch(batch: Batch) -> Packed:
    """The batch as bytes."""
    packed = {}
    for name, table in batch.items():
        sink = pa.BufferOutputStream()
        with pa.ipc.new_stream(sink, table.schema, options=_PACKING) as stream:
            stream.write_table(table)
        packed[name] = sink.getvalue().to_pybytes()
    return packed


def unpack_batch(packed: Packed) -> Batch:
    """The batch that was packed."""
    return {name: pa.ipc.open_stream(data).read_all() for name, data in packed.items()}
