"""What ``exrindex doctor`` looks at in an embedded catalog."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator

from exrindex.errors import SchemaMismatch, StoreError
from exrindex.store.base import Finding, Level
from exrindex.store.duckfile import DuckFile

# A catalog that has less room than this on its disk will soon have none.
_LITTLE_BYTES = 1 << 30


def examine(file: DuckFile, require: Callable[[], None], *, write: bool) -> Iterator[Finding]:
    """See ``Store.examine``."""
    folder = file.path.parent
    if not os.path.isdir(folder):
        yield _bad("folder", f"{folder} is not a directory", "create it, or name another --store")
        return
    yield _room(file)
    may_write = os.access(file.path if os.path.exists(file.path) else folder, os.W_OK)
    if may_write:
        yield Finding("folder", Level.OK, f"{folder} may be written")
    else:
        yield _bad("folder", f"{file.path} may not be written", "check its permissions")
    try:
        if not file.exists():
            yield Finding(
                "catalog", Level.NOTE, f"no catalog at {file.path} yet", "exrindex scan PATH"
            )
            return
        if write:
            with file.writing():
                pass
        require()
    except SchemaMismatch as error:
        yield _bad("catalog", str(error), "exrindex schema check")
    except StoreError as error:
        yield _bad("catalog", str(error), "see docs/troubleshooting.md")
    else:
        size = file.path.stat().st_size
        yield Finding("catalog", Level.OK, f"{file.path} opens, {size / 1e6:,.1f} MB")


def _room(file: DuckFile) -> Finding:
    free = shutil.disk_usage(file.path.parent).free
    text = f"{free / 1e9:,.1f} GB free in {file.path.parent}"
    if free < _LITTLE_BYTES:
        return Finding("space", Level.NOTE, text, "free space, or move the catalog")
    return Finding("space", Level.OK, text)


def _bad(what: str, text: str, remedy: str) -> Finding:
    return Finding(what, Level.BAD, text, remedy, StoreError.exit_code)
