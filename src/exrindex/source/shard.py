"""One of several shares of the directories, for a scan that runs as a render-farm array job."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass

from exrindex.errors import UsageError
from exrindex.naming import normalize_path


@dataclass(frozen=True, slots=True)
class Shard:
    """Share ``number`` (from 1) of ``count``. Each directory belongs to exactly one share.

    Which one depends on its canonical place alone, so all machines agree, and a directory stays in
    its share while others come and go.
    """

    number: int
    count: int
    path_maps: Sequence[tuple[str, str]] = ()

    @classmethod
    def parse(cls, text: str, path_maps: Sequence[tuple[str, str]] = ()) -> Shard:
        """From text such as 3/16; raises ``UsageError``."""
        match = re.fullmatch(r"([0-9]{1,6})/([0-9]{1,6})", text)
        if match is None or not 1 <= int(match[1]) <= int(match[2]):
            raise UsageError(f"--shard {text}: give the number of a share and how many, as in 3/16")
        return cls(int(match[1]), int(match[2]), path_maps)

    def __str__(self) -> str:
        return f"{self.number}/{self.count}"

    def holds(self, directory: str) -> bool:
        """Whether a directory's files are in this share; those below it are asked about anew."""
        place = normalize_path(directory, self.path_maps)
        digest = hashlib.blake2b(place.encode(), digest_size=8).digest()
        return int.from_bytes(digest, "big") % self.count == self.number - 1
