"""What a setting may hold: one reader per setting, from TOML value to checked value."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from exrindex.settings.profiles import Profile, read_profile

MOST_WORKERS = 1_024
MOST_COMMIT_FILES = 1_000_000

_ABSOLUTE = re.compile(r"/|[A-Za-z]:[\\/]|\\\\")


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


def _profile_name(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("give the name of one of the [profiles]")
    return value


def _profiles(value: object) -> Mapping[str, Profile]:
    if not isinstance(value, dict) or not all(isinstance(item, dict) for item in value.values()):
        raise ValueError("give a table for each profile, such as [profiles.studio]")
    return {name: read_profile(name, content) for name, content in value.items()}


READERS: Mapping[str, Callable[[object], object]] = {
    "store": _store,
    "workers": _count(MOST_WORKERS),
    "commit_files": _count(MOST_COMMIT_FILES),
    "lock_wait": _seconds,
    "exclude": _patterns,
    "path_maps": _path_maps,
    "profile": _profile_name,
    "profiles": _profiles,
}

# Settings that an environment variable EXRINDEX_NAME can hold, and how its text becomes a value.
FROM_TEXT: Mapping[str, Callable[[str], object]] = {
    "store": str,
    "workers": int,
    "commit_files": int,
    "lock_wait": float,
    "profile": str,
}
