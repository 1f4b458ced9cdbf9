"""The part of a header its vectors depend on, and nothing else.

``Facts`` are hashable and serve as the key of every cache in this room. The vectors are computed
from them alone, so a cached vector can only be that of an equal header. What changes from frame to
frame (matrices, times, hosts, manifests) is not in them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import lru_cache
from operator import itemgetter
from typing import NamedTuple

from exrindex.embed.software import Producer, Source, producer_source, read_producer
from exrindex.embed.words import normal_name, segments
from exrindex.model import Attribute, Box, Channel, Header, JSONValue, Part, Tile

# Not counted as attributes: they have fields of their own, or follow from those that have.
_OWN_FIELDS = frozenset(
    (
        *("channels", "compression", "dataWindow", "displayWindow", "lineOrder", "tiles"),
        *("pixelAspectRatio", "screenWindowCenter", "screenWindowWidth", "type", "name", "view"),
        *("version", "chunkCount", "maxSamplesPerPixel", "multiView"),
    )
)
# Values that belong to a set-up rather than to a frame, by the last segment of the name.
_COMPARED_VALUES = frozenset(
    (
        *("chromaticities", "whiteluminance", "adoptedneutral", "colorspace", "color_space"),
        *("colorinteropid", "acesimagecontainerflag", "framespersecond", "envmap", "wrapmodes"),
        *("textureformat", "deepimagestate", "dwacompressionlevel"),
    )
)
_VALUE_LIMIT = 200
_CORNERS = ("red", "green", "blue", "white")


class AttributeNames:
    """What the names and types of a part's attributes say; compared by identity.

    ``tokens`` holds (normalised name, type) pairs. The others tell which positions have a value
    that counts, and how to read it.
    """

    __slots__ = ("producers", "tokens", "values")

    def __init__(self, names: tuple[tuple[str, str], ...]) -> None:
        counted = [(i, *pair) for i, pair in enumerate(names) if pair[0] not in _OWN_FIELDS]
        self.tokens = frozenset((normal_name(name), kind) for _, name, kind in counted)
        self.values: tuple[tuple[int, str], ...] = tuple(
            (i, last) for i, name, _ in counted if (last := segments(name)[-1]) in _COMPARED_VALUES
        )
        self.producers: tuple[tuple[int, Source, str], ...] = tuple(
            (i, *source)
            for i, name, kind in counted
            if kind == "string" and (source := producer_source(name)) is not None
        )


class PartFacts(NamedTuple):
    """One part; ``values`` are ``name=value`` texts."""

    name: str | None
    type: str | None
    view: str | None
    compression: str | None
    line_order: str | None
    pixel_aspect_ratio: float | None
    screen_window_center: tuple[float, float] | None
    screen_window_width: float | None
    tile: Tile | None
    display_window: Box | None
    channels: tuple[Channel, ...]
    attributes: AttributeNames
    values: tuple[str, ...]
    producers: tuple[Producer, ...]


class Facts(NamedTuple):
    """One file, without its data windows: those alone differ between autocropped frames.

    ``views`` are those of the ``multiView`` attribute.
    """

    multipart: bool
    views: tuple[str, ...]
    parts: tuple[PartFacts, ...]


_NAME_AND_TYPE = itemgetter(0, 1)
_attribute_names = lru_cache(maxsize=4096)(AttributeNames)


def facts_of(header: Header) -> Facts:
    """What the vectors of ``header`` depend on, apart from its data windows."""
    return Facts(
        header.is_multipart, header.views, tuple([_part_facts(part) for part in header.parts])
    )


def _part_facts(part: Part) -> PartFacts:
    attributes = part.attributes
    names = _attribute_names(tuple(map(_NAME_AND_TYPE, attributes)))
    return PartFacts(
        part.name,
        part.type,
        part.view,
        part.compression,
        part.line_order,
        part.pixel_aspect_ratio,
        part.screen_window_center,
        part.screen_window_width,
        part.tile,
        part.display_window,
        part.channels,
        names,
        _values(attributes, names),
        _producers(attributes, names),
    )


def _values(attributes: Sequence[Attribute], names: AttributeNames) -> tuple[str, ...]:
    texts = ((last, value_text(attributes[i].value)) for i, last in names.values)
    return tuple([f"{last}={text}" for last, text in texts if text is not None])


def _producers(attributes: Sequence[Attribute], names: AttributeNames) -> tuple[Producer, ...]:
    found = []
    for i, source, namespace in names.producers:
        text = _string(attributes[i].value)
        producer = read_producer(source, namespace, text) if text else None
        if producer is not None:
            found.append(producer)
    return tuple(found)


def _string(value: JSONValue) -> str | None:
    """The text of a string value; one that is not UTF-8 is a mapping with its text inside."""
    if isinstance(value, dict):
        value = value.get("text")
    return value if isinstance(value, str) else None


def value_text(value: JSONValue) -> str | None:
    """One text for one value, whatever type a writer chose: 24/1 and 24.0 are the same rate.

    None for what has no such text: opaque bytes, nested or undecodable values.
    """
    if isinstance(value, str):
        return value[:_VALUE_LIMIT]
    if isinstance(value, int | float):
        return _number_text(value)
    if isinstance(value, list | tuple):
        return _list_text(value)
    if not isinstance(value, dict):
        return None
    if "num" in value and "den" in value:
        return _ratio_text(value["num"], value["den"])
    if "red" in value:
        corners = [value.get(name) for name in _CORNERS]
        return _list_text([x for xy in corners if isinstance(xy, list | tuple) for x in xy])
    return _list_text([value.get("text")]) or None


def _number_text(number: float) -> str:
    return f"{number}.000" if isinstance(number, int) else f"{number + 0.0:.3f}"


def _ratio_text(num: JSONValue, den: JSONValue) -> str:
    if isinstance(num, int) and isinstance(den, int) and den:
        return _number_text(num / den)
    return f"{num}/{den}"


def _list_text(items: Iterable[JSONValue]) -> str:
    texts = [
        item if isinstance(item, str) else _number_text(item)
        for item in items
        if isinstance(item, int | float | str)
    ]
    return ",".join(texts)[:_VALUE_LIMIT]
