"""What can be set, and where. Only the doors read this; everything below is handed values."""

from exrindex.settings.load import FILE_NAME, Settings, load_settings
from exrindex.settings.values import MOST_COMMIT_FILES, MOST_WORKERS

__all__ = ["FILE_NAME", "MOST_COMMIT_FILES", "MOST_WORKERS", "Settings", "load_settings"]
