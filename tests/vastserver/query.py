"""The body of a query: a table of Arrow's compute IR with a schema, a filter and a projection.

Fields are known by position: all nodes of the schema are numbered depth first, from 0. A struct
counts itself and its fields, a list itself and its item, a map itself, its entries, key and
value.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import pyarrow as pa

from vastserver.columns import layout
from vastserver.database import Definition
from vastserver.flatbuffer import Table as Buffer
from vastserver.predicate import Condition, compile_filter
from vastserver.request import invalid
from vastserver.rowids import ROW_ID, wire_type

_SOURCE = 9
_UNITS = ("s", "ms", "us", "ns")
_FLOATS = (pa.float16(), pa.float32(), pa.float64())


class Node(NamedTuple):
    """A place in the schema: a column, and the way down into it by numbers of children."""

    column: int
    path: tuple[int, ...]
    type: Any
    is_leaf: bool
    # Where a filter on this place looks: here, at the whole vector for its item, or nowhere.
    filtered: Node | None = None


@dataclass
class Query:
    """Which columns, which leaves of them are wanted, and which rows."""

    fields: list[Any]
    leaves: list[Node]
    condition: Condition

    @property
    def wanted(self) -> list[int]:
        """The columns that leaves are taken from, each once."""
        return list(dict.fromkeys(leaf.column for leaf in self.leaves))

    @property
    def filtered(self) -> set[str]:
        """Names of the columns that the filter looks at."""
        return {self.fields[number].name for number in self.condition.columns()}


def read_query(body: bytes) -> Query:
    try:
        relation = Buffer.root(body)
        source = relation.table(1)
        if relation.scalar(0, "B") != _SOURCE or source is None:
            raise invalid("expected a relation of type Source")
        schema = source.table(3)
        fields = [] if schema is None else [_field(field) for field in schema.tables(1)]
        nodes = [node for number, field in enumerate(fields) for node in _nodes(number, field)]
        positions = source.tables(4).scalars(0, "<u4").tolist()
        leaves = [nodes[position] for position in positions]
        condition = compile_filter(source.table(2), nodes)
    except (struct.error, IndexError, ValueError, KeyError, pa.ArrowInvalid) as error:
        raise invalid(f"not a query: {error}") from None
    if not all(leaf.is_leaf for leaf in leaves):
        raise invalid("only leaves of columns can be asked for")
    return Query(fields, leaves, condition)


def check_columns(query: Query, definition: Definition) -> None:
    """Refuse a query for columns that the table does not have, or has with other types."""
    for field in query.fields:
        if field.name == ROW_ID:
            # Guess: that the id may also stand in the filter.
            expected = wire_type(definition.has_wide_ids)
        elif field.name in definition.by_name:
            expected = definition.by_name[field.name].field.type
        else:
            raise invalid(f"there is no column {field.name}", "TabularMismatchColumnName")
        if not layout(field.type).equals(layout(expected)):
            message = f"column {field.name} is {expected}, not {field.type}"
            raise invalid(message, "TabularMismatchColumnType")


def _field(field: Buffer) -> Any:
    children = [_field(child) for child in field.tables(5)]
    kind = field.table(3)
    if kind is None:
        raise ValueError("a field without a type")
    return pa.field(
        field.text(0), _TYPES[field.scalar(2, "B")](kind, children), bool(field.scalar(1, "B"))
    )


def _int(kind: Buffer, children: list[Any]) -> Any:
    sign = "int" if kind.scalar(1, "B") else "uint"
    return getattr(pa, f"{sign}{kind.scalar(0, 'i')}")()


def _time(kind: Buffer, children: list[Any]) -> Any:
    unit = _UNITS[kind.scalar(0, "h", 1)]
    return (pa.time32 if kind.scalar(1, "i", 32) == 32 else pa.time64)(unit)


def _map(kind: Buffer, children: list[Any]) -> Any:
    """A map has entries as its child, which are labelled as a map, too, and have key and value."""
    if len(children) == 1:
        return children[0].type
    key, value = children
    return pa.map_(key.type, value)


# Type tags of Arrow's Schema.fbs.
_TYPES: dict[int, Callable[[Buffer, list[Any]], Any]] = {
    2: _int,
    3: lambda kind, _: _FLOATS[kind.scalar(0, "h")],
    4: lambda _kind, _: pa.binary(),
    5: lambda _kind, _: pa.string(),
    6: lambda _kind, _: pa.bool_(),
    7: lambda kind, _: pa.decimal128(kind.scalar(0, "i"), kind.scalar(1, "i")),
    8: lambda _kind, _: pa.date32(),
    9: _time,
    10: lambda kind, _: pa.timestamp(_UNITS[kind.scalar(0, "h")]),
    12: lambda _, children: pa.list_(children[0]),
    13: lambda _, children: pa.struct(children),
    15: lambda kind, _: pa.binary(kind.scalar(0, "i")),
    16: lambda kind, children: pa.list_(children[0], kind.scalar(0, "i")),
    17: _map,
}


def _nodes(column: int, field: Any) -> Iterator[Node]:
    def walk(kind: Any, path: tuple[int, ...], vector: Node | None, many: bool) -> Iterator[Node]:
        count = kind.num_fields if pa.types.is_nested(kind) else 0
        node = Node(column, path, kind, count == 0)
        if count == 0 and not many:
            yield node._replace(filtered=vector or node)
            return
        yield node
        vector = node if pa.types.is_fixed_size_list(kind) else None
        many = many or pa.types.is_list(kind) or pa.types.is_map(kind)
        for number in range(count):
            yield from walk(kind.field(number).type, (*path, number), vector, many)

    return walk(field.type, (), None, False)
