"""What must move a vector, and roughly how far."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from embed.header_samples import (
    AOVS,
    HD,
    MULTIPART,
    RENDER,
    RGBA,
    STEREO,
    TEXTURE,
    attribute,
    changed,
    channels,
    header,
    layer,
    part,
)
from exrindex.embed import (
    distance,
    embed_header,
    explain_blocks,
    explain_fingerprint_blocks,
    metadata_embedding,
)
from exrindex.model import Attribute, Box, Channel, Header, Tile

ATTRIBUTES = RENDER.parts[0].attributes


def without(name: str) -> tuple[Channel, ...]:
    return tuple(c for c in AOVS if not c.name.startswith(name + "."))


def with_channel(**fields: Any) -> Header:
    first, *rest = AOVS
    return changed(RENDER, channels=(first._replace(**fields), *rest))


def with_attribute(name: str, value: Attribute) -> Header:
    return changed(RENDER, attributes=tuple(value if a.name == name else a for a in ATTRIBUTES))


# Headers that differ in one small thing must never share a vector.
TINY: dict[str, Callable[[], Header]] = {
    "channel renamed": lambda: with_channel(name="q1f4"),
    "channel retyped": lambda: with_channel(type="uint"),
    "sampling": lambda: with_channel(x_sampling=4),
    "p_linear": lambda: with_channel(p_linear=True),
    "p_linear of another channel": lambda: changed(
        RENDER, channels=(*AOVS[:-1], AOVS[-1]._replace(p_linear=True))
    ),
    "case of a channel name": lambda: with_channel(name=AOVS[0].name.lower()),
    "line order": lambda: changed(RENDER, line_order="decreasing_y"),
    "pixel aspect": lambda: changed(RENDER, pixel_aspect_ratio=2.0),
    "data window 1 px": lambda: changed(RENDER, data_window=Box(0, 0, 1920, 1079)),
    "data window -1 px": lambda: changed(RENDER, data_window=Box(0, 0, 1918, 1079)),
    "display window 1 px": lambda: changed(RENDER, display_window=Box(0, 0, 1920, 1079)),
    "display window moved": lambda: changed(
        RENDER, data_window=Box(1, 1, 1920, 1080), display_window=Box(1, 1, 1920, 1080)
    ),
    "screen window width": lambda: changed(RENDER, screen_window_width=1.2),
    "screen window centre": lambda: changed(RENDER, screen_window_center=(0.0, 0.1)),
    "missing screen window": lambda: changed(RENDER, screen_window_center=None),
    "part name": lambda: changed(RENDER, name="beauty"),
    "compression": lambda: changed(RENDER, compression="zip"),
    "unknown compression": lambda: changed(RENDER, compression="unknown_14"),
    "tiles": lambda: changed(
        RENDER, type="tiledimage", tile=Tile(64, 64, "one_level", "round_down")
    ),
    "view": lambda: changed(RENDER, view="left"),
    "attribute added": lambda: changed(RENDER, attributes=(*ATTRIBUTES, attribute("x", "y"))),
    "attribute removed": lambda: changed(RENDER, attributes=ATTRIBUTES[:-1]),
    "attribute retyped": lambda: with_attribute("capDate", attribute("capDate", 3, "int")),
    "software version": lambda: with_attribute(
        "software", attribute("software", "Arnold 7.1.4.3 [x]")
    ),
    "chromaticities": lambda: with_attribute(
        "chromaticities", attribute("chromaticities", {"red": [0.7, 0.3]}, "chromaticities")
    ),
    "frame rate": lambda: with_attribute(
        "framesPerSecond", attribute("framesPerSecond", {"num": 25, "den": 1}, "rational")
    ),
    "empty channel list": lambda: changed(RENDER, channels=()),
}


def test_one_small_difference_is_never_the_same_vector() -> None:
    vectors = {"original": metadata_embedding(RENDER).tobytes()}
    vectors |= {kind: metadata_embedding(make()).tobytes() for kind, make in TINY.items()}
    assert len(set(vectors.values())) == len(vectors)


@pytest.mark.parametrize(
    ("field", "value"), [("x_size", 32), ("y_size", 65), ("level_mode", "ripmap_levels")]
)
def test_tile_descriptions_differ(field: str, value: Any) -> None:
    tile = TEXTURE.parts[0].tile
    assert tile is not None
    other = changed(TEXTURE, tile=tile._replace(**{field: value}))
    assert distance(metadata_embedding(other), metadata_embedding(TEXTURE)) > 1e-5


def test_channel_differences_show_in_the_fingerprint() -> None:
    fingerprints = {embed_header(RENDER).fingerprint.tobytes()}
    kinds = [kind for kind in TINY if "channel" in kind] + ["sampling", "p_linear"]
    fingerprints |= {embed_header(TINY[kind]()).fingerprint.tobytes() for kind in kinds}
    assert len(fingerprints) == len(kinds) + 1


def apart(other: Header, original: Header = RENDER) -> float:
    return distance(metadata_embedding(other), metadata_embedding(original))


def test_distances_rank_as_people_would() -> None:
    crop = apart(
        changed(RENDER, data_window=Box(101, 90, 1800, 950)),
        changed(RENDER, data_window=Box(120, 95, 1790, 957)),
    )
    newer = apart(with_attribute("arnold/version", attribute("arnold/version", "7.1.5.0")))
    one_aov = apart(changed(RENDER, channels=without("sss")))
    three_aovs = apart(
        changed(
            RENDER,
            channels=tuple(c for c in AOVS if "specular" not in c.name and "sss" not in c.name),
        )
    )
    twice = apart(
        changed(RENDER, data_window=Box(0, 0, 3839, 2159), display_window=Box(0, 0, 3839, 2159))
    )
    unrelated = apart(TEXTURE)
    assert 0 < crop < 2e-4 < newer < 0.02
    assert one_aov < three_aovs < unrelated
    assert 0.02 < twice < 0.06
    assert unrelated > 0.4


def test_related_compressions_are_nearer() -> None:
    zip_, zips, dwaa = (
        metadata_embedding(changed(RENDER, compression=c)) for c in ("zip", "zips", "dwaa")
    )
    assert distance(zip_, zips) < distance(zip_, dwaa)


def test_sizes_move_apart_steadily_up_to_four_times_the_area() -> None:
    boxes = [Box(0, 0, 1920 * n // 8 - 1, 1080 * n // 8 - 1) for n in range(8, 17)]
    steps = []
    for box in boxes:
        resized = metadata_embedding(changed(RENDER, data_window=box, display_window=box))
        shares = {s.name: s.share for s in explain_blocks(metadata_embedding(RENDER), resized)}
        steps.append(shares["w_size"])
        assert shares["w_over"] == shares["w_crop"] == 0
    assert steps == sorted(steps)
    assert len(set(steps)) == len(steps)


def test_removing_more_layers_moves_further() -> None:
    names = ["sss", "N", "diffuse_direct", "specular_direct", "specular_indirect"]
    kept, steps = AOVS, []
    for name in names:
        kept = tuple(c for c in kept if not c.name.startswith(name + "."))
        steps.append(apart(changed(RENDER, channels=kept)))
    assert steps == sorted(steps)
    assert len(set(steps)) == len(steps)


def test_renamed_layers_keep_their_words() -> None:
    base, kin, stranger = (
        embed_header(header(part((*channels("R", "G", "B"), *layer(name, "RGB"))))).fingerprint
        for name in ("directDiffuse", "diffuse_direct2", "cryptoAsset")
    )
    near = {s.name: s.share for s in explain_fingerprint_blocks(base, kin)}
    far = {s.name: s.share for s in explain_fingerprint_blocks(base, stranger)}
    assert near["f_words"] == 0 < far["f_words"]
    assert near["f_layers"] > 0


def test_crop_counts_for_every_part() -> None:
    cropped = changed(MULTIPART, 2, data_window=Box(0, 0, 959, 1079))
    assert apart(cropped, MULTIPART) > 1e-5


@pytest.mark.parametrize("width", [1280, 4096, 16384])
def test_one_pixel_of_a_crop_is_seen_and_hardly_counts(width: int) -> None:
    crops = [Box(0, 0, width - 200 - n, width // 2) for n in range(3)]
    display = Box(0, 0, width - 1, width - 1)
    vectors = [
        metadata_embedding(changed(RENDER, data_window=crop, display_window=display))
        for crop in crops
    ]
    assert len({vector.tobytes() for vector in vectors}) == len(crops)
    assert 0 < distance(vectors[0], vectors[1]) < 1e-6


def test_overscan_shows_whatever_its_side() -> None:
    even = apart(changed(RENDER, data_window=Box(-64, -64, 1983, 1143)))
    one_sided = apart(changed(RENDER, data_window=Box(-64, 0, 1919, 1079)))
    assert even > 2e-3
    assert one_sided > 1e-5


def test_views_and_parts_show() -> None:
    one_view = changed(STEREO, channels=channels("R", "G", "B", "spec.R"), attributes=())
    assert apart(STEREO, one_view) > 0.05
    reordered = replace(MULTIPART, parts=(MULTIPART.parts[0], *MULTIPART.parts[:0:-1]))
    assert apart(reordered, MULTIPART) == 0


def test_a_file_says_nothing_about_how_large_its_data_is() -> None:
    assert apart(changed(RGBA, chunk_count=None, data_window=HD), RGBA) == 0
