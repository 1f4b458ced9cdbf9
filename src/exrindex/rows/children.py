"""Rows of a table whose rows belong to parts of files, taken from distinct ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from exrindex.rows.columns import columns_of
from exrindex.rows.ids import Blocks, child_ids
from exrindex.tables import TABLES, is_vector

# A table begins with the ids of row, file and part, and the positions of part and row.
_PLACES = 5


class ChildRows:
    """Gathers the rows of ``channels`` or ``attributes``.

    ``facts`` holds the distinct ones, as tuples of the columns after the places, vectors left out.
    """

    def __init__(self, table: str, kind: int) -> None:
        self.facts: list[tuple[Any, ...]] = []
        self._schema = TABLES[table]
        self._kind = kind
        self._blocks = Blocks()
        self._rows: list[int] = []

    def add(self, file: int, part: int, rows: Sequence[int]) -> None:
        """The next rows belong to a part of a file; ``rows`` are numbers of ``facts``."""
        self._blocks.add(file, part, len(rows))
        self._rows += rows

    def columns(self, file_ids: Sequence[str]) -> dict[str, pa.Array]:
        """All columns but vectors; ``file_ids`` are those of the files."""
        positions = self._blocks.positions()
        ids = child_ids(file_ids, self._kind, positions)
        places = (ids.own, ids.file, ids.part, pa.array(positions.part), pa.array(positions.place))
        names = [field.name for field in self._schema if not is_vector(field)]
        distinct = columns_of(self._schema, names[_PLACES:], self.facts)
        rows = pa.array(np.array(self._rows, np.int64))
        taken = {name: column.take(rows) for name, column in distinct.items()}
        return dict(zip(names, places, strict=False)) | taken
