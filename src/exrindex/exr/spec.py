"""What the OpenEXR file format fixes: numbers, names, limits, and the vocabulary of findings.

Clauses refer to the document "OpenEXR File Layout" (openexr.com) and to OpenEXR 3.5.
"""

from __future__ import annotations

from typing import Final

from exrindex.model import DEEP_FLAG, LONG_NAMES_FLAG, MULTIPART_FLAG, TILED_FLAG

MAGIC: Final = b"\x76\x2f\x31\x01"
VERSION: Final = 2
KNOWN_FLAGS: Final = TILED_FLAG | LONG_NAMES_FLAG | DEEP_FLAG | MULTIPART_FLAG

# Names (attribute, type, channel) in bytes without the terminator; the shorter limit holds
# where the long-names flag is not set, but no reader of today insists on it.
MAX_NAME_BYTES: Final = 255
MAX_SHORT_NAME_BYTES: Final = 31

# Limits of this parser. The format has none; real Cryptomatte manifests reach 100 MB.
MAX_HEADER_BYTES: Final = 128 * 1024 * 1024
MAX_ATTRIBUTES: Final = 65_536
MAX_PARTS: Final = 4_096
MAX_CHANNELS: Final = 16_384
# A hostile header could have a finding for every few bytes; the first ones say enough.
MAX_FINDINGS: Final = 1_000
# Values that are lists of any length (channel lists, vectors) become objects many times larger
# than their bytes: of one header this many bytes are decoded, further lists are kept as bytes.
MAX_LIST_BYTES: Final = 4 * 1024 * 1024
LIST_TYPES: Final = frozenset(("chlist", "floatvector", "stringvector"))
# Text that is not UTF-8 is shown with escapes up to this many bytes; escaping takes long.
MAX_ESCAPED_BYTES: Final = 64 * 1024
# The largest offset tables that are read to judge a file's integrity.
MAX_TABLE_BYTES: Final = 8 * 1024 * 1024

# The codes of enumerated values, in order from 0.
COMPRESSIONS: Final = (
    "none", "rle", "zips", "zip", "piz", "pxr24", "b44", "b44a", "dwaa", "dwab",
    "htj2k256", "htj2k32", "lj2k", "zstd",
)  # fmt: skip
LINE_ORDERS: Final = ("increasing_y", "decreasing_y", "random_y")
ENVMAPS: Final = ("latlong", "cube")
DEEP_IMAGE_STATES: Final = ("messy", "sorted", "non_overlapping", "tidy")
LEVEL_MODES: Final = ("one_level", "mipmap_levels", "ripmap_levels")
ROUNDING_MODES: Final = ("round_down", "round_up")
PIXEL_TYPES: Final = ("uint", "half", "float")

# Scan lines that share a chunk.
LINES_PER_CHUNK: Final = {
    "none": 1, "rle": 1, "zips": 1, "zip": 16, "piz": 32, "pxr24": 16, "b44": 32, "b44a": 32,
    "dwaa": 32, "dwab": 256, "htj2k256": 256, "htj2k32": 32, "lj2k": 256, "zstd": 1,
}  # fmt: skip
DEEP_COMPRESSIONS: Final = frozenset(("none", "rle", "zips", "zstd"))

PART_TYPES: Final = frozenset(("scanlineimage", "tiledimage", "deepscanline", "deeptile"))

# Names the reference reader parses specially; with another type it drops the attribute.
RESERVED: Final = {
    "channels": "chlist",
    "compression": "compression",
    "dataWindow": "box2i",
    "displayWindow": "box2i",
    "lineOrder": "lineOrder",
    "pixelAspectRatio": "float",
    "screenWindowCenter": "v2f",
    "screenWindowWidth": "float",
    "tiles": "tiledesc",
    "name": "string",
    "type": "string",
    "version": "int",
    "chunkCount": "int",
}
# Further attributes whose meaning is used here, if they have this type.
MEANT: Final = RESERVED | {"view": "string", "chromaticities": "chromaticities"}

REQUIRED: Final = (
    "compression",
    "dataWindow",
    "displayWindow",
    "lineOrder",
    "pixelAspectRatio",
    "screenWindowCenter",
    "screenWindowWidth",
)
REQUIRED_MULTIPART: Final = ("name", "type", "chunkCount")
REQUIRED_DEEP: Final = ("type", "version", "chunkCount")

# Every code a ``Finding`` can have, and what it means.
FINDINGS: Final = {
    "flag_conflict": "the tiled flag is set together with the multi-part or deep flag",
    "type_conflict": "the part's type is unknown or contradicts the version flags",
    "missing_required": "a required attribute is missing, or has the wrong type or a bad value",
    "reserved_type": "a reserved name is used with another type; hosts drop the attribute",
    "duplicate_attribute": "a part has two attributes of one name; hosts keep only one of them",
    "parser_differential": "an attribute is repeated as a string or with another type; the "
    "reference reader takes the second value's bytes for header and loses its place",
    "malformed_value": "a value does not fit its type; the reference reader drops it or loses its "
    "place there, so that later attributes vanish or the pixels cannot be read",
    "not_decoded": "a list goes beyond what is decoded of one header and is kept as bytes",
    "long_name": "a name is longer than 31 bytes without the long-names flag",
    "long_text": "a part's name, view or type is longer than 255 bytes; it is kept, not used",
    "not_utf8": "a name or a text is not UTF-8",
    "unknown_enum": "an enumerated value has a code that is not known",
    "bad_window": "a window is inverted or reaches beyond ±(2³⁰−2); hosts refuse the file",
    "bad_number": "pixelAspectRatio or screenWindowWidth is out of range; hosts refuse the file",
    "bad_tiles": "a tiled part has no tile description or an impossible one; hosts refuse the file",
    "bad_chunk_count": "chunkCount is not the number that windows and compression give",
    "deep_compression": "a deep part uses a compression that deep data cannot have",
    "no_channels": "the channel list is empty; hosts refuse the file",
    "duplicate_channel": "the channel list names a channel twice; hosts refuse the file",
    "bad_pixel_type": "a channel's pixel type is unknown; hosts refuse the file",
    "bad_sampling": "a channel's sampling is below 1, does not divide the data window, or is "
    "not 1 in a tiled or deep part; hosts refuse the file",
    "unsorted_channels": "the channel list is not sorted by name; hosts read pixels as if it was",
    "channel_list_end": "the channel list lacks its terminator, or bytes follow it",
    "duplicate_part_name": "two parts have one name",
    "shared_conflict": "displayWindow, pixelAspectRatio or chromaticities differ between parts; "
    "hosts refuse the file",
}
