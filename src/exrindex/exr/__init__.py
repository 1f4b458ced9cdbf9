"""The OpenEXR file format: bytes in, ``Header`` out. Pure; reads no files and knows no database.

>>> header = parse_header(data)                     # raises HeaderTruncated or HeaderError
>>> check_integrity(header, size, read)             # Integrity.OK, INCOMPLETE, TRUNCATED, ...
"""

from __future__ import annotations

from exrindex.exr.chunks import chunk_count
from exrindex.exr.integrity import check_integrity
from exrindex.exr.repeat import parse_header
from exrindex.exr.spec import (
    FINDINGS,
    MAX_ATTRIBUTES,
    MAX_CHANNELS,
    MAX_HEADER_BYTES,
    MAX_LIST_BYTES,
    MAX_PARTS,
    MAX_TABLE_BYTES,
)

__all__ = [
    "FINDINGS",
    "MAX_ATTRIBUTES",
    "MAX_CHANNELS",
    "MAX_HEADER_BYTES",
    "MAX_LIST_BYTES",
    "MAX_PARTS",
    "MAX_TABLE_BYTES",
    "check_integrity",
    "chunk_count",
    "parse_header",
]
