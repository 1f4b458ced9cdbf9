"""Headers that repeat the one before: frames of a sequence differ in a few values only.

A header of the same layout is compared with its predecessor attribute by attribute; what is equal
byte for byte is taken over, and only values that differ are decoded. Whatever is not as simple as
that is parsed as a whole, so the result is the same either way (a property in the tests).
"""

from __future__ import annotations

import hashlib
from collections import Counter
from dataclasses import replace
from typing import Final, NamedTuple

from exrindex.exr.parse import parse_header as parse_whole
from exrindex.exr.spec import LIST_TYPES, MAX_FINDINGS, MEANT
from exrindex.exr.values import decode_value
from exrindex.model import Attribute, Header

# Larger headers are few, and mostly one large value that differs.
_REMEMBERED_BYTES: Final = 256 * 1024


class _Span(NamedTuple):
    """One attribute's bytes in a header: ``before`` are those from the end of the last value to
    the start of this one; ``is_plain`` where another value of that size changes nothing else."""

    start: int
    before: bytes
    whole: bytes
    value_start: int
    is_plain: bool
    part: int
    place: int


class _Known(NamedTuple):
    """A header and how to recognise its like; ``tail`` is what follows the last value."""

    header: Header
    spans: list[_Span]
    tail_start: int
    tail: bytes


class HeaderParser:
    """``parse_header`` with a memory of one header."""

    def __init__(self) -> None:
        self._known: _Known | None = None

    def __call__(self, data: bytes) -> Header:
        """Parse from the magic number on; see ``parse.parse_header``."""
        known = self._known
        if known is not None and (header := _repeated(known, data)) is not None:
            return header
        header = parse_whole(data)
        if header.nbytes <= _REMEMBERED_BYTES and len(header.findings) < MAX_FINDINGS:
            self._known = _remember(header, data)
        return header


parse_header = HeaderParser()


def _remember(header: Header, data: bytes) -> _Known:
    spans = []
    noted = {finding.offset for finding in header.findings}
    end = 0
    for part in header.parts:
        names = Counter(attribute.name for attribute in part.attributes)
        for index, attribute in enumerate(part.attributes):
            start, end = end, attribute.offset + len(attribute.raw)
            is_plain = (
                attribute.name not in MEANT
                and attribute.type not in LIST_TYPES
                and attribute.problem is None
                and attribute.offset not in noted
                and names[attribute.name] == 1
            )
            before, whole = data[start : attribute.offset], data[start:end]
            spans.append(_Span(start, before, whole, attribute.offset, is_plain, part.index, index))
    return _Known(header, spans, end, data[end : header.nbytes])


def _repeated(known: _Known, data: bytes) -> Header | None:
    """The header in ``data`` if it differs from the known one in plain values only."""
    changed = []
    has = data.startswith
    for span in known.spans:
        if has(span.whole, span.start):
            continue
        if not span.is_plain or not has(span.before, span.start):
            return None
        changed.append(span)
    header = known.header
    if not has(known.tail, known.tail_start) or header.nbytes > len(data):
        return None
    attributes: dict[int, list[Attribute]] = {}
    for span in changed:
        if span.part not in attributes:
            attributes[span.part] = list(header.parts[span.part].attributes)
        row = attributes[span.part]
        old = row[span.place]
        raw = data[span.value_start : span.value_start + len(old.raw)]
        value, problem, note = decode_value(old.type, raw)
        if problem is not None or note is not None:
            return None
        row[span.place] = Attribute(old.name, old.type, value, raw, old.offset, None)
    parts = list(header.parts)
    for index, row in attributes.items():
        parts[index] = replace(parts[index], attributes=tuple(row))
    digest = hashlib.sha256(memoryview(data)[: header.nbytes]).hexdigest()
    return Header(
        header.version, header.flags, tuple(parts), header.nbytes, digest, header.findings
    )
