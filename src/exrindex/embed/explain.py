"""How far two headers are apart, and which of their facts account for it.

All of it follows from the stored vectors: the blocks have fixed places, so the sum of the squared
differences inside a block is that block's part of the distance.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import fsum
from typing import NamedTuple

import numpy as np

from exrindex.embed.layout import FINGERPRINT_BLOCKS, METADATA_BLOCKS, Block, FloatVector


class Share(NamedTuple):
    """What one group or block adds to a distance.

    ``share`` is a part of the cosine distance, never negative; ``of_weight`` says how different
    the two are in this respect alone, from 0 (the same) to 1 (nothing in common).
    """

    name: str
    share: float
    of_weight: float


def distance(u: FloatVector, v: FloatVector) -> float:
    """Cosine distance of two unit vectors, as half their squared difference: exact near 0."""
    return fsum(_squares(u, v)) / 2


def explain(u: FloatVector, v: FloatVector) -> list[Share]:
    """Shares by group for two metadata vectors, the largest first; they sum to the distance."""
    return _by_group(u, v, METADATA_BLOCKS)


def explain_blocks(u: FloatVector, v: FloatVector) -> list[Share]:
    """Shares by block for two metadata vectors, the largest first; they sum to the distance."""
    return _by_block(u, v, METADATA_BLOCKS)


def explain_fingerprints(u: FloatVector, v: FloatVector) -> list[Share]:
    """Shares by group for two fingerprints, the largest first; they sum to the distance."""
    return _by_group(u, v, FINGERPRINT_BLOCKS)


def explain_fingerprint_blocks(u: FloatVector, v: FloatVector) -> list[Share]:
    """Shares by block for two fingerprints, the largest first; they sum to the distance."""
    return _by_block(u, v, FINGERPRINT_BLOCKS)


def _squares(u: FloatVector, v: FloatVector) -> list[float]:
    difference = np.asarray(u, np.float64) - np.asarray(v, np.float64)
    squares: list[float] = (difference * difference).tolist()
    return squares


def _by_group(u: FloatVector, v: FloatVector, blocks: Mapping[str, Block]) -> list[Share]:
    squares = _squares(u, v)
    groups: dict[str, list[Block]] = {}
    for block in blocks.values():
        groups.setdefault(block.group, []).append(block)
    return _sorted(
        _share(name, [s for block in members for s in squares[block.slice]], members)
        for name, members in groups.items()
    )


def _by_block(u: FloatVector, v: FloatVector, blocks: Mapping[str, Block]) -> list[Share]:
    squares = _squares(u, v)
    return _sorted(_share(b.name, squares[b.slice], [b]) for b in blocks.values())


def _share(name: str, squares: Sequence[float], members: Sequence[Block]) -> Share:
    share = fsum(squares) / 2
    weight = sum(block.weight for block in members) / 1000
    return Share(name, share, min(1.0, share / weight))


def _sorted(shares: Iterable[Share]) -> list[Share]:
    return sorted(shares, key=lambda share: -share.share)
