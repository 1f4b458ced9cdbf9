"""VAST DataBase: imported only where a store is there, since the SDK takes a second to load."""

from exrindex.store.vast.store import VastStore

__all__ = ["VastStore"]
