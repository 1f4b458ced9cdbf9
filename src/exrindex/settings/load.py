"""Settings: flags over environment over exrindex.toml over defaults, as one frozen value."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import platformdirs

from exrindex.access import VastAccess
from exrindex.errors import SettingsError
from exrindex.naming import escape_text
from exrindex.settings.profiles import Profile, require_private
from exrindex.settings.values import FROM_TEXT, READERS
from exrindex.settings.vast import (
    REACHED_BY,
    SCHEME,
    profile_in,
    require_whole,
    resolve_access,
)

FILE_NAME = "exrindex.toml"

_DEFAULT_CATALOG = "catalog.duckdb"


@dataclass(frozen=True, slots=True)
class Settings:
    """What can be set, with its defaults.

    ``store`` is a store's URL, and ``store_from`` says where it was set; ``workers`` None is one
    per CPU; ``lock_wait`` is in seconds; ``path_maps`` are (prefix, replacement) pairs.
    ``profile`` is the name of one of ``profiles``, and ``profile_from`` where it was set.
    """

    store: str = ""
    store_from: str = ""
    workers: int | None = None
    commit_files: int = 4000
    lock_wait: float = 60.0
    exclude: tuple[str, ...] = ()
    path_maps: tuple[tuple[str, str], ...] = ()
    profile: str = ""
    profile_from: str = ""
    profiles: Mapping[str, Profile] = field(default_factory=dict)

    def access(self, url: str, environ: Mapping[str, str]) -> VastAccess | None:
        """How to reach the store at ``url``; None for one that is a file.

        Raises ``SettingsError`` if something is missing.
        """
        if not url.startswith(f"{SCHEME}://"):
            return None
        named = profile_in(url)
        name = named or self.profile
        if name and name not in self.profiles:
            known = ", ".join(sorted(self.profiles)) or "none; they belong into the settings file"
            raise SettingsError(f"there is no profile {name!r}; known are {known}")
        by_name = named is not None or self.profile_from in _BY_NAME
        profile = self.profiles[name] if name else None
        return resolve_access(url, environ, profile, profile_first=by_name)


# Where a profile is asked for by name, so that it stands before VAST_DB_...
_BY_NAME = ("--profile", "EXRINDEX_PROFILE")


def load_settings(
    environ: Mapping[str, str],
    *,
    config: Path | None = None,
    store: str | None = None,
    profile: str | None = None,
) -> Settings:
    """Merge all layers; ``config``, ``store`` and ``profile`` are the flags of those names.

    The file is ``config``, else ``EXRINDEX_CONFIG``, else ``exrindex.toml`` in the current
    directory, else the one in the user's configuration directory. Raises ``SettingsError``.
    """
    path = _config_path(environ, config)
    settings = Settings() if path is None else _from_file(path)
    settings = _from_environment(settings, environ)
    if profile is not None:
        settings = replace(settings, profile=profile, profile_from="--profile")
    if store is not None:
        if not store:
            raise SettingsError("--store is empty; is a variable in the command unset?")
        settings = replace(settings, store=store, store_from="--store")
    if settings.profile_from in _BY_NAME and settings.store_from != "--store":
        settings = replace(settings, store="")
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
    unknown = sorted(content.keys() - READERS.keys())
    if unknown:
        raise SettingsError(
            f"{path}: unknown setting {unknown[0]!r}; known are {', '.join(sorted(READERS))}"
        )
    values: dict[str, Any] = {}
    for name, value in content.items():
        try:
            values[name] = READERS[name](value)
        except ValueError as error:
            raise SettingsError(f"{path}: {name}: {error}") from None
    for name in ("store", "profile"):
        if name in values:
            values[f"{name}_from"] = str(path)
    settings = Settings(**values)
    if any(profile.holds_a_key for profile in settings.profiles.values()):
        require_private(path)
    return settings


def _from_environment(settings: Settings, environ: Mapping[str, str]) -> Settings:
    for setting in fields(Settings):
        variable = f"EXRINDEX_{setting.name.upper()}"
        text = environ.get(variable)
        if not text or setting.name not in FROM_TEXT:
            continue
        try:
            value = READERS[setting.name](FROM_TEXT[setting.name](text))
        except ValueError as error:
            raise SettingsError(f"{variable}={text}: {error}") from None
        changes: dict[str, Any] = {setting.name: value}
        if setting.name in ("store", "profile"):
            changes[f"{setting.name}_from"] = variable
        settings = replace(settings, **changes)
    return settings


def _default_store(settings: Settings, environ: Mapping[str, str]) -> Settings:
    """VAST where anything says so, else the catalog in the user's data directory."""
    by_name = settings.profile_from if settings.profile_from in _BY_NAME else None
    reached_by = next((name for name in REACHED_BY if environ.get(name)), None)
    if source := by_name or reached_by or settings.profile_from:
        settings = replace(settings, store=f"{SCHEME}://", store_from=source)
        access = settings.access(settings.store, environ)
        assert access is not None
        return replace(settings, store=access.url)
    require_whole(environ)
    folder = Path(platformdirs.user_data_dir("exrindex"))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise SettingsError(
            f"cannot make {folder} for the embedded catalog ({error.strerror}); "
            "name a file with --store PATH.duckdb"
        ) from error
    return replace(settings, store=f"{folder / _DEFAULT_CATALOG}", store_from="default")
