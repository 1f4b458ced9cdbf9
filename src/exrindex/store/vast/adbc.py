"""SQL that VAST runs itself, through its ADBC driver where that is installed."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pyarrow as pa
import sqlglot
from sqlglot import exp

from exrindex.access import VastAccess
from exrindex.store.vast.pushdown import canonical_id
from exrindex.tables import TABLES

EXTRA = "exrindex[adbc]"


class NotThere(Exception):
    """The cluster's SQL engine cannot be used for this; the text says why."""


def is_installed() -> bool:
    """Whether the driver is there."""
    return importlib.util.find_spec("adbc_driver_vastdb") is not None


def run(statement: str, access: VastAccess) -> pa.Table:
    """Run a statement over our tables in the cluster. Raises ``NotThere`` if that fails."""
    qualified = qualify(statement, access)
    with _cursor(access) as cursor:
        cursor.execute(qualified)
        return cursor.fetch_arrow_table()


def qualify(statement: str, access: VastAccess) -> str:
    """The statement with our tables named as VAST names them: ``"BUCKET/SCHEMA".table``.

    Nothing else of the text is touched. Raises ``NotThere`` if its tables cannot be told.
    """
    try:
        tree = sqlglot.parse_one(statement, dialect="duckdb")
    except sqlglot.errors.SqlglotError as error:
        raise NotThere(f"the statement was not understood: {_innermost(error)}") from error
    for literal in tree.find_all(exp.Literal):
        if literal.is_string and canonical_id(literal.name) not in (None, literal.name):
            raise NotThere("the statement spells an id in another way than it is stored")
    named = {cte.alias_or_name.lower() for cte in tree.find_all(exp.CTE)}
    prefix = f'"{access.bucket}/{access.schema}".'
    edits = []
    for table in tree.find_all(exp.Table):
        name = table.this
        if not isinstance(name, exp.Identifier) or name.name.lower() not in TABLES:
            continue
        if name.name.lower() in named or table.args.get("db") is not None:
            raise NotThere(f"the statement calls something else {name.name}, too")
        if "start" not in name.meta:
            raise NotThere("the place of a table in the statement is not known")
        edits.append(int(name.meta["start"]))
    for start in sorted(edits, reverse=True):
        statement = statement[:start] + prefix + statement[start:]
    return statement


@contextmanager
def _cursor(access: VastAccess) -> Iterator[Any]:
    import adbc_driver_vastdb
    from adbc_driver_manager import dbapi

    try:
        with (
            dbapi.connect(
                driver=adbc_driver_vastdb.get_driver_path(),
                db_kwargs={
                    "vast.db.endpoint": access.endpoint,
                    "vast.db.access_key": access.access_key,
                    "vast.db.secret_key": access.secret_key.reveal(),
                    "vast.db.insecure_tls": "true" if access.verify is False else "false",
                },
                autocommit=True,
            ) as connection,
            connection.cursor() as cursor,
        ):
            yield cursor
    except (dbapi.Error, OSError, pa.ArrowException) as error:
        # What goes wrong while rows come is raised by Arrow.
        raise NotThere(_innermost(error)) from None


_SAID = re.compile(r'message: "(.*?)"(?:, request_id|$)')


def _innermost(error: Exception) -> str:
    """What the server said, which the driver puts last."""
    last = str(error).strip().rpartition("\n")[2].strip()
    said = _SAID.search(last)
    return said.group(1) if said else last
