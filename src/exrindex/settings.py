"""Settings: flags over environment over exrindex.toml over defaults, as one frozen value.

Only the doors (the command line) read this; everything below is handed values.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

import platformdirs

from exrindex.errors import SettingsError
from exrindex.naming import escape_text

FILE_NAME = "exrindex.toml"
MOST_WORKERS = 1_024
MOST_COMMIT_FILES = 1_000_000

_ABSOLUTE = re.compile(r"/|[A-Za-z]:[\\/]|\\\\")
_DEFAULT_CATALOG = "catalog.duckdb"
_DEFAULT_VAST_SCHEMA = "exr_metadata"


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be set, with its defaults.

    ``store`` is a store's URL, and ``store_from`` says where it was set; ``workers`` None is one
    per CPU; ``lock_wait`` is in seconds; ``path_maps`` are (prefix, replacement) pairs.
    """

    store: str = ""
    store_from: str = ""
    workers: int | None = None
    commit_files: int = 2000
    lock_wait: float = 60.0
    exclude: tuple[str, ...] = ()
    path_maps: tuple[tuple[str, str], ...] = ()


def load_settings(
    environ: Mapping[str, str], *, config: Path | None = None, store: str | None = None
) -> Settings:
    """Merge all layers; ``config`` and ``store`` are the flags of those names.

    The file is ``config``, else ``EXRINDEX_CONFIG``, else ``exrindex.toml`` in the current
    directory, else the one in the user's configuration directory. Raises ``SettingsError``.
    """
    path = _config_path(environ, config)
    settings = Settings() if path is None else _from_file(path)
    settings = _from_environment(settings, environ)
    if store is not None:
        if not store:
            raise SettingsError("--store is empty; is a variable in the command unset?")
        settings = replace(settings, store=store, store_from="--store")
    if not settings.store:
        settings = _default_store(settings, environ)
    settings = replace(settings, store=os.path.expanduser(settings.store))
    _require_utf8(settings)
    return settings


def _require_utf8(settings: Settings) -> None:
    """DuckDB opens no file whose path is not UTF-8, be it because of the folder we are in."""
    store = settings.store
    try:
        (store if "://" in store else os.path.abspath(store)).encode()
    except UnicodeEncodeError:
        raise SettingsError(
            f"{escape_text(store)}, from {settings.store_from}: the path must be valid UTF-8"
        ) from None


def _config_path(environ: Mapping[str, str], config: Path | None) -> Path | None:
    named = config or (Path(environ["EXRINDEX_CONFIG"]) if environ.get("EXRINDEX_CONFIG") else None)
    if named is not None:
        try:
            is_file = named.is_file()
        except OSError as error:
            raise SettingsError(f"{named}: {error.strerror}") from error
        if not is_file:
            raise SettingsError(f"there is no settings file {named}")
        return named
    candidates = [Path(FILE_NAME), Path(platformdirs.user_config_dir("exrindex")) / FILE_NAME]
    # A folder that this user may not enter, such as another's home, holds no settings of theirs.
    return next((path for path in candidates if os.path.isfile(path)), None)


def _from_file(path: Path) -> Settings:
    try:
        content = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise SettingsError(f"{path}: {error}") from error
    unknown = sorted(content.keys() - _READERS.keys())
    if unknown:
        raise SettingsError(
            f"{path}: unknown setting {unknown[0]!r}; known are {', '.join(sorted(_READERS))}"
        )
    values: dict[str, Any] = {}
    for name, value in content.items():
        try:
            values[name] = _READERS[name](value)
        except ValueError as error:
            raise SettingsError(f"{path}: {name}: {error}") from None
    if "store" in values:
        values["store_from"] = str(path)
    return Settings(**values)


def _from_environment(settings: Settings, environ: Mapping[str, str]) -> Settings:
    for field in fields(Settings):
        variable = f"EXRINDEX_{field.name.upper()}"
        text = environ.get(variable)
        if not text or field.name not in _FROM_TEXT:
            continue
        try:
            value = _READERS[field.name](_FROM_TEXT[field.name](text))
        except ValueError as error:
            raise SettingsError(f"{variable}={text}: {error}") from None
        changes: dict[str, Any] = {field.name: value}
        if field.name == "store":
            changes["store_from"] = variable
        settings = replace(settings, **changes)
    return settings


def _default_store(settings: Settings, environ: Mapping[str, str]) -> Settings:
    if environ.get("VAST_DB_ENDPOINT"):
        bucket = environ.get("VAST_DB_BUCKET")
        if not bucket:
            raise SettingsError("VAST_DB_ENDPOINT is set but VAST_DB_BUCKET is not")
        schema = environ.get("VAST_DB_SCHEMA") or _DEFAULT_VAST_SCHEMA
        return replace(settings, store=f"vast://{bucket}/{schema}", store_from="VAST_DB_ENDPOINT")
    folder = Path(platformdirs.user_data_dir("exrindex"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"cannot make {folder} for the embedded catalog ({error.strerror}); "
            "name a file with --store PATH.duckdb"
        ) from error
    return replace(settings, store=f"{folder / _DEFAULT_CATALOG}", store_from="default")


def _store(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("give the URL of a store")
    return value


def _count(most: int) -> Callable[[object], int]:
    def read(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= most:
            raise ValueError(f"give a whole number from 1 to {most}")
        return value

    return read


def _seconds(value: object) -> float:
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 <= value < 1e6:
        raise ValueError("give a number of seconds")
    return float(value)


def _patterns(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
        raise ValueError('give a list of patterns, such as ["*.tmp.exr", "cache/"]')
    return tuple(value)


def _path_maps(value: object) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, dict) or not all(isinstance(item, str) for item in value.values()):
        raise ValueError('give a table of prefixes, such as {"P:/shows" = "/mnt/shows"}')
    for path in (*value, *value.values()):
        if "\0" in path or not _ABSOLUTE.match(path):
            raise ValueError(f"{path!r} is not an absolute path; both sides have to be")
    return tuple(value.items())


_READERS: dict[str, Callable[[object], object]] = {
    "store": _store,
    "workers": _count(MOST_WORKERS),
    "commit_files": _count(MOST_COMMIT_FILES),
    "lock_wait": _seconds,
    "exclude": _patterns,
    "path_maps": _path_maps,
}

# Settings that an environment variable EXRINDEX_NAME can hold, and how its text becomes a value.
_FROM_TEXT: dict[str, Callable[[str], object]] = {
    "store": str,
    "workers": int,
    "commit_files": int,
    "lock_wait": float,
}
