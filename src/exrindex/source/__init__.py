"""Where bytes come from."""

from exrindex.source.base import Blob, Found, Source
from exrindex.source.filelist import read_file_list
from exrindex.source.local import ListSource, LocalSource, listing

__all__ = [
    "Blob",
    "Found",
    "ListSource",
    "LocalSource",
    "Source",
    "listing",
    "read_file_list",
]
