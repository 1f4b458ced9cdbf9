"""Where each fact about a header lives in its vectors, and how much it weighs.

A vector is a row of blocks. Each block has a fixed share of the squared length, whatever it holds,
so blocks cannot drown one another and a distance is the sum of what the blocks contribute.
Everything before ``scaled`` is integers; ``scaled`` uses only operations that IEEE 754 rounds
correctly, so that equal headers give equal bits on every machine.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from exrindex.model import CHANNEL_DIMS, METADATA_DIMS

IntVector: TypeAlias = NDArray[np.int64]
FloatVector: TypeAlias = NDArray[np.float32]


class Block(NamedTuple):
    """A slice of a vector; ``weight`` is its share of the squared length in thousandths."""

    name: str
    group: str
    start: int
    size: int
    weight: int

    @property
    def slice(self) -> slice:
        return slice(self.start, self.start + self.size)


def _table(rows: Iterable[tuple[str, str, int, int]]) -> dict[str, Block]:
    blocks: dict[str, Block] = {}
    start = 0
    for name, group, size, weight in rows:
        blocks[name] = Block(name, group, start, size, weight)
        start += size
    return blocks


METADATA_BLOCKS = _table(
    (
        ("channels", "channels", 104, 255),
        ("layers", "channels", 40, 90),
        ("components", "channels", 16, 20),
        ("types", "channels", 6, 50),
        ("counts", "channels", 20, 30),
        ("compression", "compression", 20, 70),
        ("storage", "storage", 18, 55),
        ("w_size", "windows", 16, 40),
        ("w_aspect", "windows", 10, 20),
        ("w_over", "windows", 6, 30),
        ("w_crop", "windows", 8, 10),
        ("w_exact", "windows", 14, 20),
        ("views", "views", 12, 70),
        ("parts", "parts", 18, 65),
        ("attributes", "attributes", 40, 95),
        ("software", "software", 24, 60),
        ("values", "values", 12, 20),
    )
)
METADATA_SIZE = METADATA_DIMS

FINGERPRINT_BLOCKS = _table(
    (
        ("f_names", "names", 32, 260),
        ("f_typed", "types", 32, 205),
        ("f_layers", "layers", 24, 195),
        ("f_words", "layers", 12, 95),
        ("f_components", "components", 8, 65),
        ("f_classes", "components", 8, 60),
        ("f_types", "types", 4, 90),
        ("f_sampling", "sampling", 6, 25),
        ("f_linear", "sampling", 2, 5),
    )
)
FINGERPRINT_SIZE = CHANNEL_DIMS


def scaled(values: IntVector, weight: int) -> FloatVector:
    """``values`` scaled to a squared length of ``weight``/1000.

    Zero is no direction, so a block of zeros stands for its first axis.
    """
    energy = int(values @ values)
    if energy == 0:
        values = np.zeros_like(values)
        values[0] = energy = 1
    return (values * math.sqrt(weight / (1000 * energy))).astype(np.float32)


def place(vector: FloatVector, block: Block, values: IntVector) -> None:
    """Write one block of ``vector`` in its place."""
    vector[block.slice] = scaled(values, block.weight)
