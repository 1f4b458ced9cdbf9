"""The channel list of a part: the bytes of a ``chlist`` → channels and what is odd in them."""

from __future__ import annotations

from collections import Counter
from functools import lru_cache
from struct import Struct
from typing import Final, NamedTuple

from exrindex.exr.spec import (
    MAX_CHANNELS,
    MAX_NAME_BYTES,
    MAX_SHORT_NAME_BYTES,
    PIXEL_TYPES,
)
from exrindex.model import Channel, JSONValue
from exrindex.naming import escape_text


class Malformed(Exception):
    """A value's bytes do not fit its type; never leaves this room."""


class ChannelList(NamedTuple):
    """``json`` is the attribute's value, names escaped so that they are UTF-8; ``notes`` are codes
    and messages of what is odd; ``long_name`` is the first name that needs the long-names flag;
    ``sampled`` is true where a sampling rate is not 1."""

    channels: tuple[Channel, ...]
    json: list[JSONValue]
    notes: tuple[tuple[str, str], ...]
    long_name: str | None
    sampled: bool


def enum_name(names: tuple[str, ...], code: int) -> str:
    """The name of an enumerated value, ``unknown_N`` for a code without one."""
    return names[code] if 0 <= code < len(names) else f"unknown_{code}"


def channel_list(raw: bytes) -> ChannelList:
    """Read a channel list; raises ``Malformed``. Equal short lists share one result."""
    if len(raw) <= _CACHED_BYTES:
        return _channel_list_cached(raw)
    return _channel_list(raw)


# A few hundred channels; the bound keeps the cache at tens of MB if every file is different.
_CACHED_BYTES: Final = 16384


def _json(channels: tuple[Channel, ...]) -> list[JSONValue]:
    return [
        {
            "name": escape_text(channel.name),
            "type": channel.type,
            "x_sampling": channel.x_sampling,
            "y_sampling": channel.y_sampling,
            "p_linear": channel.p_linear,
        }
        for channel in channels
    ]


def _channel_list(raw: bytes) -> ChannelList:
    names, channels, end = _entries(raw)
    notes = []
    if not channels:
        notes.append(("no_channels", "the channel list is empty"))
    if end != len(raw):
        fault = "lacks its terminator" if end > len(raw) else "is followed by more bytes"
        notes.append(("channel_list_end", f"the channel list {fault}"))
    if len(set(names)) < len(names):
        twice = Counter(names).most_common(1)[0][0]
        notes.append(("duplicate_channel", f"channel {_shown(twice)} occurs more than once"))
    if names != sorted(names):
        message = "the channels are not sorted by name; hosts read the pixels as if they were"
        notes.append(("unsorted_channels", message))
    for channel in channels:
        if channel.type not in PIXEL_TYPES:
            code = channel.type.removeprefix("unknown_")
            notes.append(("bad_pixel_type", f"channel {channel.name!r} has pixel type {code}"))
            break
    for name in names:
        if not is_utf8(name):
            notes.append(("not_utf8", f"the channel name {_shown(name)} is not UTF-8"))
            break
    return ChannelList(
        channels,
        _json(channels),
        tuple(notes),
        next((_shown(name) for name in names if len(name) > MAX_SHORT_NAME_BYTES), None),
        any(channel.x_sampling != 1 or channel.y_sampling != 1 for channel in channels),
    )


_channel_list_cached = lru_cache(maxsize=128)(_channel_list)

_ENTRY = Struct("<IB3xii")  # pixel type, pLinear, 3 reserved bytes, x and y sampling


def _entries(raw: bytes) -> tuple[list[bytes], tuple[Channel, ...], int]:
    """Names as bytes, channels, and the position behind the terminator, be it there or not."""
    names: list[bytes] = []
    channels: list[Channel] = []
    pos, total = 0, len(raw)
    while pos < total:
        name_end = raw.find(b"\0", pos, pos + MAX_NAME_BYTES + 1)
        if name_end == pos:
            break
        if name_end < 0:
            raise Malformed(f"the name of channel {len(names) + 1} has no end")
        if len(names) == MAX_CHANNELS:
            raise Malformed(f"more than {MAX_CHANNELS} channels")
        name, pos = raw[pos:name_end], name_end + 1
        if pos + _ENTRY.size > total:
            raise Malformed(f"channel {_shown(name)} is cut short")
        pixel_type, p_linear, x_sampling, y_sampling = _ENTRY.unpack_from(raw, pos)
        pos += _ENTRY.size
        names.append(name)
        channels.append(
            Channel(
                name.decode("utf-8", "surrogateescape"),
                enum_name(PIXEL_TYPES, pixel_type),
                x_sampling,
                y_sampling,
                p_linear != 0,
            )
        )
    return names, tuple(channels), pos + 1


def _shown(name: bytes) -> str:
    return repr(escape_text(name.decode("utf-8", "surrogateescape")))


def is_utf8(name: bytes) -> bool:
    """Whether the bytes of a name decode."""
    try:
        name.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
