"""Where bytes come from."""

from exrindex.source.base import Blob, Found, Source
from exrindex.source.filelist import read_file_list
from exrindex.source.local import ListSource, LocalSource
from exrindex.source.presence import Presence
from exrindex.source.shard import Shard

__all__ = [
    "Blob",
    "Found",
    "ListSource",
    "LocalSource",
    "Presence",
    "Shard",
    "Source",
    "read_file_list",
]
