"""The bits of the vectors, fixed: a change here is a new embedding version."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import exrindex
from embed.header_samples import SAMPLES
from exrindex.embed import EMBEDDING_VERSION, HeaderVectors, embed_header
from exrindex.model import Header

DIGESTS = {
    "rgba": "9931934e435a711fad7d7d87e409112b409749985a6e3cd62b68b6492876b476",
    "render": "4936f9241662ac83e8925a2a5b91a0f480c8c4af33480ab389350914dd2a441e",
    "texture": "9c079a8c174725dda60fb1ddbeede4efb51cf45eb01f8d5dd0da0401f8d208af",
    "stereo": "d898e36a0c886a88bc0917e36fbb6323ab1ec6dffdcf8fe9e51f66c06fc1469e",
    "multipart": "93a31fb9eefcaafc96471d6cab679f9aeaa86438a9d67d7c536e8d485a908ffa",
    "subsampled": "ee961fff4ec3e828f7ca370848de35b89ed376172559a76184a43f869fd99fb3",
    "odd": "689666ee6fa6738c85e64075a137bb9cf5dc73bd9f9860ca28164b4705a7cc25",
    "empty": "73417bffba95e9caf8f0372ab439d2f0df9598c7ffe4ce77f7360159d5b21896",
}


def digest(vectors: HeaderVectors) -> str:
    """SHA-256 of all vectors as little-endian float32."""
    every = (vectors.metadata, vectors.fingerprint, *vectors.part_fingerprints)
    return hashlib.sha256(b"".join(v.astype("<f4").tobytes() for v in every)).hexdigest()


def test_version_of_these_digests() -> None:
    assert EMBEDDING_VERSION == "exr-hdr-1"


@pytest.mark.parametrize(("name", "header"), SAMPLES.items(), ids=SAMPLES.keys())
def test_vectors_have_not_changed(name: str, header: Header) -> None:
    assert digest(embed_header(header)) == DIGESTS[name]


@pytest.mark.parametrize("header", SAMPLES.values(), ids=SAMPLES.keys())
def test_unit_length_float32_and_read_only(header: Header) -> None:
    vectors = embed_header(header)
    assert vectors.metadata.shape == (384,)
    assert vectors.fingerprint.shape == (128,)
    assert len(vectors.part_fingerprints) == len(header.parts)
    for vector in (vectors.metadata, vectors.fingerprint, *vectors.part_fingerprints):
        assert vector.dtype == np.float32
        assert np.linalg.norm(vector.astype(np.float64)) == pytest.approx(1, abs=1e-6)
        assert not vector.flags.writeable


_PRINT_DIGESTS = """
import sys
sys.path[:0] = sys.argv[1:3]
from embed.header_samples import SAMPLES
from embed.test_embed_golden import digest
from exrindex.embed import embed_header
for name in reversed(SAMPLES):
    print(name, digest(embed_header(SAMPLES[name])))
"""


@pytest.mark.parametrize("seed", ["0", "1", "4242"])
def test_another_process_gets_the_same_bits(seed: str) -> None:
    """Other string hashes, another order of files and another locale change nothing."""
    tests, source = Path(__file__).parents[1], Path(exrindex.__file__).parents[1]
    environment = {**os.environ, "PYTHONHASHSEED": seed, "LC_ALL": "C", "TZ": "Asia/Tokyo"}
    command = [sys.executable, "-c", _PRINT_DIGESTS, str(tests), str(source)]
    output = subprocess.run(
        command, env=environment, capture_output=True, text=True, check=True, timeout=60
    ).stdout
    assert dict(line.split() for line in output.splitlines()) == DIGESTS
