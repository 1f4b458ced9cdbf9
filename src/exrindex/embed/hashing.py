"""Integers from facts: signs from texts, soft bins from sizes, filled bars from fractions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import lru_cache
from hashlib import blake2b
from itertools import pairwise

import numpy as np

from exrindex.embed.layout import IntVector

ONE = 1 << 16  # 1.0 as the fixed-point number that ``octaves`` returns
FULL = 1 << 16  # a full soft bin or bar; fine enough that one pixel shows in a 16K crop

_PERSON = b"exrindex/hdr-1"


@lru_cache(maxsize=32768)
def signs(block: str, token: str, size: int) -> bytes:
    """``size`` signs (int8, +1 or -1) that belong to a token in a block.

    Bits of a keyed BLAKE2b digest, most significant first, 1 for +1. ``surrogatepass`` keeps
    texts with undecodable bytes apart and accepts every ``str``.
    """
    text = f"{block}\0{token}".encode("utf-8", "surrogatepass")
    digest = blake2b(text, digest_size=-(-size // 8), person=_PERSON).digest()
    bits = np.unpackbits(np.frombuffer(digest, np.uint8), count=size).astype(np.int8)
    return (2 * bits - 1).tobytes()


def token_sum(block: str, size: int, amplitudes: Mapping[str, int]) -> IntVector:
    """Sum of the tokens' signs, each times its amplitude."""
    if not amplitudes:
        return np.zeros(size, np.int64)
    rows = b"".join([signs(block, token, size) for token in amplitudes])
    table = np.frombuffer(rows, np.int8).reshape(-1, size)
    return np.fromiter(amplitudes.values(), np.int64, len(amplitudes)) @ table.astype(np.int64)


def octaves(number: int) -> int:
    """Logarithm to base 2 in 16.16 fixed point, linear between powers of two; 0 below 1.

    Exact and monotone, unlike a floating-point logarithm, whose last bit depends on the platform.
    """
    if number < 1:
        return 0
    exponent = number.bit_length() - 1
    return (exponent << 16) + (((number - (1 << exponent)) << 16) >> exponent)


def soft_bins(value: int, *, first: float, step: float, count: int, half_width: float) -> list[int]:
    """Triangular bins around ``first``, ``first + step``, ...; near values share bins.

    ``value`` is in 16.16 fixed point and clamped to the outer centres; the other numbers are in
    octaves and exact in binary.
    """
    low, pitch, reach = round(first * ONE), round(step * ONE), round(half_width * ONE)
    value = min(max(value, low), low + (count - 1) * pitch)
    distances = (abs(value - low - i * pitch) for i in range(count))
    return [max(0, FULL - FULL * distance // reach) for distance in distances]


def bars(numerator: int, denominator: int, knots: Iterable[int]) -> list[int]:
    """How far a fraction fills each interval between ``knots`` (in percent)."""
    filled = (
        (100 * numerator - low * denominator) * FULL // ((high - low) * denominator)
        for low, high in pairwise(knots)
    )
    return [min(max(part, 0), FULL) for part in filled]
