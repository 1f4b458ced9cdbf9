"""Write a large, seeded tree of frames fast: whole headers and offset tables, token pixels.

    python tests/benchmarks/make_tree.py DIR [--files N] [--frames N] [--seed S] [--mixed]

Each directory holds one sequence of 30 channels and 30 attributes a frame, of which the time
code, a date, a render time and a matrix change from frame to frame. With ``--mixed`` sequences have
from 4 to 150 channels. A frame's header is made once for each sequence; what changes is written
into copies of it.
"""

from __future__ import annotations

import argparse
import random
import struct
import sys
from collections.abc import Iterator
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from exrmaker import Channel, attr, header, minimal_part, raw_attr

LAYERS = "diffuse specular coat transmission sss emission volume albedo".split()
CHUNKS = 68  # of a picture of 1080 lines, 16 lines each
MIXED = (4, 4, 5, 8, 12, 21, 30, 30, 45, 60, 90, 150)
_DATE, _TIME, _CODE, _MATRIX = (
    b"2026:11:23 00:00:00",
    struct.pack("<f", 12345.678),
    struct.pack("<II", 0xABCDEF01, 0),
    struct.pack("<16f", *(0.125 + i for i in range(16))),
)


def channel_list(count: int) -> list[Channel]:
    """So many channels, as a renderer names them: the beauty, depth, motion, and layers."""
    names = [Channel(c) for c in "ABGR"] + [Channel("Z", "float"), Channel("motion.X", "float")]
    names += [Channel(f"{layer}.{c}") for layer in LAYERS for c in "BGR"]
    names += [Channel(f"light_{n:02d}.{c}") for n in range(count) for c in "BGR"]
    return sorted(names[:count])


def frame_template(shot: str, renderer: str, channels: int) -> bytes:
    """A frame: header, offset table, and chunks of eight bytes each; see ``patch``."""
    attributes = [
        attr("capDate", "string", _DATE.decode()),
        raw_attr("timeCode", "timecode", _CODE),
        raw_attr("worldToCamera", "m44f", _MATRIX),
        raw_attr(f"{renderer}/stats/time", "float", _TIME),
        attr(f"{renderer}/version", "string", "7.2.1.0"),
        attr("owner", "string", "lighting"),
        attr("studio/shot", "string", shot),
        attr("framesPerSecond", "rational", (24, 1)),
        *(attr(f"{renderer}/option_{i:02d}", "int", i) for i in range(14)),
    ]
    part = minimal_part(
        channels=channel_list(channels),
        data_window=(0, 0, 1919, 1079),
        compression="zip",
        attributes=attributes,
    )
    head = header([part])
    start = len(head) + 8 * CHUNKS
    offsets = struct.pack(f"<{CHUNKS}Q", *range(start, start + 8 * CHUNKS, 8))
    return head + offsets + b"".join(struct.pack("<ii", 16 * i, 0) for i in range(CHUNKS))


def patch(frame: bytearray, places: tuple[int, ...], rng: random.Random, number: int) -> None:
    """Write what changes from frame to frame into a copy of the template."""
    date = b"2026:11:23 %02d:%02d:%02d" % (number % 24, rng.randrange(60), rng.randrange(60))
    values = (
        date,
        struct.pack("<II", number % 0x60, 0),
        struct.pack("<16f", *(rng.uniform(-9, 9) for _ in range(16))),
        struct.pack("<f", rng.uniform(10, 9000)),
    )
    for place, value in zip(places, values, strict=True):
        frame[place : place + len(value)] = value


def frames_of(
    rng: random.Random, shot: str, renderer: str, channels: int, count: int
) -> Iterator[bytes]:
    """The frames of one sequence."""
    template = frame_template(shot, renderer, channels)
    places = tuple(template.index(value) for value in (_DATE, _CODE, _MATRIX, _TIME))
    for number in range(count):
        frame = bytearray(template)
        patch(frame, places, rng, number)
        yield bytes(frame)


def make_tree(
    root: Path, files: int, frames: int = 100, seed: int = 1, *, mixed: bool = False
) -> None:
    """Write ``files`` frames, ``frames`` to a directory."""
    rng = random.Random(seed)
    for number, first in enumerate(range(0, files, frames)):
        shot = f"sh{number:05d}"
        folder = root / "projx" / f"sq{number // 50:03d}" / shot / "render" / "v001"
        folder.mkdir(parents=True, exist_ok=True)
        renderer = rng.choice(("arnold", "karma", "studio"))
        channels = rng.choice(MIXED) if mixed else 30
        count = min(frames, files - first)
        for index, frame in enumerate(frames_of(rng, shot, renderer, channels, count)):
            (folder / f"beauty.{1001 + index}.exr").write_bytes(frame)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--mixed", action="store_true", help="4 to 150 channels")
    wanted = parser.parse_args()
    make_tree(wanted.directory, wanted.files, wanted.frames, wanted.seed, mixed=wanted.mixed)


if __name__ == "__main__":
    main()
