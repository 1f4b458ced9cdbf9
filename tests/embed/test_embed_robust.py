"""Any header that can be parsed has vectors: finite, of unit length, always the same."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

from exrindex import embed
from exrindex.embed import distance, embed_header, explain
from exrindex.model import (
    MULTIPART_FLAG,
    Attribute,
    Box,
    Channel,
    Header,
    Part,
    Tile,
)

INT32 = st.integers(-(2**31), 2**31 - 1)
FLOAT32 = st.floats(width=32)
# What decoding arbitrary bytes with surrogateescape gives.
NAMES = st.one_of(
    st.binary(max_size=12).map(lambda raw: raw.decode("utf-8", "surrogateescape")),
    st.sampled_from(["R", "Z", "left.R", "diffuse.G", ".", "..", "a..b", "software", "x/version"]),
)
TEXTS = st.one_of(
    NAMES,
    st.sampled_from(["Arnold 7.1.4.2", "created with ", "v023", "1.2.3", "Maya 2024", "\0", " "]),
)
VALUES: SearchStrategy[Any] = st.one_of(
    st.none(),
    st.booleans(),
    INT32,
    FLOAT32,
    TEXTS,
    st.sampled_from(["NaN", "Infinity"]),
    st.lists(st.one_of(FLOAT32, INT32, TEXTS, st.lists(FLOAT32, max_size=2)), max_size=4),
    st.fixed_dictionaries({"num": INT32, "den": st.integers(0, 2**32 - 1)}),
    st.fixed_dictionaries({"text": TEXTS, "base64": st.just("")}),
    st.dictionaries(
        st.sampled_from(["red", "green", "white", "bytes", "min", "num"]),
        st.one_of(INT32, TEXTS, st.lists(FLOAT32, max_size=3)),
        max_size=4,
    ),
)
ATTRIBUTE_NAMES = st.one_of(
    NAMES,
    st.sampled_from(
        [
            *("chromaticities", "framesPerSecond", "multiView", "software", "comments", "exr/"),
            *("a/colorspace", "nuke/version", "vrayInfo/vraycore", "/", "whiteLuminance", "name"),
        ]
    ),
)
ATTRIBUTE_TYPES = st.sampled_from(["string", "stringvector", "rational", "float", "int", "odd", ""])
BOXES = st.none() | st.builds(Box, INT32, INT32, INT32, INT32)
CHANNELS = st.builds(
    Channel,
    NAMES,
    st.sampled_from(["half", "float", "uint", "unknown_7"]),
    INT32,
    INT32,
    st.booleans(),
)
PARTS = st.builds(
    Part,
    index=st.just(0),
    name=st.none() | NAMES,
    type=st.sampled_from([None, "scanlineimage", "deeptile", "", "\udcff"]),
    view=st.none() | NAMES,
    data_window=BOXES,
    display_window=BOXES,
    compression=st.sampled_from([None, "none", "zip", "htj2k32", "zstd", "unknown_200", ""]),
    line_order=st.sampled_from([None, "increasing_y", "unknown_9"]),
    pixel_aspect_ratio=st.none() | FLOAT32,
    screen_window_center=st.none() | st.tuples(FLOAT32, FLOAT32),
    screen_window_width=st.none() | FLOAT32,
    tile=st.none() | st.builds(Tile, INT32, INT32, st.just("unknown_3"), st.just("round_up")),
    chunk_count=st.none() | INT32,
    channels=st.lists(CHANNELS, max_size=6).map(tuple),
    attributes=st.lists(
        st.builds(
            Attribute,
            ATTRIBUTE_NAMES,
            ATTRIBUTE_TYPES,
            VALUES,
            st.just(b""),
            st.just(0),
            st.none() | st.just("bad"),
        ),
        max_size=6,
    ).map(tuple),
)
HEADERS = st.builds(
    Header,
    version=st.just(2),
    flags=st.sampled_from([0, MULTIPART_FLAG]),
    parts=st.lists(PARTS, max_size=3).map(tuple),
    nbytes=st.just(0),
    hash=st.just(""),
    findings=st.just(()),
)


@settings(max_examples=250, suppress_health_check=[HealthCheck.too_slow])
@given(HEADERS)
def test_any_header_has_finite_unit_vectors(header: Header) -> None:
    vectors = embed_header(header)
    assert len(vectors.part_fingerprints) == len(header.parts)
    for vector in (vectors.metadata, vectors.fingerprint, *vectors.part_fingerprints):
        assert np.isfinite(vector).all()
        assert abs(np.linalg.norm(vector.astype(np.float64)) - 1) < 1e-6


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(HEADERS)
def test_fresh_caches_and_reversed_lists_change_no_bit(header: Header) -> None:
    vectors = embed_header(header)
    embed._structure.cache_clear()
    embed._in_windows.cache_clear()
    backwards = replace(
        header,
        parts=tuple(replace(part, channels=part.channels[::-1]) for part in header.parts),
    )
    again = embed_header(backwards)
    assert again.metadata.tobytes() == vectors.metadata.tobytes()
    assert again.fingerprint.tobytes() == vectors.fingerprint.tobytes()


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow])
@given(HEADERS, HEADERS)
def test_any_two_headers_have_a_distance(one: Header, other: Header) -> None:
    u, v = embed_header(one).metadata, embed_header(other).metadata
    assert 0 <= distance(u, v) <= 2
    assert distance(u, v) == distance(v, u)
    assert all(share.share >= 0 for share in explain(u, v))
