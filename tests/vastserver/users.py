"""Users: who may do what."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class User:
    access_key: str
    secret_key: str
    read_only: bool = False
    denied_buckets: frozenset[str] = frozenset()

    def may_use(self, bucket: str) -> bool:
        return bucket not in self.denied_buckets


NOBODY = User("", "", read_only=True)
