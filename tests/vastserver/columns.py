"""What may be a column, and whether values fit into one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from vastserver.request import S3Error, invalid
from vastserver.rowids import ROW_ID, ROW_ID_COLUMN

LARGEST_CELL = 128 << 10

_PLAIN = (
    pa.types.is_boolean, pa.types.is_integer, pa.types.is_floating, pa.types.is_string,
    pa.types.is_binary, pa.types.is_fixed_size_binary, pa.types.is_decimal128,
    pa.types.is_date32, pa.types.is_time, pa.types.is_timestamp,
)  # fmt: skip
_VECTOR_ITEMS = (
    pa.types.is_integer, pa.types.is_float32, pa.types.is_float64, pa.types.is_decimal128,
    pa.types.is_date32, pa.types.is_time, pa.types.is_timestamp,
)  # fmt: skip


def check_new(fields: Sequence[Any]) -> None:
    """Refuse columns that a table cannot have."""
    names = [field.name for field in fields]
    if len(set(names)) < len(names) or "" in names or ROW_ID in names:
        raise invalid("every column needs a name of its own")
    for field in fields:
        _check_type(field.type)
        if field.name == ROW_ID_COLUMN and not pa.types.is_int64(field.type):
            raise _unsupported(f"{ROW_ID_COLUMN} must be int64")


def _check_type(kind: Any) -> None:
    if pa.types.is_fixed_size_list(kind):
        _check_vector(kind)
    elif pa.types.is_list(kind) or pa.types.is_map(kind) or pa.types.is_struct(kind):
        children = [kind.field(index) for index in range(kind.num_fields)]
        if not children:
            raise _unsupported("a struct without fields")  # Guess.
        for child in children:
            _check_type(child.type)
    elif not any(is_kind(kind) for is_kind in _PLAIN):
        raise _unsupported(str(kind))


def _check_vector(kind: Any) -> None:
    item = kind.value_field
    if kind.list_size == 0:
        raise invalid("a fixed-size list needs items", "TabularInvalidColumnTypeParam")
    if item.nullable or not any(is_kind(item.type) for is_kind in _VECTOR_ITEMS):
        raise _unsupported(f"a fixed-size list of {item}")
    # Guess: where the limit lies; a list that fits into no cell is of no use.
    if kind.list_size * item.type.bit_width // 8 > LARGEST_CELL:
        raise _unsupported(f"a fixed-size list of {kind.list_size} items")


def _unsupported(what: str) -> S3Error:
    return invalid(f"not supported as a column: {what}", "TabularUnsupportedColumnType")


def without_zone(kind: Any) -> Any:
    """A type as old releases store it."""
    return _rebuilt(kind, lambda field: field)


def layout(kind: Any) -> Any:
    """What of a type a query has to know: neither zones nor what may be null.

    Guess: the latter; the SDK loses it for fixed-size lists when it copies a schema.
    """
    return _rebuilt(kind, lambda field: field.with_nullable(True))


def _rebuilt(kind: Any, change: Callable[[Any], Any]) -> Any:
    """A type without time zones whose children are changed in some way, too."""
    if pa.types.is_timestamp(kind):
        return pa.timestamp(kind.unit)
    if pa.types.is_map(kind):
        key, value = _rebuilt(kind.key_type, change), _rebuilt(kind.item_type, change)
        return pa.map_(key, change(kind.item_field.with_type(value)))
    if not pa.types.is_nested(kind):
        return kind
    children = [kind.field(index) for index in range(kind.num_fields)]
    rebuilt = [change(child.with_type(_rebuilt(child.type, change))) for child in children]
    if pa.types.is_fixed_size_list(kind):
        return pa.list_(rebuilt[0], kind.list_size)
    return pa.list_(rebuilt[0]) if pa.types.is_list(kind) else pa.struct(rebuilt)


def fitting(array: Any, sent: Any, field: Any) -> Any:
    """An array that was sent as ``sent`` for the column ``field``, as it is stored.

    Types must be the same, and so must nullability, down to the items of lists.
    """
    # Guess: that nullability must agree for all types; known for fixed-size lists.
    if not sent.type.equals(field.type) or sent.nullable != field.nullable:
        raise invalid(f"column {field.name} is {field}, not {sent}", "TabularMismatchColumnType")
    if array.null_count and not field.nullable:
        raise invalid(f"column {field.name} cannot be null")  # Guess.
    if _largest_cell(array) > LARGEST_CELL:
        # Guess: status and code.
        raise invalid(f"a value of {field.name} is larger than 128 KiB", "EntityTooLarge")
    return array if array.type.equals(field.type) else array.cast(field.type)


def _largest_cell(array: Any) -> int:
    """Bytes of the longest value, as far as its type has no bound of its own."""
    kind = array.type
    if pa.types.is_string(kind) or pa.types.is_binary(kind):
        return int(pc.max(pc.binary_length(array)).as_py() or 0)
    if pa.types.is_struct(kind):
        return max((_largest_cell(part) for part in array.flatten()), default=0)
    if pa.types.is_list(kind) and pa.types.is_primitive(kind.value_type):
        longest = pc.max(pc.list_value_length(array)).as_py() or 0
        return int(longest) * int(kind.value_type.bit_width) // 8
    return 0
