"""Filters: from the wire's expressions to masks over the rows of a block.

There is no NOT on the wire, so a comparison with null can count as false from the start.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from vastserver import literals
from vastserver.flatbuffer import Table as Buffer
from vastserver.flatbuffer import Tables as Buffers

if TYPE_CHECKING:
    from vastserver.query import Node

Mask = NDArray[np.bool_]

_LITERAL, _FIELD, _CALL = 1, 2, 3
_FIELD_INDEX = 5
# Up to this many values are compared one after the other; a hash table is slower.
_FEW_VALUES = 8

_COMPARISONS: dict[str, Callable[[Any, Any], Any]] = {
    "equal": pc.equal,
    "not_equal": pc.not_equal,
    "less": pc.less,
    "less_equal": pc.less_equal,
    "greater": pc.greater,
    "greater_equal": pc.greater_equal,
}


class Rows(Protocol):
    """The rows that are looked at: how many, and the values of their columns."""

    def __len__(self) -> int: ...

    def column(self, number: int) -> Any: ...


class Condition(Protocol):
    def columns(self) -> set[int]:
        """The columns that are looked at, by their numbers in the query."""

    def mask(self, rows: Rows) -> Mask:
        """Where the condition is true."""


@dataclass
class _Combined:
    parts: Sequence[Condition]

    def columns(self) -> set[int]:
        return set().union(*(part.columns() for part in self.parts))


class All(_Combined):
    """True where all parts are; everywhere if there are none."""

    def mask(self, rows: Rows) -> Mask:
        masks = (part.mask(rows) for part in self.parts)
        return reduce(np.logical_and, masks, np.ones(len(rows), np.bool_))


class OneOf(_Combined):
    """True where one of the parts is; nowhere if there are none."""

    def mask(self, rows: Rows) -> Mask:
        masks = (part.mask(rows) for part in self.parts)
        return reduce(np.logical_or, masks, np.zeros(len(rows), np.bool_))


@dataclass
class _OfNode:
    node: Node

    def columns(self) -> set[int]:
        return {self.node.column}

    def values(self, rows: Rows) -> Any:
        values = rows.column(self.node.column)
        return pc.struct_field(values, list(self.node.path)) if self.node.path else values


@dataclass
class Valid(_OfNode):
    wanted: bool

    def mask(self, rows: Rows) -> Mask:
        values = self.values(rows)
        return _to_mask(values.is_valid() if self.wanted else values.is_null())


@dataclass
class Compare(_OfNode):
    operator: str
    literal: Any

    def mask(self, rows: Rows) -> Mask:
        values = self.values(rows)
        if pa.types.is_fixed_size_list(values.type):
            return _compare_lists(values, self.operator, self.literal)
        values = literals.comparable(values)
        return _to_mask(_COMPARISONS[self.operator](values, self.literal[0]))


@dataclass
class IsIn(_OfNode):
    """Equal to one of a list of values."""

    wanted: Any

    def mask(self, rows: Rows) -> Mask:
        values, wanted = literals.comparable(self.values(rows)), self.wanted
        if len(wanted) <= _FEW_VALUES:
            masks = [_to_mask(pc.equal(values, literal)) for literal in wanted]
            return reduce(np.logical_or, masks)
        if pa.types.is_floating(values.type):
            # The hash table takes NaN for equal to itself, and 0.0 for another value than -0.0.
            wanted = pc.add(wanted.filter(pc.invert(pc.is_nan(wanted))), 0.0)
            values = pc.add(values, 0.0)
        return _to_mask(pc.is_in(values, wanted.cast(values.type)))


@dataclass
class Contains(_OfNode):
    text: str

    def mask(self, rows: Rows) -> Mask:
        return _to_mask(pc.match_substring(self.values(rows), self.text))


def compile_filter(expression: Buffer | None, nodes: Sequence[Node]) -> Condition:
    """A condition that can be asked again and again; its literals are read once."""
    if expression is None:
        return All([])
    if expression.scalar(0, "B") != _CALL:
        raise ValueError("a filter must be a call")
    call = expression.table(1)
    assert call is not None
    name, arguments = call.text(0), call.tables(1)
    if name == "and":
        return All([compile_filter(part, nodes) for part in arguments])
    if name == "or":
        return _compile_or(arguments, nodes)
    return _compile_call(name, arguments, nodes)


def _compile_or(arguments: Buffers, nodes: Sequence[Node]) -> Condition:
    """All comparisons for equality are read together: there may be thousands."""
    calls = arguments.children(1)
    equal = np.array([name == b"equal" for name in calls.raws(0)], np.bool_)
    others = arguments.where(~equal)
    parts = [compile_filter(other, nodes) for other in others]
    if equal.any():
        fields, values = calls.where(equal).vectors(1, 2)
        positions = fields.children(1).children(1).scalars(0, "<u4")
        for position in np.unique(positions).tolist():
            chosen = values.where(positions == position)
            parts.append(_equal_to_any(_node(nodes[position]), chosen))
    return OneOf(parts)


def _equal_to_any(node: Node, values: Buffers) -> Condition:
    if pa.types.is_fixed_size_list(node.type):
        parts = [Compare(node, "equal", literals.read(value, node.type)) for value in values]
        return OneOf(parts)
    return IsIn(node, literals.read_all(values.children(1), node.type))


def _compile_call(name: str, arguments: Buffers, nodes: Sequence[Node]) -> Condition:
    field = arguments[0].table(1)
    index = None if field is None else field.table(1)
    if field is None or index is None or field.scalar(0, "B") != _FIELD_INDEX:
        raise ValueError(f"{name} needs a field")
    node = _node(nodes[index.scalar(0, "I")])
    if name in ("is_null", "is_valid"):
        return Valid(node, name == "is_valid")
    literal = literals.read(arguments[1], node.type)
    if name == "match_substring" and pa.types.is_string(node.type):
        return Contains(node, literal[0].as_py().decode())
    if name not in _COMPARISONS:
        raise ValueError(f"unknown function {name}")
    return Compare(node, name, literal)


def _node(node: Node) -> Node:
    """What a position in a filter means: the item of a vector stands for the vector."""
    if node.filtered is None:
        raise ValueError("only plain values, vectors and fields of structs can be filtered by")
    return node.filtered


def _to_mask(values: Any) -> Mask:
    mask: Mask = values.fill_null(False).to_numpy(zero_copy_only=False)
    return mask


def _compare_lists(lists: Any, operator: str, literal: Any) -> Mask:
    """Compare fixed-size lists in lexicographic order: the first items that differ decide."""
    size = lists.type.list_size
    items = lists.values.slice(lists.offset * size, len(lists) * size)
    items = literals.comparable(items)
    pattern = literal.take(pa.array(np.tile(np.arange(size), len(lists))))
    equal = _to_mask(pc.equal(items, pattern)).reshape(-1, size)
    first = np.arange(len(lists)), np.argmin(equal, axis=1)
    same = equal.all(axis=1)
    less = _to_mask(pc.less(items, pattern)).reshape(-1, size)[first]
    greater = _to_mask(pc.greater(items, pattern)).reshape(-1, size)[first]
    result = {
        "equal": same,
        "not_equal": ~same,
        "less": less,
        "less_equal": less | same,
        "greater": greater,
        "greater_equal": greater | same,
    }[operator]
    mask: Mask = result & _to_mask(lists.is_valid())
    return mask
