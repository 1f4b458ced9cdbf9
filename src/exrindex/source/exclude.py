"""Patterns of ``.gitignore`` that keep places out of a walk. The one file that knows pathspec."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pathspec import GitIgnoreSpec

from exrindex.errors import UsageError

# Undecodable bytes (lone surrogates) as private characters, one for one: pathspec may be
# installed with a matcher that encodes to UTF-8.
_FIT_FOR_UTF8 = {0xDC80 + byte: 0x10FF00 + byte for byte in range(128)}


def exclusion(patterns: Sequence[str]) -> Callable[[str], bool]:
    """A test of paths relative to a root; directories are given with a slash at the end.

    Raises ``UsageError`` for a pattern that is malformed or could never match (a comment).
    """
    for pattern in patterns:
        if not _means_something(pattern):
            raise UsageError(
                f"exclude pattern {pattern!r} matches nothing; patterns are written as in "
                ".gitignore: '*.tmp.exr', 'cache/', '/top/only'"
            )
    spec = GitIgnoreSpec.from_lines([_encodable(pattern) for pattern in patterns])

    def excluded(relative: str) -> bool:
        return spec.match_file(_encodable(relative))

    return excluded


def _means_something(pattern: str) -> bool:
    try:
        compiled = GitIgnoreSpec.from_lines([_encodable(pattern)]).patterns
    except ValueError:
        return False
    return any(rule.include is not None for rule in compiled)


def _encodable(text: str) -> str:
    return text if text.isascii() else text.translate(_FIT_FOR_UTF8)
