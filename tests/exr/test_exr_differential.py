"""The parser against the OpenEXR package: files it writes, files made here, reference images.

What the package is known to lose or change is written down here and in ``openexr_json``.
``EXRINDEX_REFERENCE_IMAGES`` may name a directory of images to compare as well.
"""

from __future__ import annotations

import base64
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR
import pytest

from exrindex.exr import check_integrity, chunk_count, parse_header
from exrindex.exr.spec import COMPRESSIONS
from exrindex.model import Integrity, JSONValue, Part
from exrmaker import (
    DEEP,
    MULTIPART,
    TILED,
    Channel,
    attr,
    deep_scanline_chunk,
    exr_file,
    header,
    minimal_part,
    scanline_chunk,
    tile_chunk,
    whole_file,
)
from openexr_json import described, to_json

PIXEL_TYPES = {"UINT": "uint", "HALF": "half", "FLOAT": "float"}


def compare(path: Path, *, pixels: bool = True) -> tuple[Part, ...]:
    """Parts, channels and every attribute, exactly; ``pixels`` reads them to learn their types."""
    data = path.read_bytes()
    header_read = parse_header(data)
    theirs = OpenEXR.File(str(path), separate_channels=True, header_only=not pixels).parts
    assert len(header_read.parts) == len(theirs)
    for part, their in zip(header_read.parts, theirs, strict=True):
        compare_part(part, their, pixels)
    verdict = check_integrity(header_read, len(data), lambda start, stop: data[start:stop])
    assert verdict is Integrity.OK
    first_chunk = header_read.nbytes + 8 * sum(chunk_count(part) or 0 for part in header_read.parts)
    offsets = struct.unpack_from("<Q", data, header_read.nbytes)
    assert offsets[0] >= first_chunk
    return header_read.parts


def compare_part(part: Part, their: Any, pixels: bool) -> None:
    expected = dict(their.header)
    # The package always has a type; a single-part file may leave it out.
    assert part.type == expected["type"].name
    ours = {attribute.name: attribute for attribute in part.attributes}
    if "type" not in ours:
        del expected["type"]
    listed = expected.pop("channels")
    assert [(c.name, c.x_sampling, c.y_sampling, c.p_linear) for c in part.channels] == [
        (c.name, c.xSampling, c.ySampling, c.pLinear) for c in listed
    ]
    if pixels:
        types = {c.name: PIXEL_TYPES[c.type().name] for c in their.channels.values()}
        assert {channel.name: channel.type for channel in part.channels} == types
    # The package gives the flat parts of a file with deep parts a version, too.
    if "version" not in ours and expected.pop("version", 1) != 1:
        pytest.fail("an invented version that is not 1")
    assert ours.keys() - {"channels"} == expected.keys()
    for name, value in expected.items():
        assert ours[name].value == to_json(ours[name], value), name


IMAGE = np.linspace(0, 1, 70 * 33).reshape(70, 33)
VECTORS = {
    f"v{n}{kind}": np.array([1.5, -2, 3][:n]).astype(dtype)
    for n in (2, 3)
    for kind, dtype in (("i", np.int32), ("f", np.float32), ("d", np.float64))
}
MATRICES = {
    f"m{n}{n}{kind}": (np.arange(n * n) / 7).reshape(n, n).astype(dtype)
    for n in (3, 4)
    for kind, dtype in (("f", np.float32), ("d", np.float64))
}


def preview_image() -> Any:
    pixels = OpenEXR.PreviewImage(3, 2).pixels.copy()
    pixels[...] = np.array((1, 2, 3, 255), dtype=pixels.dtype)
    return OpenEXR.PreviewImage(pixels)


ATTRIBUTES: dict[str, Any] = {
    "anInt": -5,
    "aFloat": 0.1,
    "notANumber": float("nan"),
    "infinite": float("-inf"),
    "text": "größe",
    "empty": "",
    "names": ["left", "", "größe"],
    "floats": [0.5, 0.25, 1e30],
    "chroma": (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8),
    "box2i": (np.array([-1, 2], np.int32), np.array([3, 4], np.int32)),
    "box2f": (np.array([-1, 2], np.float32), np.array([3, 0.1], np.float32)),
    "envmap": OpenEXR.ENVMAP_CUBE,
    "keyCode": OpenEXR.KeyCode(1, 2, 3, 4, 5, 4, 64),
    "timeCode": OpenEXR.TimeCode(10, 20, 30, 23, 1, 0, 1, 0, 1, 0, 1, 2, 3, 4, 5, 6, 7, 8),
    "preview": preview_image(),
    "blob": OpenEXR.Bytes(b"\0\1\xff", "text/plain"),
    "studio": OpenEXR.OpaqueAttribute(b"\0\1\2", "studioType"),
    "a name that is longer than thirty-one bytes": 1,
    **VECTORS,
    **MATRICES,
}


@pytest.mark.parametrize("code", range(len(COMPRESSIONS)))
@pytest.mark.parametrize("kind", ["scanlineimage", "tiledimage"])
def test_compressions(tmp_path: Path, kind: str, code: int) -> None:
    head: dict[str, Any] = {
        "type": getattr(OpenEXR, kind),
        "compression": OpenEXR.Compression(code),
    }
    if kind == "tiledimage":
        tiles = head["tiles"] = OpenEXR.TileDescription()
        tiles.xSize, tiles.ySize = 16, 32
    channels = {
        "G": IMAGE.astype(np.float16),
        "Z": IMAGE.astype(np.float32),
        "id": (IMAGE * 1000).astype(np.uint32),
    }
    OpenEXR.File(head, channels).write(str(tmp_path / "a.exr"))
    (part,) = compare(tmp_path / "a.exr")
    assert part.compression == COMPRESSIONS[code]


def test_every_attribute_type_the_package_writes(tmp_path: Path) -> None:
    head = {"type": OpenEXR.scanlineimage, **ATTRIBUTES}
    OpenEXR.File(head, {"R": IMAGE.astype(np.float16)}).write(str(tmp_path / "a.exr"))
    (part,) = compare(tmp_path / "a.exr")
    assert ATTRIBUTES.keys() <= {attribute.name for attribute in part.attributes}
    types = {attribute.type for attribute in part.attributes}
    assert types >= {*VECTORS, *MATRICES, "stringvector", "floatvector", "keycode", "bytes"}


def test_parts_views_and_deep(tmp_path: Path) -> None:
    deep = np.empty((4, 5), dtype=object)
    for y, x in np.ndindex(deep.shape):
        deep[y, x] = np.full(x % 3 + 1, y, np.float32)
    parts = [
        OpenEXR.Part(
            {"type": OpenEXR.scanlineimage, "view": "left", "n": 1},
            {"R": IMAGE.astype(np.float16)},
            "rgba.left",
        ),
        OpenEXR.Part(
            {"type": OpenEXR.tiledimage, "tiles": OpenEXR.TileDescription(), "view": "right"},
            {"Z": IMAGE.astype(np.float32)},
            "depth.right",
        ),
        OpenEXR.Part({"type": OpenEXR.scanlineimage}, {"id": IMAGE.astype(np.uint32)}, "größe"),
    ]
    OpenEXR.File(parts).write(str(tmp_path / "parts.exr"))
    read = compare(tmp_path / "parts.exr")
    assert [(part.name, part.view) for part in read] == [
        ("rgba.left", "left"),
        ("depth.right", "right"),
        ("größe", None),
    ]
    OpenEXR.File(
        {"type": OpenEXR.deepscanline, "compression": OpenEXR.ZIPS_COMPRESSION}, {"Z": deep}
    ).write(str(tmp_path / "deep.exr"))
    (part,) = compare(tmp_path / "deep.exr", pixels=False)
    assert part.is_deep


MADE_ATTRIBUTES = [
    # In lowest terms: the package reads a rational as a Fraction, which reduces it.
    attr("rate", "rational", (-24000, 1001)),
    attr("ratio", "rational", (1, 2**31 - 1)),
    attr("exact", "double", 0.1),
    attr("huge", "double", float("inf")),
    attr("cube", "envmap", 1),
    attr("order", "lineOrder", 1),
    attr("other", "compression", 5),
    attr("grid", "tiledesc", (7, 9, 0x12)),
    attr("nul", "string", "a\0b"),
    attr("time", "timecode", (0x23595929, 0xFFFFFFFF)),
]
MULTI = [
    minimal_part(name="a", part_type="scanlineimage", chunk_count=3),
    minimal_part(name="b", part_type="deepscanline", channels=["Z"], chunk_count=3),
]

MADE = {
    "attributes": exr_file(attributes=MADE_ATTRIBUTES),
    "unsorted attributes": exr_file(attributes=[attr("b", "int", 1), attr("a", "int", 2)]),
    "sampling": whole_file(
        header([minimal_part(channels=[Channel("RY", "half", 2, 1), Channel("Y", p_linear=1)])]),
        [[scanline_chunk(y, bytes(12)) for y in range(3)]],
    ),
    "tiles": whole_file(
        header([minimal_part(tiles=(4, 4, 0))], TILED), [[tile_chunk(0, 0, bytes(72))]]
    ),
    "parts": whole_file(
        header(MULTI, MULTIPART | DEEP),
        [
            [scanline_chunk(y, bytes(24), part=0) for y in range(3)],
            [
                deep_scanline_chunk(y, struct.pack("<4i", 1, 2, 3, 4), bytes(8), part=1)
                for y in range(3)
            ],
        ],
    ),
}


@pytest.mark.parametrize("data", [pytest.param(data, id=name) for name, data in MADE.items()])
def test_files_made_here(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "made.exr").write_bytes(data)
    compare(tmp_path / "made.exr", pixels=False)
    assert parse_header(data).findings == ()


def test_an_id_manifest_the_package_writes(tmp_path: Path) -> None:
    head = {"type": OpenEXR.scanlineimage, "idManifest": OpenEXR.IDManifest()}
    OpenEXR.File(head, {"id": IMAGE.astype(np.uint32)}).write(str(tmp_path / "ids.exr"))
    (part,) = parse_header((tmp_path / "ids.exr").read_bytes()).parts
    (manifest,) = (item.value for item in part.attributes if item.type == "idmanifest")
    assert isinstance(manifest, dict)
    stream = base64.b64decode(str(manifest["base64"]))
    assert len(zlib.decompress(stream)) == manifest["uncompressed_size"]


LOST = [
    (attr("deepImageState", "deepImageState", 1), RuntimeError, "sorted"),
    (attr("rate", "rational", (1, 0)), ZeroDivisionError, {"num": 1, "den": 0}),
    (attr("note", "string", b"\xff"), UnicodeDecodeError, {**described(b"\xff"), "text": "\\xff"}),
]


@pytest.mark.parametrize(("attribute", "error", "value"), LOST)
def test_files_the_package_cannot_read(
    tmp_path: Path, attribute: bytes, error: type[Exception], value: JSONValue
) -> None:
    data = exr_file(attributes=[attribute])
    (tmp_path / "lost.exr").write_bytes(data)
    with pytest.raises(error):
        OpenEXR.File(str(tmp_path / "lost.exr"), header_only=True)
    assert parse_header(data).parts[0].attributes[-1].value == value


DROPPED = [attr("version", "string", "v003"), attr("name", "int", 3), attr("tiles", "string", "x")]


@pytest.mark.parametrize("attribute", DROPPED)
def test_reserved_names_the_package_drops(tmp_path: Path, attribute: bytes) -> None:
    data = exr_file(attributes=[attribute])
    (tmp_path / "dropped.exr").write_bytes(data)
    (their,) = OpenEXR.File(str(tmp_path / "dropped.exr"), header_only=True).parts
    last = parse_header(data).parts[0].attributes[-1]
    assert last.name not in their.header
    assert last.raw in attribute


def reference_images() -> list[Path]:
    root = os.environ.get("EXRINDEX_REFERENCE_IMAGES")
    return sorted(Path(root).rglob("*.exr")) if root else []


@pytest.mark.parametrize("path", reference_images(), ids=lambda path: path.stem)
def test_reference_images(path: Path) -> None:
    compare(path, pixels=False)
    assert parse_header(path.read_bytes()).findings == ()
