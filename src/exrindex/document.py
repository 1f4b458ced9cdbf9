"""A header as the JSON document that ``inspect --json`` prints and ``files.raw_output`` stores."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Sequence
from typing import Any, TypeAlias

from exrindex.cut import cut_marker
from exrindex.model import (
    DEEP_FLAG,
    LONG_NAMES_FLAG,
    MULTIPART_FLAG,
    TILED_FLAG,
    Attribute,
    Box,
    Failure,
    FileRef,
    Header,
    Integrity,
    JSONValue,
    Part,
)
from exrindex.naming import channel_places, escape_text

# An attribute value larger than this many bytes is stored as size, digest and first bytes
# (Cryptomatte manifests reach 100 MB a frame); `inspect --json` always prints the whole value.
STORED_VALUE_BYTES = 64 * 1024
STORED_HEAD_BYTES = 1024

# A JSON value, or JSON that is made already (``orjson.Fragment``), alone or in a list.
Document: TypeAlias = Any

_EPOCH = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)


def file_document(ref: FileRef, header: Header, integrity: Integrity) -> dict[str, JSONValue]:
    """One file of ``inspect --json``: the facts of the file, then the whole header."""
    return {
        "path": escape_text(ref.uri),
        "size_bytes": ref.size,
        "mtime": iso_time(ref.mtime_ns),
        "integrity": str(integrity),
        **header_document(header),
    }


def failure_document(failure: Failure) -> dict[str, JSONValue]:
    """One file of ``inspect --json`` that could not be read."""
    return {
        "path": escape_text(failure.uri),
        "error": {
            "code": str(failure.code),
            "offset": failure.offset,
            "reason": failure.reason,
        },
    }


def header_document(
    header: Header, parts: Sequence[tuple[Document, Document]] | None = None
) -> dict[str, Document]:
    """Everything the header says, in file order.

    ``parts`` holds the channels and the attributes of each part where they are made already.
    """
    if parts is None:
        parts = [
            (channel_documents(header, part), [_attribute(one) for one in part.attributes])
            for part in header.parts
        ]
    return {
        "header_hash": header.hash,
        "header_bytes": header.nbytes,
        "exr_version": header.version,
        "flags": {
            "tiled": bool(header.flags & TILED_FLAG),
            "long_names": bool(header.flags & LONG_NAMES_FLAG),
            "deep": bool(header.flags & DEEP_FLAG),
            "multipart": bool(header.flags & MULTIPART_FLAG),
        },
        "parts": [_part(part, *made) for part, made in zip(header.parts, parts, strict=True)],
        "findings": [
            {
                "code": finding.code,
                "message": finding.message,
                "part": finding.part,
                "attribute": None if finding.attribute is None else escape_text(finding.attribute),
                "offset": finding.offset,
            }
            for finding in header.findings
        ],
    }


def channel_documents(header: Header, part: Part) -> list[JSONValue]:
    """The channels of a part, in file order."""
    return [
        {
            "name": escape_text(channel.name),
            "layer": escape_text(place.layer),
            "component": escape_text(place.component),
            "view": _escaped(place.view),
            "type": channel.type,
            "x_sampling": channel.x_sampling,
            "y_sampling": channel.y_sampling,
            "p_linear": channel.p_linear,
        }
        for channel, place in zip(part.channels, channel_places(header, part), strict=True)
    ]


def stored_value(attribute: Attribute) -> JSONValue:
    """The value as the tables keep it: whole, or size, digest and head where it is very large."""
    if len(attribute.raw) <= STORED_VALUE_BYTES:
        return attribute.value
    return cut_marker(attribute.raw, attribute.raw[:STORED_HEAD_BYTES].decode("utf-8", "replace"))


def window_document(box: Box | None) -> JSONValue:
    """``{"min":[x,y],"max":[x,y]}``, or None."""
    return box and {"min": [box.x_min, box.y_min], "max": [box.x_max, box.y_max]}


def iso_time(mtime_ns: int) -> str:
    """ISO 8601 in UTC with microseconds; years outside 1..9999 as seconds since the epoch."""
    try:
        moment = _EPOCH + dt.timedelta(microseconds=mtime_ns // 1000)
    except OverflowError:
        return f"@{mtime_ns // 1_000_000_000}"
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def json_float(value: float | None) -> JSONValue:
    """A float for JSON, which has no word for NaN and the infinities."""
    if value is None or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"


def _part(part: Part, channels: Document, attributes: Document) -> dict[str, Document]:
    return {
        "index": part.index,
        "name": _escaped(part.name),
        "type": _escaped(part.type),
        "view": _escaped(part.view),
        "data_window": window_document(part.data_window),
        "display_window": window_document(part.display_window),
        "compression": part.compression,
        "line_order": part.line_order,
        "pixel_aspect_ratio": json_float(part.pixel_aspect_ratio),
        "tile": part.tile and part.tile._asdict(),
        "chunk_count": part.chunk_count,
        "channels": channels,
        "attributes": attributes,
    }


def _attribute(attribute: Attribute) -> JSONValue:
    return {
        "name": escape_text(attribute.name),
        "type": escape_text(attribute.type),
        "value": attribute.value,
    }


def _escaped(text: str | None) -> str | None:
    return None if text is None else escape_text(text)
