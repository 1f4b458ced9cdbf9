"""Releases of VAST, and what the SDK expects of older ones."""

from __future__ import annotations

from typing import NamedTuple


class Version(NamedTuple):
    """A release as the Server header names it: major, minor, patch, protocol."""

    major: int
    minor: int
    patch: int
    protocol: int

    @classmethod
    def parse(cls, text: str) -> Version:
        return cls(*(int(part) for part in text.split(".")))

    def __str__(self) -> str:
        return ".".join(map(str, self))

    @property
    def has_sorting(self) -> bool:
        return self >= (5, 3)

    @property
    def has_zones(self) -> bool:
        """Keeps the time zone of a column; older releases drop it."""
        return self >= (5, 4)

    @property
    def has_vectors(self) -> bool:
        return self >= (5, 5)

    @property
    def lists_only_names(self) -> bool:
        """Column listings may be asked for names without types."""
        return self >= (5, 5)

    @property
    def names_bad_sorting_keys(self) -> bool:
        """Answers a wrong sorting key with 400; older releases with 500."""
        return self >= (5, 5)
