"""Rows of ``attributes``, and each attribute as it stands in ``files.raw_output``."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import pyarrow as pa

from exrindex.document import STORED_VALUE_BYTES, stored_value
from exrindex.model import Attribute, Indexed, JSONValue
from exrindex.naming import escape_text
from exrindex.rows.children import ChildRows
from exrindex.rows.columns import table_of
from exrindex.rows.ids import ATTRIBUTE_KIND


class AttributeRows:
    """The attributes of some files, each distinct one made once.

    ``documents`` holds, for every part of every file in turn, its attributes as JSON.
    """

    def __init__(self, indexed: Sequence[Indexed]) -> None:
        self.documents: list[list[orjson.Fragment]] = []
        self._children = ChildRows("attributes", ATTRIBUTE_KIND)
        known: dict[tuple[Any, ...], int] = {}
        fragments: list[orjson.Fragment] = []
        for number, item in enumerate(indexed):
            for part in item.header.parts:
                rows = []
                for name, kind, value, raw, offset, problem in part.attributes:
                    key = name, kind, raw, problem
                    row = known.get(key)
                    if row is None:
                        row = known[key] = len(fragments)
                        attribute = Attribute(name, kind, value, raw, offset, problem)
                        document, facts = _made(attribute)
                        fragments.append(document)
                        self._children.facts.append(facts)
                    rows.append(row)
                self._children.add(number, part.index, rows)
                self.documents.append([fragments[row] for row in rows])

    def table(self, file_ids: Sequence[str]) -> pa.Table:
        """The rows; ``file_ids`` are those of the files."""
        return table_of("attributes", self._children.columns(file_ids))


def _made(attribute: Attribute) -> tuple[orjson.Fragment, tuple[Any, ...]]:
    """An attribute's JSON document, and its columns from ``attr_name`` on."""
    name, kind = escape_text(attribute.name), escape_text(attribute.type)
    value = stored_value(attribute)
    as_json = orjson.dumps(value)
    document = orjson.dumps({"name": name, "type": kind, "value": orjson.Fragment(as_json)})
    return orjson.Fragment(document), (name, kind, *_values(attribute, value, as_json.decode()))


_ENUMS = frozenset(("compression", "lineOrder", "envmap", "deepImageState"))
_Values = tuple[str | None, str | None, int | None, float | None]


def _values(attribute: Attribute, value: JSONValue, as_json: str) -> _Values:
    """value_json, value_text, value_int and value_float of an attribute."""
    if attribute.type == "chlist" and attribute.name == "channels" and not attribute.problem:
        return None, None, None, None
    if attribute.problem or len(attribute.raw) > STORED_VALUE_BYTES:
        text = value.get("head") if isinstance(value, dict) else None
        return as_json, text if isinstance(text, str) else None, None, None
    match attribute.type, value:
        case ("float" | "double", str() | int() | float()):
            return as_json, None, None, float(value)
        case (kind, str()) if kind in _ENUMS:
            return as_json, value, attribute.raw[0], None
        case (_, str()):
            return as_json, value, None, None
        case (_, int()):
            return as_json, None, value, float(value)
        case ("rational", {"num": int() as num, "den": int() as den}):
            return as_json, None, None, num / den if den else None
        case (_, {"text": str() as text}):
            return as_json, text, None, None
    return as_json, None, None, None
