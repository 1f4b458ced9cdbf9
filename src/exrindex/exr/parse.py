"""The bytes of a header → ``Header``: one bounded pass that always advances by the size fields.

Where bytes do not fit their type the value is kept as bytes and a finding says so; only a
structure that cannot be followed is an error. Nothing is allocated for a claimed size.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from struct import Struct
from typing import Final, NamedTuple

from exrindex.errors import HeaderError, HeaderTruncated
from exrindex.exr.channels import ChannelList, channel_list, is_utf8
from exrindex.exr.checks import PartChecks, check_file
from exrindex.exr.parts import Meant, build_part
from exrindex.exr.spec import (
    KNOWN_FLAGS,
    LIST_TYPES,
    MAGIC,
    MAX_ATTRIBUTES,
    MAX_CHANNELS,
    MAX_FINDINGS,
    MAX_HEADER_BYTES,
    MAX_LIST_BYTES,
    MAX_NAME_BYTES,
    MAX_PARTS,
    MAX_SHORT_NAME_BYTES,
    MEANT,
    RESERVED,
    VERSION,
)
from exrindex.exr.values import Decoded, decode_value, not_decoded
from exrindex.model import (
    LONG_NAMES_FLAG,
    MULTIPART_FLAG,
    Attribute,
    Finding,
    Header,
    Part,
)

_UNSIGNED: Final = Struct("<I")
_SIZE: Final = Struct("<i")
_TOO_LARGE: Final = f"goes beyond the limit of {MAX_HEADER_BYTES} bytes for a header"


def parse_header(data: bytes) -> Header:
    """Parse from the magic number on; ``data`` may go on beyond the header.

    Raises ``HeaderTruncated`` where ``data`` ends before the header does, else ``HeaderError``
    with code ``empty``, ``not_exr`` or ``damaged_header``.
    """
    flags = _read_flags(data)
    walk = _Walk(data, flags)
    parts: list[Part] = []
    meanings: list[Meant] = []
    findings = walk.findings
    channel_count = 0
    pos = 8
    while True:
        if len(parts) == MAX_PARTS:
            raise HeaderError(f"more than {MAX_PARTS} parts", pos)
        attributes, meant, pos = walk.read_part(len(parts), pos)
        listed = _channels_of(attributes, meant, len(parts), pos)
        channel_count += len(listed.channels)
        if channel_count > MAX_CHANNELS:
            raise HeaderError(f"more than {MAX_CHANNELS} channels", meant["channels"].offset)
        part = build_part(len(parts), flags, meant, listed.channels, tuple(attributes))
        findings += PartChecks(part, flags, meant, listed).run()
        parts.append(part)
        meanings.append(meant)
        if not flags & MULTIPART_FLAG:
            break
        if pos == len(data):
            raise _truncated("the list of parts is cut short", pos, pos + 1)
        if data[pos] == 0:
            pos += 1
            break
    findings += check_file(flags, meanings)
    digest = hashlib.sha256(memoryview(data)[:pos]).hexdigest()
    return Header(VERSION, flags, tuple(parts), pos, digest, tuple(findings[:MAX_FINDINGS]))


def _read_flags(data: bytes) -> int:
    if not data:
        raise HeaderError("the file is empty", 0, "empty")
    if data[:4] != MAGIC[: len(data)]:
        raise HeaderError("the magic number is not that of OpenEXR", 0, "not_exr")
    if len(data) < 8:
        raise _truncated("the version field is cut short", len(data), 8)
    version_field = int(_UNSIGNED.unpack_from(data, 4)[0])
    version, flags = version_field & 0xFF, version_field & ~0xFF
    if version != VERSION:
        raise HeaderError(f"format version {version}; only {VERSION} is known", 4)
    if flags & ~KNOWN_FLAGS:
        raise HeaderError(f"unknown version flags {flags & ~KNOWN_FLAGS:#x}", 4)
    return flags


def _truncated(reason: str, offset: int, needed: int) -> HeaderError:
    if needed > MAX_HEADER_BYTES:
        return HeaderError(f"the header {_TOO_LARGE}", offset)
    return HeaderTruncated(reason, offset, needed)


def _channels_of(attributes: list[Attribute], meant: Meant, part: int, end: int) -> ChannelList:
    """The part's channels, without which no host opens the file."""
    attribute = meant.get("channels")
    if attribute is not None:
        return channel_list(attribute.raw)
    for attribute in attributes:
        if attribute.name == "channels":
            problem = attribute.problem or f"it has the type {attribute.type!r}"
            raise HeaderError(f"part {part}: bad channel list: {problem}", attribute.offset)
    raise HeaderError(f"part {part} has no channel list", end - 1)


class _Label(NamedTuple):
    """What name and type of an attribute say; equal ones share one label."""

    name: str
    type: str
    expected: str | None  # the type this name must have to be understood, if it matters
    is_rare: bool  # a long name, not UTF-8, or a type that counts as a list


@lru_cache(maxsize=8192)
def _label(name_and_type: bytes) -> _Label:
    raw_name, _, raw_type = name_and_type.partition(b"\0")
    name = raw_name.decode("utf-8", "surrogateescape")
    type_name = raw_type.decode("utf-8", "surrogateescape")
    is_long = max(len(raw_name), len(raw_type)) > MAX_SHORT_NAME_BYTES
    is_rare = is_long or type_name in LIST_TYPES or not (is_utf8(raw_name) and is_utf8(raw_type))
    return _Label(name, type_name, MEANT.get(name), is_rare)


class _Walk:
    """Walks over the attributes of a file, part by part, and gathers findings about them."""

    def __init__(self, data: bytes, flags: int) -> None:
        self.findings: list[Finding] = []
        self._data = data
        self._long_names = bool(flags & LONG_NAMES_FLAG)
        # What follows the last value at least: the end of its part, and of the list of parts.
        self._tail = 2 if flags & MULTIPART_FLAG else 1
        self._attributes_left = MAX_ATTRIBUTES
        self._list_bytes_left = MAX_LIST_BYTES
        self._part = 0

    def read_part(self, part: int, pos: int) -> tuple[list[Attribute], Meant, int]:
        """Attributes, those of them with a meaning, and the position behind the terminator."""
        self._part = part
        data, total, tail = self._data, len(self._data), self._tail
        find, unpack_size = data.find, _SIZE.unpack_from
        attributes: list[Attribute] = []
        meant: dict[str, Attribute] = {}
        first_types: dict[str, str] = {}
        while True:
            name_end = find(b"\0", pos, pos + MAX_NAME_BYTES + 1)
            if name_end == pos:
                self._attributes_left -= len(attributes)
                return attributes, meant, pos + 1
            type_end = find(b"\0", name_end + 1, name_end + MAX_NAME_BYTES + 2)
            start = type_end + 5
            if name_end < 0 or type_end < 0 or start > total:
                raise self._unreadable(pos, name_end, type_end)
            size = unpack_size(data, type_end + 1)[0]
            end = start + size
            if size < 0:
                raise HeaderError(f"an attribute has the size {size}", type_end + 1)
            if end + tail > MAX_HEADER_BYTES:
                raise HeaderError(f"an attribute of {size} bytes {_TOO_LARGE}", type_end + 1)
            if end > total:
                raise HeaderTruncated("an attribute's value is cut short", start, end + tail)
            if len(attributes) == self._attributes_left:
                raise HeaderError(f"more than {MAX_ATTRIBUTES} attributes", pos)
            name, type_name, expected, is_rare = label = _label(data[pos:type_end])
            raw = data[start:end]
            if is_rare:
                value, problem, note = self._decode_rare(label, raw, start)
            else:
                value, problem, note = decode_value(type_name, raw)
            attribute = Attribute(name, type_name, value, raw, start, problem)
            attributes.append(attribute)
            if note is not None:
                self._add(note[0], note[1], name, start)
            if name in first_types:
                self._check_duplicate(attribute, first_types[name])
            else:
                first_types[name] = type_name
            if expected == type_name:
                if expected == "string" and size > MAX_NAME_BYTES:
                    self._add("long_text", f"{size} bytes are too long to be used", name, start)
                elif problem is None:
                    meant[name] = attribute
            elif expected is not None:
                self._check_reserved(attribute)
            pos = end

    def _unreadable(self, pos: int, name_end: int, type_end: int) -> HeaderError:
        """Why no attribute can be read at ``pos``: damage, or the end of the data."""
        total, tail = len(self._data), self._tail
        if name_end < 0:
            if total - pos > MAX_NAME_BYTES:
                return HeaderError(f"a name is longer than {MAX_NAME_BYTES} bytes", pos)
            # Still to come: the name's end, an empty type with its end, the size.
            needed = total + 6 + tail if total > pos else pos + 1
            return _truncated("the list of attributes is cut short", pos, needed)
        if type_end < 0:
            if total - name_end - 1 > MAX_NAME_BYTES:
                return HeaderError(f"a type is longer than {MAX_NAME_BYTES} bytes", name_end + 1)
            return _truncated("an attribute's type is cut short", pos, total + 5 + tail)
        return _truncated("an attribute's size is cut short", pos, type_end + 5 + tail)

    def _add(self, code: str, message: str, name: str, offset: int) -> None:
        self.findings.append(Finding(code, message, self._part, name, offset))

    def _decode_rare(self, label: _Label, raw: bytes, start: int) -> Decoded:
        for kind, text in (("name", label.name), ("type", label.type)):
            encoded = text.encode("utf-8", "surrogateescape")
            if not is_utf8(encoded):
                self._add("not_utf8", f"the attribute's {kind} is not UTF-8", label.name, start)
            if len(encoded) > MAX_SHORT_NAME_BYTES and not self._long_names:
                message = f"the attribute's {kind} needs the long-names flag"
                self._add("long_name", message, label.name, start)
        if label.type in LIST_TYPES:
            self._list_bytes_left -= len(raw)
            if self._list_bytes_left < 0:
                return not_decoded(raw)
        return decode_value(label.type, raw)

    def _check_duplicate(self, attribute: Attribute, first_type: str) -> None:
        name, kind = attribute.name, attribute.type
        if name not in RESERVED and (kind == "string" or kind != first_type):
            message = (
                f"occurs again, as {kind} after {first_type}; the reference reader loses its place"
            )
            self._add("parser_differential", message, name, attribute.offset)
        else:
            self._add("duplicate_attribute", "occurs again", name, attribute.offset)

    def _check_reserved(self, attribute: Attribute) -> None:
        expected = RESERVED.get(attribute.name)
        if expected is not None:
            message = f"the type is {attribute.type!r}, not {expected!r}; hosts drop the attribute"
            self._add("reserved_type", message, attribute.name, attribute.offset)
