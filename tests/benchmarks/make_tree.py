"""Write a large, seeded tree of frames fast: whole headers and offset tables, token pixels.

    python tests/benchmarks/make_tree.py DIR [--files N] [--frames N] [--seed S]

Each directory holds one sequence of 30 channels and 30 attributes a frame, of which the time
code, a date, a render time and a matrix change from frame to frame.
"""

from __future__ import annotations

import argparse
import random
import struct
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from exrmaker import Channel, attr, header, minimal_part

LAYERS = "diffuse specular coat transmission sss emission volume albedo".split()
CHUNKS = 68  # of a picture of 1080 lines, 16 lines each


def frame_bytes(rng: random.Random, shot: str, renderer: str, frame: int) -> bytes:
    """One frame: header, offset table, and chunks of eight bytes each."""
    channels = [Channel(c) for c in "ABGR"] + [Channel("Z", "float")]
    channels += [Channel(f"{layer}.{c}") for layer in LAYERS for c in "BGR"]
    channels += [Channel("motion.X", "float")]
    attributes = [
        attr("capDate", "string", f"2026:11:23 {frame % 24:02d}:{rng.randrange(60):02d}:00"),
        attr("timeCode", "timecode", (int(str(frame % 24), 16), 0)),
        attr("worldToCamera", "m44f", [rng.uniform(-9, 9) for _ in range(16)]),
        attr(f"{renderer}/stats/time", "float", rng.uniform(10, 9000)),
        attr(f"{renderer}/version", "string", "7.2.1.0"),
        attr("owner", "string", "lighting"),
        attr("studio/shot", "string", shot),
        attr("framesPerSecond", "rational", (24, 1)),
        *(attr(f"{renderer}/option_{i:02d}", "int", i) for i in range(14)),
    ]
    window = (0, 0, 1919, 1079)
    part = minimal_part(
        channels=sorted(channels), data_window=window, compression="zip", attributes=attributes
    )
    head = header([part])
    start = len(head) + 8 * CHUNKS
    offsets = struct.pack(f"<{CHUNKS}Q", *range(start, start + 8 * CHUNKS, 8))
    return head + offsets + b"".join(struct.pack("<ii", 16 * i, 0) for i in range(CHUNKS))


def make_tree(root: Path, files: int, frames: int = 100, seed: int = 1) -> None:
    """Write ``files`` frames, ``frames`` to a directory."""
    rng = random.Random(seed)
    for number, first in enumerate(range(0, files, frames)):
        shot = f"sh{number:05d}"
        folder = root / "projx" / f"sq{number // 50:03d}" / shot / "render" / "v001"
        folder.mkdir(parents=True, exist_ok=True)
        renderer = rng.choice(("arnold", "karma", "studio"))
        for index in range(min(frames, files - first)):
            data = frame_bytes(rng, shot, renderer, 1001 + index)
            (folder / f"beauty.{1001 + index}.exr").write_bytes(data)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("directory", type=Path)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--frames", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    wanted = parser.parse_args()
    make_tree(wanted.directory, wanted.files, wanted.frames, wanted.seed)


if __name__ == "__main__":
    main()
