"""Where bytes come from."""

from exrindex.source.base import Blob, Found, Source
from exrindex.source.filelist import read_file_list
from exrindex.source.local import ListSource, LocalSource
from exrindex.source.presence import Presence

__all__ = [
    "Blob",
    "Found",
    "ListSource",
    "LocalSource",
    "Presence",
    "Source",
    "read_file_list",
]
