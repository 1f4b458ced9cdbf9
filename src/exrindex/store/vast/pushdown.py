"""What of a statement's WHERE a store can be asked to apply while it streams.

Only conditions that are plainly about one column and a literal, joined by AND, of a SELECT from one
table alone, and only for tables that are read once: DuckDB applies the whole WHERE again, so what
is not understood here costs time and nothing else.
"""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import pyarrow as pa
import sqlglot
from sqlglot import exp

from exrindex.tables import ID_COLUMNS, TABLES

_OPERATORS: dict[type[exp.Expression], str] = {
    exp.EQ: "==",
    exp.NEQ: "!=",
    exp.GT: ">",
    exp.GTE: ">=",
    exp.LT: "<",
    exp.LTE: "<=",
}
_MIRRORED = {"==": "==", "!=": "!=", ">": "<", ">=": "<=", "<": ">", "<=": ">="}
_MOST_VALUES = 1000


class Condition(NamedTuple):
    """``operator`` is a comparison, ``in``, ``between``, ``prefix``, ``null`` or ``not null``."""

    column: str
    operator: str
    values: tuple[Any, ...] = ()

    def predicate(self, column: Any) -> Any:
        """The condition about an ibis column, in the words that the SDK can send."""
        compare: dict[str, Callable[[], Any]] = {
            "==": lambda: column == self.values[0],
            "!=": lambda: column != self.values[0],
            ">": lambda: column > self.values[0],
            ">=": lambda: column >= self.values[0],
            "<": lambda: column < self.values[0],
            "<=": lambda: column <= self.values[0],
            "in": lambda: column.isin(list(self.values)),
            "between": lambda: column.between(*self.values),
            "prefix": lambda: column.startswith(self.values[0]),
            "null": column.isnull,
            "not null": lambda: ~column.isnull(),
        }
        return compare[self.operator]()


def conditions(
    statement: str, repeated: frozenset[str], parameters: Mapping[str, Any]
) -> dict[str, list[Condition]]:
    """Table → conditions that every row it has to give must meet."""
    try:
        tree = sqlglot.parse_one(statement, dialect="duckdb")
    except sqlglot.errors.SqlglotError:
        return {}
    if any(cte.alias_or_name.lower() in TABLES for cte in tree.find_all(exp.CTE)):
        return {}
    found: dict[str, list[Condition]] = {}
    for select in tree.find_all(exp.Select):
        source = _only_table(select)
        where = select.args.get("where")
        if source is None or source.name.lower() in repeated or where is None:
            continue
        read = _Reader(source, parameters)
        for conjunct in _conjuncts(where.this):
            condition = _condition(conjunct, read)
            if condition is not None:
                found.setdefault(read.table, []).append(condition)
    return found


def _conjuncts(node: exp.Expression) -> Iterator[exp.Expression]:
    while isinstance(node, exp.Paren):
        node = node.this
    if isinstance(node, exp.And):
        yield from _conjuncts(node.left)
        yield from _conjuncts(node.right)
    else:
        yield node


def _only_table(select: exp.Select) -> exp.Table | None:
    """The table of ours that a SELECT reads if it reads nothing else."""
    origin = select.args.get("from") or select.args.get("from_")
    if origin is None or select.args.get("joins") or select.args.get("laterals"):
        return None
    table = origin.this
    if not isinstance(table, exp.Table) or table.name.lower() not in TABLES:
        return None
    # A sample is taken before the WHERE; an alias may give columns other names; and so on.
    special = {name for name, value in table.args.items() if value} - {"this", "alias"}
    alias = table.args.get("alias")
    if special or select.args.get("sample") or (alias and alias.args.get("columns")):
        return None
    return table


def _condition(node: exp.Expression, read: _Reader) -> Condition | None:
    match node:
        case exp.Not(this=exp.Is() as inner):
            made = _condition(inner, read)
            return Condition(made.column, "not null") if made else None
        case exp.Is(this=column, expression=exp.Null()):
            name = read.column(column)
            return Condition(name, "null") if name else None
        case exp.In(this=column, expressions=items) if items:
            return read.about(column, "in", items)
        case exp.Between(this=column, args={"low": low, "high": high}):
            return read.about(column, "between", [low, high])
        case exp.Like(this=column, expression=exp.Literal() as pattern):
            return read.prefix(column, pattern)
    operator = _OPERATORS.get(type(node))
    if operator is None:
        return None
    left, right = node.this, node.expression
    return read.about(left, operator, [right]) or read.about(right, _MIRRORED[operator], [left])


class _Reader:
    """Reads columns and literals of one table's conditions."""

    def __init__(self, source: exp.Table, parameters: Mapping[str, Any]) -> None:
        self.table = source.name.lower()
        self._names = ("", source.alias_or_name.lower())
        self._schema = TABLES[self.table]
        self._parameters = parameters

    def about(
        self, column: exp.Expression, operator: str, items: Sequence[exp.Expression]
    ) -> Condition | None:
        name = self.column(column)
        if name is None or len(items) > _MOST_VALUES:
            return None
        values = list(self._values(name, operator, items))
        return Condition(name, operator, tuple(values)) if len(values) == len(items) else None

    def prefix(self, column: exp.Expression, pattern: exp.Literal) -> Condition | None:
        name = self.column(column)
        text, percent, rest = pattern.name.partition("%")
        plain = percent and not rest and text and "_" not in text and "\\" not in text
        if name is None or name in ID_COLUMNS or not plain:
            return None
        return Condition(name, "prefix", (text,)) if self._kind(name) == pa.string() else None

    def column(self, node: exp.Expression) -> str | None:
        # A column of another table is one of a query around this one.
        if not isinstance(node, exp.Column) or node.table.lower() not in self._names:
            return None
        name = node.name.lower()
        return name if name in self._schema.names else None

    def _kind(self, name: str) -> pa.DataType:
        return self._schema.field(name).type

    def _values(self, name: str, operator: str, items: Sequence[exp.Expression]) -> Iterator[Any]:
        """The values of literals whose type is the column's own; others are left out."""
        for item in items:
            value = self._literal(item)
            kind = self._kind(name)
            if kind == pa.string() and isinstance(value, str):
                if name not in ID_COLUMNS:
                    yield value
                elif operator in ("==", "in") and (text := canonical_id(value)):
                    yield text
            elif kind == pa.int64() and isinstance(value, int) and abs(value) < 2**63:
                yield value

    def _literal(self, node: exp.Expression) -> Any:
        match node:
            case exp.Literal(is_string=True):
                return node.name
            case exp.Literal(is_int=True):
                return int(node.name)
            case exp.Neg(this=exp.Literal(is_int=True) as inner):
                return -int(inner.name)
            case exp.Parameter() | exp.Placeholder():
                return self._parameters.get(node.name)
        return None


def canonical_id(text: str) -> str | None:
    """A UUID as it is stored; None for what is none."""
    try:
        return str(uuid.UUID(text))
    except ValueError:
        return None
