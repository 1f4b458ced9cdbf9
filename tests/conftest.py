"""Fixtures of several rooms."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import settings

# How long an example takes depends on the machine, and decides no test.
settings.register_profile("exrindex", deadline=None)
settings.load_profile("exrindex")


@pytest.fixture
def public() -> Iterator[Path]:
    """A folder whose parents any user may enter (pytest's own belong to one user)."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o777)
        yield folder
        # So that whoever runs the tests can remove it again.
        for path in (folder, *folder.rglob("*")):
            if not path.is_symlink():
                path.chmod(0o755)
