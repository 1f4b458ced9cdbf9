"""The nouns that flow through exrindex. Values only: no I/O, no behaviour beyond naming facts.

``NamedTuple`` where a scan makes dozens per file (a third of a frozen dataclass's cost),
frozen slotted dataclasses elsewhere. Every type here can be pickled.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

JSONValue: TypeAlias = (
    "bool | int | float | str | Sequence[JSONValue] | Mapping[str, JSONValue] | None"
)


# The rules behind the vectors. Any change to them is a new version; vectors of two versions must
# never be compared.
EMBEDDING_VERSION = "exr-hdr-1"
METADATA_DIMS = 384
CHANNEL_DIMS = 128

# Views of one file that are told apart; real files have two.
MAX_VIEWS = 64


class Integrity(StrEnum):
    """What header, offset table and last chunk say about the pixels, which are never read."""

    OK = "ok"
    INCOMPLETE = "incomplete"
    TRUNCATED = "truncated"
    UNCHECKED = "unchecked"

    @property
    def is_broken(self) -> bool:
        """Whether pixels are missing."""
        return self in (Integrity.INCOMPLETE, Integrity.TRUNCATED)


class Stage(StrEnum):
    """Where a file was lost: while listing, reading or parsing."""

    LIST = "list"
    READ = "read"
    PARSE = "parse"


class FailureCode(StrEnum):
    """Why a file has no row in ``files``."""

    EMPTY = "empty"
    NOT_EXR = "not_exr"
    TRUNCATED_HEADER = "truncated_header"
    DAMAGED_HEADER = "damaged_header"
    UNREADABLE = "unreadable"
    VANISHED = "vanished"
    NOT_A_FILE = "not_a_file"
    TIMEOUT = "timeout"
    CRASHED = "crashed"


class FileRef(NamedTuple):
    """A file as it was listed.

    ``uri`` is an absolute path as ``os.fsdecode`` gives it (undecodable bytes as lone
    surrogates); ``size`` in bytes; ``mtime_ns`` in nanoseconds since the epoch, UTC.
    """

    uri: str
    size: int
    mtime_ns: int


class Box(NamedTuple):
    """A window in pixels; all four corners are inside it."""

    x_min: int
    y_min: int
    x_max: int
    y_max: int

    @property
    def width(self) -> int:
        return self.x_max - self.x_min + 1

    @property
    def height(self) -> int:
        return self.y_max - self.y_min + 1


class Channel(NamedTuple):
    """One channel as the file lists it; ``type`` is half, float, uint or ``unknown_N``."""

    name: str
    type: str
    x_sampling: int
    y_sampling: int
    p_linear: bool


class Attribute(NamedTuple):
    """One attribute as written.

    ``value`` is ready for JSON and must not be changed: equal values may be shared between
    files. ``raw`` holds the value's bytes, ``offset`` is where they start in the file.
    ``problem`` says why the bytes do not fit the type, or is None; ``value`` then describes
    the bytes instead.
    """

    name: str
    type: str
    value: JSONValue
    raw: bytes
    offset: int
    problem: str | None


class Tile(NamedTuple):
    """Tile size in pixels; level_mode one_level, mipmap_levels or ripmap_levels;
    rounding_mode round_down or round_up."""

    x_size: int
    y_size: int
    level_mode: str
    rounding_mode: str


class Finding(NamedTuple):
    """Something a reader may stumble over, though the header as a whole was read.

    ``code`` is stable and listed in docs/schema.md; ``attribute`` and ``part`` may be None.
    """

    code: str
    message: str
    part: int | None
    attribute: str | None
    offset: int | None


@dataclass(frozen=True, slots=True)
class Part:
    """One part (an image in the file). A field is None where the file does not say.

    ``attributes`` holds every attribute in file order, duplicates and required ones included.
    ``type`` is the ``type`` attribute, or what the version flags imply in a single-part file.
    ``chunk_count`` is the ``chunkCount`` attribute, or else the number computed from the windows.
    """

    index: int
    name: str | None
    type: str | None
    view: str | None
    data_window: Box | None
    display_window: Box | None
    compression: str | None
    line_order: str | None
    pixel_aspect_ratio: float | None
    screen_window_center: tuple[float, float] | None
    screen_window_width: float | None
    tile: Tile | None
    chunk_count: int | None
    channels: tuple[Channel, ...]
    attributes: tuple[Attribute, ...]

    @property
    def is_deep(self) -> bool:
        return self.type in ("deepscanline", "deeptile")

    @property
    def is_tiled(self) -> bool:
        return self.type in ("tiledimage", "deeptile")


TILED_FLAG, LONG_NAMES_FLAG, DEEP_FLAG, MULTIPART_FLAG = 0x200, 0x400, 0x800, 0x1000


@dataclass(frozen=True, slots=True)
class Header:
    """Everything before the offset tables.

    ``flags`` are the version field's upper 24 bits in place; ``nbytes`` counts from the magic
    number to the end of the last part's header; ``hash`` is the SHA-256 of those bytes in hex.
    """

    version: int
    flags: int
    parts: tuple[Part, ...]
    nbytes: int
    hash: str
    findings: tuple[Finding, ...]

    @property
    def is_tiled(self) -> bool:
        return bool(self.flags & TILED_FLAG) or any(part.is_tiled for part in self.parts)

    @property
    def is_deep(self) -> bool:
        return bool(self.flags & DEEP_FLAG) or any(part.is_deep for part in self.parts)

    @property
    def is_multipart(self) -> bool:
        return bool(self.flags & MULTIPART_FLAG)

    @property
    def views(self) -> tuple[str, ...]:
        """The ``multiView`` attribute of a single-part file, default view first; else empty.

        The first ``MAX_VIEWS`` of them.
        """
        if self.is_multipart:
            return ()
        for part in self.parts:
            for attribute in part.attributes:
                if attribute.name == "multiView" and isinstance(attribute.value, list):
                    names = attribute.value[:MAX_VIEWS]
                    return tuple(name for name in names if isinstance(name, str))
        return ()


@dataclass(frozen=True, slots=True)
class Failure:
    """A file (or a directory, at stage ``list``) that could not be indexed, and why."""

    uri: str
    stage: Stage
    code: FailureCode
    reason: str
    offset: int | None = None
    size: int | None = None
    mtime_ns: int | None = None


class Skipped(NamedTuple):
    """A place the walk passed over on purpose; ``reason`` is one of a few fixed phrases."""

    uri: str
    reason: str


@dataclass(frozen=True, slots=True)
class Indexed:
    """One file with everything that is derived from its header.

    ``metadata_embedding`` is float32[384]; ``fingerprint`` and each of ``part_fingerprints``
    (one per part) is float32[128]; all of unit length.
    """

    ref: FileRef
    header: Header
    integrity: Integrity
    metadata_embedding: NDArray[np.float32]
    fingerprint: NDArray[np.float32]
    part_fingerprints: tuple[NDArray[np.float32], ...]
