from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cli.command import Shell
from cli.conftest import Catalog

FILE_KEYS = [
    "path", "size_bytes", "mtime", "integrity", "header_hash", "header_bytes", "exr_version",
    "flags", "parts", "findings",
]  # fmt: skip
PART_KEYS = [
    "index", "name", "type", "view", "data_window", "display_window", "compression", "line_order",
    "pixel_aspect_ratio", "tile", "chunk_count", "channels", "attributes",
]  # fmt: skip
CHANNEL_KEYS = [
    "name", "layer", "component", "view", "type", "x_sampling", "y_sampling", "p_linear",
]  # fmt: skip
BEAUTY = "sq010/sh0010/render/lighting/v002/sh0010_beauty_v002"
VRAY = "sq010/sh0020/render/lighting/v001/sh0020_beauty_v001"


@pytest.fixture(scope="module")
def documents(catalog: Catalog) -> dict[str, dict[str, Any]]:
    """One file of each kind, inspected in one go."""
    paths = {
        "tiled": f"{BEAUTY}.1001.exr",
        "mattes": "sq010/sh0010/render/lighting/v002/sh0010_mattes_v002.1001.exr",
        "deep": "sq010/sh0010/render/lighting/v002/sh0010_deep_v002.1001.exr",
        "parts": "sq020/sh0010/render/lighting/v001/sh0010_beauty_v001.1001.exr",
        "stereo": "sq010/sh0020/comp/v001/sh0020_stereo_v001.1001.exr",
        "half": f"{VRAY}.1007.exr",
        "cut": f"{VRAY}.1009.exr",
        "empty": f"{VRAY}.1010.exr",
        "text": "sq020/sh0030/comp/v002/notes.exr",
    }
    result = catalog.shell.run("inspect", "--json", *(catalog.show / p for p in paths.values()))
    assert result.code == 4
    assert result.err == ""
    found = result.json()
    assert [document["path"] for document in found] == [
        str(catalog.show / path) for path in paths.values()
    ]
    return dict(zip(paths, found, strict=True))


def test_every_field_of_the_contract(documents: dict[str, dict[str, Any]]) -> None:
    for document in (documents[name] for name in ("tiled", "deep", "parts", "stereo")):
        assert list(document) == FILE_KEYS
        assert list(document["flags"]) == ["tiled", "long_names", "deep", "multipart"]
        for part in document["parts"]:
            assert list(part) == PART_KEYS
            assert all(list(channel) == CHANNEL_KEYS for channel in part["channels"])
            assert all(list(a) == ["name", "type", "value"] for a in part["attributes"])
    tiled = documents["tiled"]
    assert len(tiled["header_hash"]) == 64
    assert tiled["mtime"].endswith("Z")
    (part,) = tiled["parts"]
    assert part["data_window"] == {"min": [0, 0], "max": [63, 35]}
    assert list(part["tile"]) == ["x_size", "y_size", "level_mode", "rounding_mode"]
    assert part["compression"] == "zip"


def test_the_kinds_of_files(documents: dict[str, dict[str, Any]]) -> None:
    assert documents["deep"]["flags"]["deep"]
    assert documents["parts"]["flags"]["multipart"]
    assert [part["name"] for part in documents["parts"]["parts"]][:2] == ["rgba", "directDiffuse"]
    views = {c["name"]: c["view"] for c in documents["stereo"]["parts"][0]["channels"]}
    assert views["R"] == "left"
    assert views["right.R"] == "right"
    values = {a["name"]: a["value"] for a in documents["mattes"]["parts"][0]["attributes"]}
    assert values["cryptomatte/f834d0a/name"] == "crypto_object"


def test_what_is_wrong_with_a_file(documents: dict[str, dict[str, Any]]) -> None:
    integrity = {name: document.get("integrity") for name, document in documents.items()}
    assert integrity == {
        "tiled": "ok", "mattes": "ok", "deep": "ok", "parts": "ok", "stereo": "ok",
        "half": "incomplete", "cut": "truncated", "empty": None, "text": None,
    }  # fmt: skip
    errors = {name: documents[name]["error"] for name in ("empty", "text")}
    assert errors["empty"] == {"code": "empty", "offset": None, "reason": "the file is empty"}
    assert errors["text"]["code"] == "not_exr"
    assert errors["text"]["offset"] == 0
    assert list(documents["text"]) == ["path", "error"]


def test_people_read_a_page(catalog: Catalog) -> None:
    show = catalog.show
    good = catalog.shell.run("inspect", show / f"{BEAUTY}.1001.exr")
    assert good.code == 0
    assert good.err == ""
    for line in ("integrity ok", "31 channels", "tiles 32x32 one_level", "diffuse", "7.3.4.1"):
        assert line in good.out
    bad = catalog.shell.run("inspect", show / f"{VRAY}.1009.exr", show / f"{VRAY}.1001.exr")
    assert bad.code == 1
    assert "integrity truncated" in bad.out


def test_exit_codes_and_doors(catalog: Catalog, shell: Shell, tmp_path: Path) -> None:
    for path, says in ((tmp_path, "[not_a_file]"), (tmp_path / "gone.exr", "[vanished]")):
        result = shell.run("inspect", path)
        assert result.code == 4
        assert says in result.err
        assert result.out == ""
    assert shell.run("inspect").code == 2
    assert not (shell.home / "data").exists()  # inspect makes no catalog


def test_odd_names_are_shown_and_kept(shell: Shell, catalog: Catalog, tmp_path: Path) -> None:
    image = (catalog.show / f"{BEAUTY}.1001.exr").read_bytes()
    name = "new\nline\x1b[31m☃.exr"
    (tmp_path / name).write_bytes(image)
    (tmp_path / "latin\udce9.exr").write_bytes(image)
    shell.cwd = tmp_path
    as_json = shell.run("inspect", "--json", name, "latin\udce9.exr")
    assert [Path(d["path"]).name for d in as_json.json()] == [name, "latin\\xe9.exr"]
    page = shell.run("inspect", name)
    assert "new\\x0aline\\x1b[31m☃.exr" in page.out
    assert "\x1b" not in page.out
