"""Integrity from offset tables and the last chunk: made files, and real ones cut and zeroed."""

from __future__ import annotations

import struct
from pathlib import Path

import numpy as np
import OpenEXR
import pytest

from exrindex.exr import MAX_TABLE_BYTES, check_integrity, chunk_count, parse_header
from exrindex.exr.chunks import count_chunks
from exrindex.exr.spec import ROUNDING_MODES
from exrindex.model import Box, Integrity, Tile
from exrmaker import (
    COMPRESSION_CODES,
    DEEP,
    LEVEL_MODE_CODES,
    MULTIPART,
    TILED,
    attr,
    deep_scanline_chunk,
    deep_tile_chunk,
    exr_file,
    header,
    minimal_part,
    scanline_chunk,
    tile_chunk,
    whole_file,
)

LINE = bytes(24)


def judge(data: bytes, size: int | None = None) -> tuple[Integrity, list[tuple[int, int]]]:
    """The verdict, and the ranges that were read for it."""
    calls: list[tuple[int, int]] = []

    def read(start: int, stop: int) -> bytes:
        calls.append((start, stop))
        return data[start:stop]

    return check_integrity(parse_header(data), len(data) if size is None else size, read), calls


def made(kind: str) -> tuple[bytes, int]:
    """A whole file, and the place of its offset tables."""
    if kind == "scanline":
        return exr_file(), len(header([minimal_part()]))
    if kind == "tiled":
        head = header([minimal_part(tiles=(2, 2, 0))], TILED)
        tiles = [tile_chunk(x, y, bytes(24)) for y in range(2) for x in range(2)]
        return whole_file(head, [tiles]), len(head)
    if kind == "deep":
        head = header([minimal_part(part_type="deepscanline")], DEEP)
        lines = [deep_scanline_chunk(y, bytes(16), bytes(30 + y)) for y in range(3)]
        return whole_file(head, [lines]), len(head)
    if kind == "deeptile":
        head = header([minimal_part(part_type="deeptile", tiles=(4, 4, 0))], DEEP)
        return whole_file(head, [[deep_tile_chunk(0, 0, bytes(48), bytes(9))]]), len(head)
    parts = [
        minimal_part(name="a", part_type="scanlineimage", chunk_count=3),
        minimal_part(name="b", part_type="tiledimage", tiles=(4, 4, 0), chunk_count=1),
        minimal_part(name="c", part_type="deepscanline", chunk_count=3),
    ]
    head = header(parts, MULTIPART | DEEP)
    chunks = [
        [scanline_chunk(y, LINE, part=0) for y in range(3)],
        [tile_chunk(0, 0, bytes(72), part=1)],
        [deep_scanline_chunk(y, bytes(16), bytes(5), part=2) for y in range(3)],
    ]
    return whole_file(head, chunks), len(head)


KINDS = ["scanline", "tiled", "deep", "deeptile", "multi"]


@pytest.mark.parametrize("kind", KINDS)
def test_whole_files_take_two_reads(kind: str) -> None:
    data, table = made(kind)
    verdict, calls = judge(data)
    assert verdict is Integrity.OK
    assert len(calls) == 2
    assert calls[0][0] == table
    assert calls[1][1] - calls[1][0] <= 44


@pytest.mark.parametrize("kind", KINDS)
def test_every_cut_is_seen(kind: str) -> None:
    data, table = made(kind)
    for size in range(table, len(data)):
        verdict, calls = judge(data[:size])
        assert verdict is Integrity.TRUNCATED
        in_table = size < struct.unpack_from("<Q", data, table)[0]
        assert len(calls) <= (0 if in_table else 2)


@pytest.mark.parametrize("kind", KINDS)
def test_every_zero_is_seen(kind: str) -> None:
    data, table = made(kind)
    (first,) = struct.unpack_from("<Q", data, table)
    for place in range(table, first, 8):
        for entry in (0, table, first - 1):
            if entry < first:
                broken = data[:place] + struct.pack("<Q", entry) + data[place + 8 :]
                assert judge(broken)[0] is Integrity.INCOMPLETE
    verdict, calls = judge(data[:table] + bytes(first - table) + data[first:])
    assert verdict is Integrity.INCOMPLETE
    assert len(calls) == 1


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_behind_the_last_chunk_do_not_matter(kind: str) -> None:
    data, _ = made(kind)
    assert judge(data + b"garbage")[0] is Integrity.OK


def test_lost_data_weighs_more_than_a_zero() -> None:
    data, table = made("scanline")
    zeroed = data[:table] + bytes(8) + data[table + 8 :]
    assert judge(zeroed)[0] is Integrity.INCOMPLETE
    assert judge(zeroed[:-1])[0] is Integrity.TRUNCATED
    beyond = data[:table] + struct.pack("<QQ", 0, 2**63) + data[table + 16 :]
    verdict, calls = judge(beyond)
    assert verdict is Integrity.TRUNCATED
    assert len(calls) == 1


def test_chunks_in_any_order() -> None:
    data, table = made("scanline")
    offsets = struct.unpack_from("<3Q", data, table)
    shuffled = data[:table] + struct.pack("<3Q", *reversed(offsets)) + data[table + 24 :]
    assert judge(shuffled)[0] is Integrity.OK
    assert judge(shuffled[:-1])[0] is Integrity.TRUNCATED


def test_the_last_chunk_may_be_of_any_part() -> None:
    """The layout read is that of the part whose table holds the highest offset."""
    data, table = made("multi")
    offsets = list(struct.unpack_from("<7Q", data, table))
    tile = data[offsets[3] : offsets[4]]
    moved = data[:table] + struct.pack("<7Q", *offsets[:3], len(data), *offsets[4:])
    moved += data[table + 56 :] + tile
    assert judge(moved)[0] is Integrity.OK
    assert judge(moved[:-1])[0] is Integrity.TRUNCATED


@pytest.mark.parametrize("claimed", [-1, -(2**31), 2**31 - 1, 25])
def test_absurd_sizes_of_the_last_chunk(claimed: int) -> None:
    data, table = made("scanline")
    (last,) = struct.unpack_from("<Q", data, table + 16)
    broken = data[: last + 4] + struct.pack("<i", claimed) + data[last + 8 :]
    assert judge(broken)[0] is Integrity.TRUNCATED


def test_a_file_that_shrinks_while_it_is_judged() -> None:
    data, table = made("scanline")
    (last,) = struct.unpack_from("<Q", data, table + 16)
    assert judge(data[: table + 10], len(data))[0] is Integrity.TRUNCATED
    assert judge(data[: last + 6], len(data))[0] is Integrity.TRUNCATED


UNCHECKED = [
    minimal_part(without=["dataWindow"]),
    minimal_part(data_window=(0, 5, 9, 4)),
    minimal_part(data_window=(5, 0, 4, 9)),
    minimal_part(compression=200),
    minimal_part(without=["compression"]),
    minimal_part(part_type="tiledimage"),
    minimal_part(part_type="cloud"),
    minimal_part(part_type="deepscanline"),
]


@pytest.mark.parametrize("part", UNCHECKED)
def test_unknown_numbers_of_chunks_are_not_guessed(part: list[bytes]) -> None:
    assert judge(header([part]) + bytes(1000)) == (Integrity.UNCHECKED, [])


@pytest.mark.parametrize(
    "part",
    [
        minimal_part(),
        minimal_part(tiles=(0, 4, 0)),
        minimal_part(tiles=(4, 0, 1)),
        minimal_part(tiles=(4, 4, 5)),
        minimal_part(tiles=(4, 4, 0x20)),
    ],
)
def test_unusable_tiles(part: list[bytes]) -> None:
    assert judge(header([part], TILED) + bytes(1000)) == (Integrity.UNCHECKED, [])


def test_large_tables_are_not_read() -> None:
    lines = MAX_TABLE_BYTES // 8
    for extra, expected in ((0, Integrity.INCOMPLETE), (1, Integrity.UNCHECKED)):
        data = header([minimal_part(data_window=(0, 0, 0, lines + extra - 1))])
        verdict = check_integrity(
            parse_header(data), 2**40, lambda start, stop: bytes(stop - start)
        )
        assert verdict is expected
    assert judge(data, 10_000) == (Integrity.TRUNCATED, [])


# --- numbers of chunks ------------------------------------------------------------------------


LINES = {
    "none": 1, "rle": 1, "zips": 1, "zip": 16, "piz": 32, "pxr24": 16, "b44": 32, "b44a": 32,
    "dwaa": 32, "dwab": 256, "htj2k256": 256, "htj2k32": 32, "lj2k": 256, "zstd": 1,
}  # fmt: skip


@pytest.mark.parametrize(("compression", "lines"), LINES.items())
def test_scan_lines(compression: str, lines: int) -> None:
    for height in (1, lines, lines + 1, 1000):
        window = (0, -7, 9, height - 8)
        part = parse_header(header([minimal_part(data_window=window, compression=compression)]))
        assert chunk_count(part.parts[0]) == part.parts[0].chunk_count == -(-height // lines)


@pytest.mark.parametrize(
    ("mode", "rounding", "count"),
    [
        # 35 x 18 in tiles of 8 x 4: levels 35 17 8 4 2 1 (down) or 35 18 9 5 3 2 1 (up).
        ("one_level", "round_down", 5 * 5),
        ("mipmap_levels", "round_down", 5 * 5 + 3 * 3 + 1 + 1 + 1 + 1),
        ("mipmap_levels", "round_up", 5 * 5 + 3 * 3 + 2 * 2 + 1 + 1 + 1 + 1),
        ("ripmap_levels", "round_down", (5 + 3 + 1 + 1 + 1 + 1) * (5 + 3 + 1 + 1 + 1)),
        ("ripmap_levels", "round_up", (5 + 3 + 2 + 1 + 1 + 1 + 1) * (5 + 3 + 2 + 1 + 1 + 1)),
        ("unknown_7", "round_up", None),
        ("one_level", "unknown_7", None),
    ],
)
def test_tiles_of_all_levels(mode: str, rounding: str, count: int | None) -> None:
    tile = Tile(8, 4, mode, rounding)
    assert count_chunks("tiledimage", Box(1, 1, 35, 18), "zip", tile) == count


@pytest.mark.parametrize("rounding", ROUNDING_MODES)
def test_sizes_of_levels(rounding: str) -> None:
    """In tiles of one pixel a level has as many tiles as pixels."""
    sizes = (19, 10, 5, 3, 2, 1) if rounding == "round_up" else (19, 9, 4, 2, 1)
    for window in (Box(0, 0, 18, 1), Box(0, 0, 1, 18)):
        short = [2] + [1] * (len(sizes) - 1)
        mips = sum(size * other for size, other in zip(sizes, short, strict=True))
        one = Tile(1, 1, "mipmap_levels", rounding)
        assert count_chunks("tiledimage", window, None, one) == mips
        rips = Tile(1, 1, "ripmap_levels", rounding)
        assert count_chunks("deeptile", window, None, rips) == sum(sizes) * 3


def test_a_missing_deep_flag_does_not_hide_the_parts() -> None:
    parts = [minimal_part(name="a", part_type="deepscanline", chunk_count=3, without=["version"])]
    lines = [deep_scanline_chunk(y, bytes(16), bytes(5), part=0) for y in range(3)]
    data = whole_file(header(parts, MULTIPART), [lines])
    assert judge(data)[0] is Integrity.OK
    assert judge(data[:-1])[0] is Integrity.TRUNCATED


@pytest.mark.parametrize("size", [2**31 - 1, 2**32])
def test_huge_windows_are_arithmetic_only(size: int) -> None:
    window = Box(0, 0, size - 1, size - 1)
    for mode in LEVEL_MODE_CODES:
        assert (count_chunks("tiledimage", window, None, Tile(1, 1, mode, "round_up")) or 0) > 2**61


# --- files written by OpenEXR -----------------------------------------------------------------

HEIGHT, WIDTH = 300, 40


def write(path: Path, kind: str, compression: str) -> bytes:
    rng = np.random.default_rng(1)
    if kind.startswith("deep"):
        pixels = np.empty((HEIGHT, WIDTH), dtype=object)
        for y, x in np.ndindex(HEIGHT, WIDTH):
            pixels[y, x] = np.full((x + y) % 3 + 1, x, dtype=np.float32)
    else:
        pixels = rng.random((HEIGHT, WIDTH)).astype(np.float16)
    head = {
        "type": getattr(OpenEXR, kind),
        "compression": OpenEXR.Compression(COMPRESSION_CODES[compression]),
    }
    if kind in ("tiledimage", "deeptile"):
        head["tiles"] = OpenEXR.TileDescription()
        head["tiles"].xSize, head["tiles"].ySize = 16, 32
    OpenEXR.File(head, {"Z": pixels}).write(str(path))
    return path.read_bytes()


WRITTEN = [
    *(("scanlineimage", compression) for compression in COMPRESSION_CODES),
    ("tiledimage", "zip"),
    ("tiledimage", "dwab"),
    ("deepscanline", "zips"),
    ("deeptile", "rle"),
]


@pytest.mark.parametrize(("kind", "compression"), WRITTEN)
def test_written_files_cut_and_zeroed(tmp_path: Path, kind: str, compression: str) -> None:
    data = write(tmp_path / "written.exr", kind, compression)
    verdict, calls = judge(data)
    assert (verdict, len(calls)) == (Integrity.OK, 2)
    start = parse_header(data).nbytes
    (first,) = struct.unpack_from("<Q", data, start)
    for size in {start, start + 1, first - 1, first, first + 9, len(data) // 2, len(data) - 1}:
        assert judge(data[:size])[0] is Integrity.TRUNCATED
    count = chunk_count(parse_header(data).parts[0])
    assert first == start + 8 * (count or 0)
    for place in {start, first - 8}:
        zeroed = data[:place] + bytes(8) + data[place + 8 :]
        assert judge(zeroed)[0] is Integrity.INCOMPLETE


def test_written_parts_cut_in_each(tmp_path: Path) -> None:
    pixels = np.zeros((50, 20), np.float16)
    parts = [
        OpenEXR.Part({"type": OpenEXR.scanlineimage}, {"R": pixels}, name)
        for name in ("first", "second", "third")
    ]
    OpenEXR.File(parts).write(str(tmp_path / "parts.exr"))
    data = (tmp_path / "parts.exr").read_bytes()
    assert judge(data)[0] is Integrity.OK
    start = parse_header(data).nbytes
    for size in range(start, len(data), 37):
        verdict, calls = judge(data[:size])
        assert verdict is Integrity.TRUNCATED
        assert len(calls) <= 2


def test_mip_levels_that_were_never_written(tmp_path: Path) -> None:
    """The Python binding writes level 0 of a mip map and leaves zeros for the others."""
    tiles = OpenEXR.TileDescription()
    tiles.xSize = tiles.ySize = 16
    tiles.mode = OpenEXR.MIPMAP_LEVELS
    head = {"type": OpenEXR.tiledimage, "tiles": tiles}
    OpenEXR.File(head, {"R": np.zeros((64, 64), np.float16)}).write(str(tmp_path / "mip.exr"))
    assert judge((tmp_path / "mip.exr").read_bytes())[0] is Integrity.INCOMPLETE


def test_a_wrong_chunk_count_changes_nothing() -> None:
    part = minimal_part(chunk_count=99, attributes=[attr("n", "int", 1)])
    data = whole_file(header([part]), [[scanline_chunk(y, LINE) for y in range(3)]])
    assert judge(data)[0] is Integrity.OK
