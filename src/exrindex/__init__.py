"""Index OpenEXR headers in batch into a database, and ask it questions."""

__version__ = "0.1.0"
