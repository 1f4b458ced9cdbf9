"""The blocks of the metadata vector: what of a header goes where, with what amplitude.

A token's amplitude is about the square root of its count, so that its energy grows with the count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from math import isqrt

import numpy as np

from exrindex.embed.channels import PlacedChannel
from exrindex.embed.facts import Facts
from exrindex.embed.hashing import FULL, bars, octaves, signs, soft_bins, token_sum
from exrindex.embed.layout import METADATA_BLOCKS, IntVector
from exrindex.embed.software import producer_tokens
from exrindex.embed.words import words
from exrindex.model import Box


def _hashed(block: str, amplitudes: dict[str, int]) -> IntVector:
    return token_sum(block, METADATA_BLOCKS[block].size, amplitudes)


def _vector(values: Sequence[int]) -> IntVector:
    return np.array(values, np.int64)


# --- channels ---------------------------------------------------------------------------------


def channel_blocks(channels: Sequence[PlacedChannel], view_count: int) -> dict[str, IntVector]:
    """The five blocks of the group ``channels``."""
    names = Counter([channel.name for channel in channels])
    typed = Counter([channel.typed_name for channel in channels])
    tokens = {f"n|{name}": isqrt(100 * count) for name, count in names.items()}
    tokens |= {f"t|{name}": isqrt(100 * count) for name, count in typed.items()}
    if view_count > 1:
        seen = Counter([f"v|{channel.view}|{channel.name}" for channel in channels])
        tokens |= {name: isqrt(36 * count) for name, count in seen.items()}
    layers = {channel.layer for channel in channels}
    layer_tokens = {f"l|{layer}": 12 for layer in layers}
    layer_words = Counter([word for layer in layers for word in words(layer)])
    layer_tokens |= {f"w|{word}": isqrt(36 * count) for word, count in layer_words.items()}
    components = Counter([channel.component for channel in channels])
    return {
        "channels": _hashed("channels", tokens),
        "layers": _hashed("layers", layer_tokens),
        "components": _hashed(
            "components",
            {name: isqrt(4096 * count // len(channels)) for name, count in components.items()},
        ),
        "types": _types(channels),
        "counts": _vector(
            soft_bins(octaves(len(channels) + 1), first=1.0, step=0.75, count=12, half_width=1.5)
            + soft_bins(octaves(len(layers) + 1), first=1.0, step=1.0, count=8, half_width=1.5)
        ),
    }


def _types(channels: Sequence[PlacedChannel]) -> IntVector:
    kinds = Counter([channel.type for channel in channels])
    counts = [kinds["half"], kinds["float"], kinds["uint"]]
    counts.append(len(channels) - sum(counts))
    counts.append(sum((c.x_sampling, c.y_sampling) != (1, 1) for c in channels))
    counts.append(sum(c.p_linear for c in channels))
    return _vector([isqrt((count << 24) // max(1, len(channels))) for count in counts])


# --- storage ----------------------------------------------------------------------------------

_COMPRESSIONS = (
    *("none", "rle", "zips", "zip", "piz", "pxr24", "b44", "b44a", "dwaa", "dwab"),
    *("htj2k256", "htj2k32", "lj2k", "zstd"),
)
_LOSSY = frozenset(("pxr24", "b44", "b44a", "dwaa", "dwab", "lj2k"))
_FAMILIES = (("zip", "zips"), ("b44", "b44a"), ("dwaa", "dwab"), ("htj2k256", "htj2k32", "lj2k"))


def compression_block(facts: Facts) -> IntVector:
    """Slots for the method, for lossless or lossy, and for families; signs for unknown methods."""
    block = METADATA_BLOCKS["compression"]
    values = np.zeros(block.size, np.int64)
    for part in facts.parts:
        method = part.compression
        if method is None:
            continue
        if method not in _COMPRESSIONS:
            values += np.frombuffer(signs(block.name, method, block.size), np.int8)
            continue
        values[_COMPRESSIONS.index(method)] += 4
        if method != "none":
            values[14 + (method in _LOSSY)] += 2
        for slot, family in enumerate(_FAMILIES, 16):
            values[slot] += 3 * (method in family)
    return values


def storage_block(facts: Facts) -> IntVector:
    """Type of storage, line order and tiles."""
    tokens: Counter[str] = Counter()
    for part in facts.parts:
        tokens[f"type|{part.type}"] += 4
        tokens[f"order|{part.line_order}"] += 2
        tokens[f"tiled|{int(part.tile is not None)}"] += 4
        if part.tile is not None:
            tokens[f"tile|{part.tile.x_size}|{part.tile.y_size}"] += 2
            tokens[f"mode|{part.tile.level_mode}|{part.tile.rounding_mode}"] += 2
    return _hashed("storage", tokens)


# --- windows ----------------------------------------------------------------------------------


def frame_blocks(facts: Facts) -> dict[str, IntVector]:
    """Size, shape and exact place of the display windows."""
    size, aspect = np.zeros(16, np.int64), np.zeros(10, np.int64)
    exact: Counter[str] = Counter()
    for part in facts.parts:
        if part.display_window is not None:
            box = part.display_window
            width, height = octaves(box.width), octaves(box.height)
            size += soft_bins((width + height) // 2, first=7.0, step=0.5, count=16, half_width=1.0)
            aspect += soft_bins(width - height, first=-1.0, step=0.25, count=10, half_width=0.5)
            exact[f"d|{box.width}|{box.height}"] += 6
            exact[f"o|{box.x_min}|{box.y_min}"] += 2
        exact[f"a|{_decimal(part.pixel_aspect_ratio)}"] += 4
        x, y = part.screen_window_center or (None, None)
        window = f"{_decimal(part.screen_window_width)}|{_decimal(x)}|{_decimal(y)}"
        exact[f"s|{window}"] += 2
    return {"w_size": size, "w_aspect": aspect, "w_exact": _hashed("w_exact", exact)}


def _decimal(number: float | None) -> str:
    """Four decimals; adding zero makes one text of 0.0 and -0.0, which are one cache key."""
    return "-" if number is None else f"{number + 0.0:.4f}"


def crop_blocks(windows: Iterable[tuple[Box | None, Box | None]]) -> dict[str, IntVector]:
    """How the parts' data windows differ from their display windows: (data, display) pairs.

    Overscan and cropped area, and how one-sided the overscan is. Where a crop lies inside the
    display window is left out on purpose: it moves from frame to frame.
    """
    over, crop = np.zeros(6, np.int64), np.zeros(8, np.int64)
    for (data, display), count in Counter(windows).items():
        if data is None or display is None:
            continue
        width, height = max(1, display.width), max(1, display.height)
        left, right = max(0, display.x_min - data.x_min), max(0, data.x_max - display.x_max)
        top, bottom = max(0, display.y_min - data.y_min), max(0, data.y_max - display.y_max)
        area = width * height
        common = _overlap(data.x_min, data.x_max, display.x_min, display.x_max) * _overlap(
            data.y_min, data.y_max, display.y_min, display.y_max
        )
        margin = 2 * min(left, right) * height + 2 * min(top, bottom) * width
        excess = abs(left - right) * height + abs(top - bottom) * width
        over += count * _vector([FULL, *bars(margin, area, (0, 3, 10, 25, 60, 200))])
        crop += count * _vector(
            [
                FULL,
                *bars(area - common, area, (0, 15, 45, 75, 100)),
                *bars(excess, area, (0, 5, 25, 100)),
            ]
        )
    return {"w_over": over, "w_crop": crop}


def _overlap(low: int, high: int, other_low: int, other_high: int) -> int:
    return max(0, min(high, other_high) - max(low, other_low) + 1)


# --- views, parts, attributes -----------------------------------------------------------------


def views_block(views: Sequence[str]) -> IntVector:
    """Number and names of the views; a file that names none has one."""
    tokens = {f"v|{view}": 3 for view in views}
    return _hashed("views", {f"nv|{max(1, len(views))}": 8, **tokens})


def parts_block(facts: Facts) -> IntVector:
    """One part or many, and what each is. The order of parts does not count, the first does."""
    parts = facts.parts
    tokens: Counter[str] = Counter()
    tokens["np|1" if len(parts) < 2 else "np|many"] = isqrt(5 * len(parts))
    if parts:
        tokens[f"first|{parts[0].name}"] = 1
    if len(parts) > 1:
        for part in parts:
            tokens[f"p|{part.name}|{part.view}"] += 2
            tokens[f"s|{part.name}|{part.type}|{part.compression}|{len(part.channels)}"] += 1
    return _hashed("parts", tokens)


def attributes_block(facts: Facts) -> IntVector:
    """Names and types of attributes, each once per file, never their values.

    The bias keeps one optional attribute from turning the block of a file that has few.
    """
    pairs = frozenset[tuple[str, str]]().union(*(part.attributes.tokens for part in facts.parts))
    names = {name for name, _ in pairs}
    spaces = Counter([name.partition("/")[0] for name in names if "/" in name])
    tokens = {f"n|{name}": 5 for name in names}
    tokens |= {f"t|{name}|{kind}": 3 for name, kind in pairs}
    tokens |= {f"ns|{space}": isqrt(16 * count) for space, count in spaces.items()}
    return _hashed("attributes", {**tokens, "bias": 12})


def software_block(facts: Facts) -> IntVector:
    """Programs and their versions."""
    tokens: dict[str, int] = {}
    for producer in sorted({producer for part in facts.parts for producer in part.producers}):
        tokens |= producer_tokens(producer)
    return _hashed("software", tokens or {"none": 16})


def values_block(facts: Facts) -> IntVector:
    """The few attribute values that belong to a set-up rather than to a frame."""
    found = {value for part in facts.parts for value in part.values}
    return _hashed("values", {f"c|{value}": 4 for value in found} or {"none": 4})
