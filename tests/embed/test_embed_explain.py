"""A distance taken apart: parts that are never negative and sum to the whole."""

from __future__ import annotations

from math import fsum

import numpy as np
import pytest

from embed.header_samples import (
    AOVS,
    RENDER,
    SAMPLES,
    STEREO,
    attribute,
    changed,
    channels,
)
from exrindex.embed import (
    FINGERPRINT_BLOCKS,
    FINGERPRINT_SIZE,
    METADATA_BLOCKS,
    METADATA_SIZE,
    distance,
    embed_header,
    explain,
    explain_blocks,
    explain_fingerprint_blocks,
    explain_fingerprints,
    metadata_embedding,
)
from exrindex.embed.layout import Block
from exrindex.model import Box, Header, Tile

GROUPS = {
    *("channels", "compression", "storage", "windows", "views"),
    *("parts", "attributes", "software", "values"),
}


@pytest.mark.parametrize(
    ("blocks", "size"),
    [(METADATA_BLOCKS, METADATA_SIZE), (FINGERPRINT_BLOCKS, FINGERPRINT_SIZE)],
    ids=["metadata", "fingerprint"],
)
def test_blocks_fill_the_vector_and_its_length(blocks: dict[str, Block], size: int) -> None:
    assert [b.start for b in blocks.values()] == list(
        np.cumsum([0, *(b.size for b in blocks.values())])[:-1]
    )
    assert sum(b.size for b in blocks.values()) == size
    assert sum(b.weight for b in blocks.values()) == 1000


def test_every_block_has_its_weight_in_every_vector() -> None:
    for header in SAMPLES.values():
        vector = metadata_embedding(header).astype(np.float64)
        for block in METADATA_BLOCKS.values():
            energy = float((vector[block.slice] ** 2).sum())
            assert energy == pytest.approx(block.weight / 1000, rel=1e-6)


@pytest.mark.parametrize("one", SAMPLES)
@pytest.mark.parametrize("other", SAMPLES)
def test_shares_sum_to_the_cosine_distance(one: str, other: str) -> None:
    u, v = embed_header(SAMPLES[one]), embed_header(SAMPLES[other])
    for a, b, takers in (
        (u.metadata, v.metadata, (explain, explain_blocks)),
        (u.fingerprint, v.fingerprint, (explain_fingerprints, explain_fingerprint_blocks)),
    ):
        whole = distance(a, b)
        cosine = 1 - float(a.astype(np.float64) @ b.astype(np.float64))
        assert whole == pytest.approx(cosine, abs=1e-6)
        for take in takers:
            shares = take(a, b)
            assert fsum(s.share for s in shares) == pytest.approx(whole, rel=1e-14, abs=0)
            assert all(s.share >= 0 and 0 <= s.of_weight <= 1 for s in shares)
            assert [s.share for s in shares] == sorted((s.share for s in shares), reverse=True)


def test_equal_headers_have_nothing_to_explain() -> None:
    u = metadata_embedding(RENDER)
    assert distance(u, u) == 0
    assert {(s.share, s.of_weight) for s in explain(u, u)} == {(0.0, 0.0)}


def test_names_of_groups_and_blocks() -> None:
    u = metadata_embedding(RENDER)
    assert {s.name for s in explain(u, u)} == GROUPS
    assert {s.name for s in explain_blocks(u, u)} == set(METADATA_BLOCKS)


ATTRIBUTES = RENDER.parts[0].attributes


def bumped() -> Header:
    newer = {
        "software": attribute("software", "Arnold 7.2.0.0 [00000000]"),
        "arnold/version": attribute("arnold/version", "7.2.0.0"),
    }
    return changed(RENDER, attributes=tuple(newer.get(a.name, a) for a in ATTRIBUTES))


@pytest.mark.parametrize(
    ("group", "other"),
    [
        ("channels", changed(RENDER, channels=AOVS[:-4])),
        ("compression", changed(RENDER, compression="dwaa")),
        ("storage", changed(RENDER, type="tiledimage", tile=Tile(64, 64, "one_level", "round_up"))),
        ("windows", changed(RENDER, data_window=Box(-96, -96, 2015, 1175))),
        ("attributes", changed(RENDER, attributes=(*ATTRIBUTES, attribute("note", "wip")))),
        ("software", bumped()),
        (
            "values",
            changed(
                RENDER,
                attributes=tuple(
                    attribute("arnold/color_space", "sRGB") if "color_space" in a.name else a
                    for a in ATTRIBUTES
                ),
            ),
        ),
    ],
)
def test_the_group_that_was_changed_comes_first(group: str, other: Header) -> None:
    first, second, *_ = explain(metadata_embedding(RENDER), metadata_embedding(other))
    assert first.name == group
    assert first.share > 10 * second.share


def test_a_second_view_is_told_first() -> None:
    mono = changed(STEREO, channels=channels("R", "G", "B", "spec.R"), attributes=())
    assert explain(metadata_embedding(STEREO), metadata_embedding(mono))[0].name == "views"


def test_a_retyped_channel_is_a_matter_of_types() -> None:
    other = changed(RENDER, channels=tuple(c._replace(type="float") for c in AOVS))
    shares = explain_fingerprints(embed_header(RENDER).fingerprint, embed_header(other).fingerprint)
    assert shares[0].name == "types"
    assert {s.name for s in shares if s.share == 0} == {"names", "layers", "components", "sampling"}
