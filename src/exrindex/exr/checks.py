"""What hosts would repair or refuse in a header that was read: the findings about meaning."""

from __future__ import annotations

from collections.abc import Sequence

from exrindex.exr.channels import ChannelList
from exrindex.exr.chunks import chunk_count
from exrindex.exr.parts import Meant, implied_type
from exrindex.exr.spec import (
    DEEP_COMPRESSIONS,
    LEVEL_MODES,
    PART_TYPES,
    REQUIRED,
    REQUIRED_DEEP,
    REQUIRED_MULTIPART,
    ROUNDING_MODES,
)
from exrindex.model import (
    DEEP_FLAG,
    LONG_NAMES_FLAG,
    MULTIPART_FLAG,
    TILED_FLAG,
    Box,
    Finding,
    Part,
)

# The reference library refuses windows from here on: half of the largest int32.
_WINDOW_LIMIT = 2**30 - 1
_MAX_TILE_SIZE = (2**31 - 1) // 4


class PartChecks:
    """Gathers the findings about one part."""

    def __init__(self, part: Part, flags: int, meant: Meant, channels: ChannelList) -> None:
        self._part = part
        self._flags = flags
        self._meant = meant
        self._channels = channels
        self._findings: list[Finding] = []
        # Without these two flags the reference reader goes by the tiled flag, not by the type.
        actual = part.type if flags & (MULTIPART_FLAG | DEEP_FLAG) else implied_type(flags)
        self._is_deep = actual in ("deepscanline", "deeptile")
        self._is_tiled = actual in ("tiledimage", "deeptile")

    def run(self) -> list[Finding]:
        self._check_required()
        self._check_type()
        self._check_windows()
        self._check_numbers()
        self._check_tiles()
        self._check_chunks()
        self._check_channels()
        return self._findings

    def _add(self, code: str, message: str, name: str | None = None) -> None:
        attribute = self._meant.get(name) if name else None
        offset = attribute.offset if attribute else None
        self._findings.append(Finding(code, message, self._part.index, name, offset))

    def _check_required(self) -> None:
        meant = self._meant
        required = set(REQUIRED)
        if self._flags & MULTIPART_FLAG:
            required.update(REQUIRED_MULTIPART)
        if self._is_deep:
            required.update(REQUIRED_DEEP)
        for name in sorted(required - meant.keys()):
            self._add("missing_required", f"{name} is missing or unusable", name)

    def _check_type(self) -> None:
        attribute = self._meant.get("type")
        if attribute is None:
            return
        part_type, flags = self._part.type, self._flags
        if part_type not in PART_TYPES:
            self._add("type_conflict", f"the part type {attribute.value!r} is unknown", "type")
        elif flags & MULTIPART_FLAG:
            if self._part.is_deep and not flags & DEEP_FLAG:
                self._add("type_conflict", f"{part_type} in a file without the deep flag", "type")
        elif self._part.is_deep != bool(flags & DEEP_FLAG) or (
            not self._part.is_deep and self._part.is_tiled != bool(flags & TILED_FLAG)
        ):
            message = f"the type is {part_type}, the version flags say {implied_type(flags)}"
            self._add("type_conflict", message, "type")

    def _check_windows(self) -> None:
        if _is_bad(self._part.data_window):
            self._add("bad_window", "the data window is inverted or too large", "dataWindow")
        if _is_bad(self._part.display_window):
            message = "the display window is inverted or too large"
            self._add("bad_window", message, "displayWindow")

    def _check_numbers(self) -> None:
        aspect, width = self._part.pixel_aspect_ratio, self._part.screen_window_width
        if aspect is not None and not 1e-6 <= aspect <= 1e6:
            self._add("bad_number", f"pixelAspectRatio is {aspect}", "pixelAspectRatio")
        if width is not None and width < 0:
            self._add("bad_number", f"screenWindowWidth is {width}", "screenWindowWidth")

    def _check_tiles(self) -> None:
        if not self._is_tiled:
            return
        tile = self._part.tile
        if tile is None:
            self._add("bad_tiles", "a tiled part has no tile description", "tiles")
        elif not (1 <= tile.x_size <= _MAX_TILE_SIZE and 1 <= tile.y_size <= _MAX_TILE_SIZE):
            self._add("bad_tiles", f"the tile size is {tile.x_size} x {tile.y_size}", "tiles")
        elif tile.level_mode not in LEVEL_MODES or tile.rounding_mode not in ROUNDING_MODES:
            message = f"level mode {tile.level_mode}, rounding mode {tile.rounding_mode}"
            self._add("bad_tiles", message, "tiles")

    def _check_chunks(self) -> None:
        part = self._part
        if "chunkCount" in self._meant:
            computed = chunk_count(part)
            if computed is not None and computed != part.chunk_count:
                message = f"chunkCount is {part.chunk_count}, the image has {computed} chunks"
                self._add("bad_chunk_count", message, "chunkCount")
        compression = part.compression
        if self._is_deep and compression is not None and compression not in DEEP_COMPRESSIONS:
            self._add("deep_compression", f"deep data compressed with {compression}", "compression")

    def _check_channels(self) -> None:
        listed = self._channels
        for code, message in listed.notes:
            self._add(code, message, "channels")
        if listed.long_name and not self._flags & LONG_NAMES_FLAG:
            message = f"the channel name {listed.long_name} needs the long-names flag"
            self._add("long_name", message, "channels")
        if listed.sampled:
            self._check_sampling()

    def _check_sampling(self) -> None:
        part = self._part
        for channel in part.channels:
            x, y = channel.x_sampling, channel.y_sampling
            reason = None
            if x < 1 or y < 1:
                reason = "is below 1"
            elif self._is_deep or self._is_tiled:
                reason = f"is not 1 in a {part.type} part" if (x, y) != (1, 1) else None
            elif part.data_window and not _divides(x, y, part.data_window):
                reason = "does not divide the data window"
            if reason:
                message = f"the sampling {x} x {y} of channel {channel.name!r} {reason}"
                self._add("bad_sampling", message, "channels")
                return


def _is_bad(window: Box | None) -> bool:
    if window is None:
        return False
    x_min, y_min, x_max, y_max = window
    return (
        x_min > x_max
        or y_min > y_max
        or min(x_min, y_min) <= -_WINDOW_LIMIT
        or max(x_max, y_max) >= _WINDOW_LIMIT
    )


def _divides(x: int, y: int, window: Box) -> bool:
    return not (window.x_min % x or window.width % x or window.y_min % y or window.height % y)


def check_file(flags: int, parts: Sequence[Meant]) -> list[Finding]:
    """The findings that concern the version flags, or several parts together."""
    findings = []
    if flags & TILED_FLAG and flags & (DEEP_FLAG | MULTIPART_FLAG):
        message = "the tiled flag excludes the multi-part and deep flags; hosts refuse the file"
        findings.append(Finding("flag_conflict", message, None, None, 4))
    if len(parts) < 2:
        return findings
    names: dict[bytes, int] = {}
    for index, meant in enumerate(parts):
        name = meant.get("name")
        if name is not None and names.setdefault(name.raw, index) != index:
            message = f"parts {names[name.raw]} and {index} have the same name"
            findings.append(Finding("duplicate_part_name", message, index, "name", name.offset))
    for shared in ("displayWindow", "pixelAspectRatio", "chromaticities"):
        findings += _check_shared(shared, parts)
    return findings


def _check_shared(name: str, parts: Sequence[Meant]) -> list[Finding]:
    """The first part decides; a part may leave the attribute out."""
    first = parts[0].get(name)
    return [
        Finding("shared_conflict", f"{name} is not that of part 0", index, name, attribute.offset)
        for index, meant in enumerate(parts)
        if (attribute := meant.get(name)) and (first is None or first.raw != attribute.raw)
    ]
