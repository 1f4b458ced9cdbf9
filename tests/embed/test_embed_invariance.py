"""What must not move a vector by a single bit."""

from __future__ import annotations

import random
from dataclasses import replace

import numpy as np
import pytest

from embed.header_samples import (
    AOVS,
    MULTIPART,
    RENDER,
    SAMPLES,
    STEREO,
    attribute,
    changed,
    channels,
    frame_attributes,
    header,
    part,
)
from exrindex import embed
from exrindex.embed import (
    HeaderVectors,
    channel_fingerprint,
    distance,
    embed_header,
    metadata_embedding,
    placed_channels,
)
from exrindex.model import Box, Finding, Header


def same(one: HeaderVectors, other: HeaderVectors) -> bool:
    left = (one.metadata, one.fingerprint, *one.part_fingerprints)
    right = (other.metadata, other.fingerprint, *other.part_fingerprints)
    return all(u.tobytes() == v.tobytes() for u, v in zip(left, right, strict=True))


def shuffled(original: Header, seed: int) -> Header:
    order = random.Random(seed)
    parts = tuple(
        replace(
            part,
            channels=tuple(order.sample(part.channels, len(part.channels))),
            attributes=tuple(order.sample(part.attributes, len(part.attributes))),
        )
        for part in original.parts
    )
    return replace(original, parts=parts)


def test_another_frame_of_a_sequence() -> None:
    for frame in (1002, 1017, 999_999):
        other = changed(RENDER, attributes=frame_attributes(frame), chunk_count=frame)
        assert same(embed_header(other), embed_header(RENDER))


@pytest.mark.parametrize("original", SAMPLES.values(), ids=SAMPLES.keys())
def test_order_of_channels_and_attributes(original: Header) -> None:
    for seed in range(3):
        assert same(embed_header(shuffled(original, seed)), embed_header(original))


def test_facts_about_the_file_rather_than_the_set_up() -> None:
    finding = Finding("long_name", "a name is long", 0, "x", 8)
    other = replace(RENDER, hash="f" * 64, nbytes=9999, version=3, findings=(finding,))
    assert same(embed_header(other), embed_header(RENDER))


def test_attributes_with_fields_of_their_own_are_not_counted_again() -> None:
    own = (
        attribute("channels", [], "chlist"),
        attribute("compression", "zips", "compression"),
        attribute("chunkCount", 12, "int"),
        attribute("version", 1, "int"),
    )
    other = changed(RENDER, attributes=RENDER.parts[0].attributes + own)
    assert same(embed_header(other), embed_header(RENDER))


def test_numbers_and_identifiers_in_attribute_names() -> None:
    def named(name: str) -> Header:
        return changed(RENDER, attributes=(attribute(name, "x"),))

    for one, other in (
        ("cryptomatte/f834d0a/name", "cryptomatte/28322e9/name"),
        ("shot/take7", "shot/take12"),
        ("id/3f2504e0-4f89-11d3-9a0c-0305e82c3301", "id/9b2d7c1e-0000-4f89-8a0c-0305e82c33ff"),
        ("exr/nuke/version", "nuke/version"),
    ):
        assert same(embed_header(named(one)), embed_header(named(other)))


def test_place_of_a_crop_inside_the_display_window() -> None:
    one = changed(RENDER, data_window=Box(100, 100, 1099, 599))
    other = changed(RENDER, data_window=Box(700, 300, 1699, 799))
    assert same(embed_header(one), embed_header(other))


def test_cached_and_fresh_vectors_are_equal() -> None:
    warm = {name: embed_header(sample) for name, sample in SAMPLES.items()}
    embed._structure.cache_clear()
    embed._in_windows.cache_clear()
    for name in reversed(SAMPLES):
        assert same(embed_header(SAMPLES[name]), warm[name])


def test_equal_numbers_of_other_types_share_a_cache_entry_and_a_vector() -> None:
    embed._structure.cache_clear()
    minus_zero = embed_header(changed(RENDER, screen_window_center=(-0.0, -0.0)))
    embed._structure.cache_clear()
    assert same(minus_zero, embed_header(RENDER))


def test_frames_of_a_sequence_share_one_computation() -> None:
    embed._structure.cache_clear()
    for frame in range(1001, 1031):
        crop = Box(frame, 0, 1900, 1000)
        embed_header(changed(RENDER, attributes=frame_attributes(frame), data_window=crop))
    assert embed._structure.cache_info().misses == 1


def test_bounded_caches() -> None:
    for cache in (embed._structure, embed._in_windows):
        assert cache.cache_info().maxsize is not None


def test_fingerprint_sees_channels_only() -> None:
    fingerprint = embed_header(RENDER).fingerprint.tobytes()
    for other in (
        changed(RENDER, compression="dwaa"),
        changed(RENDER, attributes=()),
        changed(RENDER, display_window=Box(0, 0, 99, 99)),
        changed(RENDER, type="tiledimage"),
    ):
        assert embed_header(other).fingerprint.tobytes() == fingerprint
        assert distance(metadata_embedding(other), metadata_embedding(RENDER)) > 1e-3


def test_fingerprint_of_a_part_and_of_the_file() -> None:
    parts = placed_channels(MULTIPART)
    vectors = embed_header(MULTIPART)
    every = [channel for part in parts for channel in part]
    assert channel_fingerprint(every).tobytes() == vectors.fingerprint.tobytes()
    for placed, fingerprint in zip(parts, vectors.part_fingerprints, strict=True):
        assert channel_fingerprint(placed).tobytes() == fingerprint.tobytes()


def test_layers_in_parts_or_in_channel_names_are_the_same_channels() -> None:
    flat = header(part(channels("R", "G", "B", "A", "diffuse.R", "diffuse.G", "diffuse.B")))
    split = header(
        part(channels("R", "G", "B", "A"), name="rgba"),
        part(channels("R", "G", "B"), name="diffuse"),
    )
    assert np.array_equal(embed_header(flat).fingerprint, embed_header(split).fingerprint)
    assert distance(metadata_embedding(flat), metadata_embedding(split)) > 0.02


def test_views_before_or_after_the_layer() -> None:
    one = changed(STEREO, channels=channels("spec.R", "spec.right.R"))
    other = changed(STEREO, channels=channels("spec.R", "right.spec.R"))
    assert same(embed_header(one), embed_header(other))


def test_parts_that_repeat_a_window_weigh_as_one() -> None:
    once, twice = header(part(AOVS)), header(part(AOVS), part(AOVS, name="x"))
    for name in ("w_size", "w_aspect", "w_over", "w_crop", "w_exact"):
        block = embed.METADATA_BLOCKS[name].slice
        assert np.allclose(metadata_embedding(once)[block], metadata_embedding(twice)[block])
