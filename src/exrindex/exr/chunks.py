"""How many chunks the pixels of a part are cut into ("OpenEXR File Layout", Offset Tables)."""

from __future__ import annotations

from exrindex.exr.spec import LINES_PER_CHUNK
from exrindex.model import Box, Part, Tile


def chunk_count(part: Part) -> int | None:
    """The number that type, data window, compression and tiles give; the written ``chunkCount``
    does not matter, as in the reference reader. None where they do not give one."""
    return count_chunks(part.type, part.data_window, part.compression, part.tile)


def count_chunks(
    part_type: str | None, window: Box | None, compression: str | None, tile: Tile | None
) -> int | None:
    """Like ``chunk_count``, for a part that is not built yet."""
    if window is None:
        return None
    width = window.x_max - window.x_min + 1
    height = window.y_max - window.y_min + 1
    if width < 1 or height < 1:
        return None
    if part_type in ("scanlineimage", "deepscanline"):
        lines = LINES_PER_CHUNK.get(compression or "")
        return -(-height // lines) if lines else None
    if part_type in ("tiledimage", "deeptile"):
        return _count_tiles(width, height, tile)
    return None


def _count_tiles(width: int, height: int, tile: Tile | None) -> int | None:
    if tile is None or tile.x_size < 1 or tile.y_size < 1:
        return None
    if tile.rounding_mode not in ("round_down", "round_up"):
        return None
    up = tile.rounding_mode == "round_up"
    if tile.level_mode == "one_level":
        return _tiles(width, tile.x_size) * _tiles(height, tile.y_size)
    if tile.level_mode == "mipmap_levels":
        return sum(
            _tiles(_level_size(width, level, up), tile.x_size)
            * _tiles(_level_size(height, level, up), tile.y_size)
            for level in range(_level_count(max(width, height), up))
        )
    if tile.level_mode == "ripmap_levels":
        return _tiles_of_all_levels(width, tile.x_size, up) * _tiles_of_all_levels(
            height, tile.y_size, up
        )
    return None


def _tiles_of_all_levels(size: int, tile_size: int, up: bool) -> int:
    return sum(
        _tiles(_level_size(size, level, up), tile_size) for level in range(_level_count(size, up))
    )


def _tiles(size: int, tile_size: int) -> int:
    return -(-size // tile_size)


def _level_count(size: int, up: bool) -> int:
    """One more than the binary logarithm, rounded up or down."""
    return (size - 1).bit_length() + 1 if up else size.bit_length()


def _level_size(size: int, level: int, up: bool) -> int:
    return max(1, -(-size >> level) if up else size >> level)
