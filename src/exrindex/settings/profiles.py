"""Named ways to a VAST database in the settings file: ``[profiles.NAME]``.

A profile names its keys by environment variable or file. A key by value is accepted only from a
settings file that the rest of the world cannot read.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from exrindex.access import Secret
from exrindex.errors import SettingsError

_VARIABLE = re.compile(r"[A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+")

# A key of an account is a line; what is longer is some other file.
_MOST_KEY_BYTES = 4096


@dataclass(frozen=True, slots=True)
class KeySource:
    """Where a key is to be found: one of the three is set."""

    value: Secret | None = None
    variable: str | None = None
    file: str | None = None

    def read(self, what: str, environ: Mapping[str, str]) -> str:
        """The key. Raises ``SettingsError`` if it is not where it should be."""
        if self.value is not None:
            return self.value.reveal()
        if self.variable is not None:
            if not environ.get(self.variable):
                # Somebody may have put the key itself where the variable's name belongs.
                shown = self.variable if _VARIABLE.fullmatch(self.variable) else "it names"
                raise SettingsError(f"{what}: the environment variable {shown} is not set")
            return environ[self.variable]
        return _read_key_file(what, os.path.expanduser(self.file or ""))


@dataclass(frozen=True, slots=True)
class Profile:
    """One ``[profiles.NAME]``; what it does not say is None."""

    name: str
    endpoint: str | None = None
    region: str | None = None
    bucket: str | None = None
    schema: str | None = None
    data_endpoints: tuple[str, ...] | None = None
    tls_verify: bool | None = None
    ca_bundle: str | None = None
    access_key: KeySource | None = None
    secret_key: KeySource | None = None

    @property
    def holds_a_key(self) -> bool:
        """Whether a key is written into the settings file itself."""
        return any(key and key.value is not None for key in (self.access_key, self.secret_key))


_TEXTS = ("endpoint", "region", "bucket", "schema", "ca_bundle")
_KEYS = ("access_key", "secret_key")
_KEY_SUFFIXES = ("", "_env", "_file")


def read_profile(name: str, content: Mapping[str, object]) -> Profile:
    """A profile from its TOML table. Raises ``ValueError`` for what does not belong there."""
    known = {*_TEXTS, "data_endpoints", "tls_verify"}
    known |= {key + suffix for key in _KEYS for suffix in _KEY_SUFFIXES}
    if unknown := sorted(content.keys() - known):
        raise ValueError(f"{name}.{unknown[0]}: known are {', '.join(sorted(known))}")
    for key, value in content.items():
        if key == "tls_verify":
            if not isinstance(value, bool):
                raise ValueError(f"{name}.{key}: give true or false")
        elif key == "data_endpoints":
            if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
                raise ValueError(f"{name}.{key}: give a list of URLs")
        elif not isinstance(value, str) or not value:
            raise ValueError(f"{name}.{key}: give a text")
    values: dict[str, object] = {key: content[key] for key in _TEXTS if key in content}
    values |= {key: _key_source(name, key, content) for key in _KEYS}
    endpoints = content.get("data_endpoints")
    return Profile(
        name,
        data_endpoints=tuple(endpoints) if isinstance(endpoints, list) else None,
        tls_verify=content.get("tls_verify"),  # type: ignore[arg-type]
        **values,  # type: ignore[arg-type]
    )


def _key_source(name: str, key: str, content: Mapping[str, object]) -> KeySource | None:
    given = [key + suffix for suffix in _KEY_SUFFIXES if key + suffix in content]
    if len(given) > 1:
        raise ValueError(f"{name}: give one of {', '.join(given)}")
    if not given:
        return None
    text = str(content[given[0]])
    match given[0].removeprefix(key):
        case "_env":
            return KeySource(variable=text)
        case "_file":
            return KeySource(file=text)
    return KeySource(value=Secret(text))


def require_private(path: Path) -> None:
    """Refuse a settings file with a key in it that everybody can read."""
    if os.stat(path).st_mode & stat.S_IROTH:
        raise SettingsError(
            f"{path} holds a key and can be read by everyone: chmod o-r it, or name the key by "
            "secret_key_env or secret_key_file instead"
        )


def _read_key_file(what: str, path: str) -> str:
    try:
        with open(path, "rb") as stream:
            mode = os.fstat(stream.fileno()).st_mode
            text = stream.read(_MOST_KEY_BYTES + 1).decode().strip()
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path, or no text in the file
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise SettingsError(f"{what}: {path}: {reason}") from None
    if mode & stat.S_IROTH:
        raise SettingsError(f"{what}: {path} can be read by everyone: chmod o-r it")
    if not text or len(text) > _MOST_KEY_BYTES or len(text.split()) != 1:
        raise SettingsError(f"{what}: {path} should hold the key and nothing else")
    return text
