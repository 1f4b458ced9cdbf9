"""Write a small show with everything a real one has, good and bad.

    python tests/sample_show.py DIR [--frames N]

About 170 files of 64 x 36 pixels, the same bytes each time, in about a second. The names, channels
and attributes are those that the renderers really write.
"""

from __future__ import annotations

import argparse
import os
import struct
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import OpenEXR

WIDTH, HEIGHT = 64, 36
FIRST_FRAME = 1001
FRAMES = 12
# 2026-03-02 10:00 UTC; each file is ten seconds younger than the one before it.
_RENDERED_AT = 1_772_445_600

# Frames of sq010/sh0020's beauty pass that something is wrong with, as offsets from the first.
MISSING, HALF_RENDERED, CUT_OFF, EMPTY = 3, 6, 8, 9
# The frame of sq010/sh0010's second version that lacks an AOV.
ODD_ONE_OUT, LOST_AOV = 5, "sss"

_AOVS = "diffuse specular coat transmission sss emission".split()
_MANIFEST = '{"hero_body":"0d1f2a3b","hero_eyes":"51c0ffee","set_street":"7a9b0c1d"}'

Header = dict[str, Any]


@dataclass(frozen=True)
class Pass:
    """One sequence of files: where, which channels, and what else its header says."""

    path: str
    channels: Mapping[str, type]
    header: Callable[[int], Header]
    write: Callable[[Path, Header, Mapping[str, type], int], None] = field(repr=False)
    frames: int | None = None


def _pixels(kind: type, frame: int, height: int = HEIGHT, width: int = WIDTH) -> Any:
    ramp = np.linspace(0, 1, width * height, dtype=np.float32).reshape(height, width)
    return (ramp * (frame % 7 + 1)).astype(kind)


# --- ways to write ----------------------------------------------------------------------------


def _flat(path: Path, header: Header, channels: Mapping[str, type], frame: int) -> None:
    ramps = {kind: _pixels(kind, frame) for kind in set(channels.values())}
    planes = {name: ramps[kind] for name, kind in channels.items()}
    OpenEXR.File(header, planes).write(str(path))


def _multipart(path: Path, header: Header, channels: Mapping[str, type], frame: int) -> None:
    """A part for each layer; its channels keep only their components."""
    layers: dict[str, dict[str, Any]] = {}
    for name, kind in channels.items():
        layer, _, component = name.rpartition(".")
        layers.setdefault(layer or "rgba", {})[component] = _pixels(kind, frame)
    parts = [OpenEXR.Part(dict(header), planes, layer) for layer, planes in layers.items()]
    OpenEXR.File(parts).write(str(path))


def _deep(path: Path, header: Header, channels: Mapping[str, type], frame: int) -> None:
    """Two samples in every pixel of a quarter of the frame."""
    height, width = HEIGHT // 4, WIDTH // 4
    planes = {}
    for name, kind in channels.items():
        plane = np.empty((height, width), dtype=object)
        for place in np.ndindex(plane.shape):
            plane[place] = np.array([1.0, 2.0 + frame % 3], dtype=kind)
        planes[name] = plane
    OpenEXR.File({**header, "type": OpenEXR.deepscanline}, planes).write(str(path))


# --- channels ---------------------------------------------------------------------------------

_HALF: type = np.float16
_FLOAT: type = np.float32


def _rgb(layers: list[str], kind: type = _HALF) -> dict[str, type]:
    return {f"{layer}.{c}": kind for layer in layers for c in "RGB"}


_RGBA = dict.fromkeys("RGBA", _HALF)
_ARNOLD = {
    **_RGBA,
    **_rgb(_AOVS),
    "Z": _FLOAT,
    **{f"N.{c}": _HALF for c in "XYZ"},
    **{f"P.{c}": _FLOAT for c in "XYZ"},
    **{f"motionvector.{c}": _HALF for c in "XY"},
}
_CRYPTO = {f"crypto_object{rank:02}.{c}": _FLOAT for rank in range(3) for c in "RGBA"}
_VRAY = {
    **_RGBA,
    **_rgb(["diffuse", "GI", "reflect", "refract", "specular", "SSS", "selfIllum"]),
    "Z": _FLOAT,
}
_RENDERMAN = {
    **_RGBA,
    **_rgb(["directDiffuse", "indirectDiffuse", "directSpecular", "subsurface", "albedo"]),
    "z.z": _FLOAT,
}
_KARMA = {**{f"C.{c}": _HALF for c in "RGBA"}, **_rgb(["combinedvolume", "depth"])}
_REDSHIFT = {**_RGBA, **_rgb(["DiffuseLighting", "Reflections", "GI", "SSS"]), "Z": _FLOAT}
_CYCLES = {
    **{f"ViewLayer.Combined.{c}": _HALF for c in "RGBA"},
    **_rgb(["ViewLayer.DiffDir", "ViewLayer.GlossDir", "ViewLayer.Emit"]),
    "ViewLayer.Depth.Z": _FLOAT,
}


# --- what the writers say ---------------------------------------------------------------------


def _timecode(frame: int) -> Any:
    seconds, frames = divmod(frame, 24)
    return OpenEXR.TimeCode(1, seconds // 60, seconds % 60, frames, *[0] * 14)


def _arnold(frame: int) -> Header:
    return {
        "compression": OpenEXR.ZIP_COMPRESSION,
        "type": OpenEXR.tiledimage,
        "tiles": OpenEXR.TileDescription(),
        "arnold/version": "7.3.4.1",
        "arnold/AA_samples": 6,
        "arnold/AA_seed": frame,
        "arnold/frame": float(frame),
        "arnold/stats/time/render": 812.5 + frame,
        "capDate": "2026:03:02 10:00:00",
        "worldToCamera": np.eye(4, dtype=np.float32),
    }


def _mattes(frame: int) -> Header:
    crypto = "cryptomatte/f834d0a"
    return {
        **_arnold(frame),
        "compression": OpenEXR.ZIPS_COMPRESSION,
        "type": OpenEXR.scanlineimage,
        f"{crypto}/name": "crypto_object",
        f"{crypto}/hash": "MurmurHash3_32",
        f"{crypto}/conversion": "uint32_to_float32",
        f"{crypto}/manifest": _MANIFEST,
    }


def _vray(frame: int) -> Header:
    return {
        "compression": OpenEXR.DWAA_COMPRESSION,
        "vrayInfo/vrayversion": "6.20.06",
        "vrayInfo/frame": f"{frame:05}",
        "vrayInfo/computername": f"farm{frame % 4:02}",
        "cameraFocalLength": 35.0,
    }


def _renderman(frame: int) -> Header:
    return {
        "compression": OpenEXR.ZIPS_COMPRESSION,
        "comment": "RenderMan 26.1",
        "rman/samples": 256,
    }


def _karma(frame: int) -> Header:
    return {
        "compression": OpenEXR.ZIPS_COMPRESSION,
        "Software": "Karma (xpu) 20.5.278",
        "husk:render_stats": f'{{"frame": {frame}, "render_time": 71.25}}',
        "husk:command": f"husk --frame {frame} --renderer xpu shot.usd",
    }


def _redshift(frame: int) -> Header:
    return {
        "compression": OpenEXR.DWAB_COMPRESSION,
        "rs/version": "3.6.04",
        "rs/hostname": f"gpu{frame % 2:02}",
    }


def _cycles(frame: int) -> Header:
    return {
        "compression": OpenEXR.ZIP_COMPRESSION,
        "BlenderMultiChannel": "Blender V2.55.1 and newer",
        "Software": "Blender 4.2.0",
        "Frame": str(frame),
    }


def _nuke(frame: int) -> Header:
    return {
        "compression": OpenEXR.ZIP_COMPRESSION,
        "nuke/version": "15.1v3",
        "framesPerSecond": Fraction(24000, 1001),
        "timeCode": _timecode(frame),
        "input/frame": float(frame),
    }


def _plate(frame: int) -> Header:
    return {
        "compression": OpenEXR.PIZ_COMPRESSION,
        "reelName": "A003_C012",
        "framesPerSecond": Fraction(24, 1),
        "timeCode": _timecode(frame),
        "chromaticities": (0.7347, 0.2653, 0.0, 1.0, 0.0001, -0.077, 0.32168, 0.33767),
    }


def _texture(frame: int) -> Header:
    return {
        "compression": OpenEXR.ZIP_COMPRESSION,
        "type": OpenEXR.tiledimage,
        "tiles": OpenEXR.TileDescription(),
        "Software": "OpenImageIO 2.5.10 : maketx hero.tif",
    }


_S10, _S20 = "sq010/sh0010", "sq010/sh0020"
PASSES = (
    Pass(f"{_S10}/render/lighting/v001/sh0010_beauty_v001.#.exr", _ARNOLD, _arnold, _flat),
    Pass(f"{_S10}/render/lighting/v002/sh0010_beauty_v002.#.exr", _ARNOLD, _arnold, _flat),
    Pass(f"{_S10}/render/lighting/v002/sh0010_mattes_v002.#.exr", _CRYPTO, _mattes, _flat),
    Pass(
        f"{_S10}/render/lighting/v002/sh0010_deep_v002.#.exr",
        {**dict.fromkeys("RGBA", _HALF), "Z": _FLOAT, "ZBack": _FLOAT},
        lambda frame: {"compression": OpenEXR.ZIPS_COMPRESSION, "arnold/version": "7.3.4.1"},
        _deep,
        frames=3,
    ),
    Pass(f"{_S10}/comp/v001/sh0010_comp_v001.#.exr", _RGBA, _nuke, _flat),
    Pass(f"{_S20}/render/lighting/v001/sh0020_beauty_v001.#.exr", _VRAY, _vray, _flat),
    Pass(
        f"{_S20}/comp/v001/sh0020_stereo_v001.#.exr",
        {**_RGBA, **{f"right.{c}": _HALF for c in "RGBA"}},
        lambda frame: {**_nuke(frame), "multiView": ["left", "right"]},
        _flat,
    ),
    Pass(f"{_S20}/plates/v001/sh0020_plate_v001.#.exr", _RGBA, _plate, _flat),
    Pass(
        "sq020/sh0010/render/lighting/v001/sh0010_beauty_v001.#.exr",
        _RENDERMAN,
        _renderman,
        _multipart,
    ),
    Pass("sq020/sh0010/render/fx/v003/sh0010_smoke_v003.#.exr", _KARMA, _karma, _flat),
    Pass("sq020/sh0020/render/lighting/v001/sh0020_beauty_v001.#.exr", _REDSHIFT, _redshift, _flat),
    Pass("sq020/sh0030/render/lighting/v001/sh0030_beauty_v001.#.exr", _CYCLES, _cycles, _flat),
    Pass("sq020/sh0030/comp/v002/sh0030_comp_v002.#.exr", _RGBA, _nuke, _flat),
    Pass("assets/hero/textures/hero_basecolor.#.exr", _RGBA, _texture, _flat, frames=4),
)


def write_sample_show(folder: Path | str, frames: int = FRAMES) -> Path:
    """Write the show ``projx`` below ``folder`` and return its own folder.

    ``frames`` is the length of its sequences, at least 10, so that every broken frame is there.
    """
    if frames <= EMPTY:
        raise ValueError(f"at least {EMPTY + 1} frames, not {frames}")
    show = Path(folder) / "projx"
    when = _RENDERED_AT
    for path in _written(show, frames):
        os.utime(path, (when, when))
        when += 10
    return show


def _written(show: Path, frames: int) -> Iterator[Path]:
    for sequence in PASSES:
        is_second_version = "beauty_v002" in sequence.path
        for index in range(min(frames, sequence.frames or frames)):
            frame = FIRST_FRAME + index
            channels = dict(sequence.channels)
            if is_second_version and index == ODD_ONE_OUT:
                channels = {n: k for n, k in channels.items() if not n.startswith(f"{LOST_AOV}.")}
            path = show / sequence.path.replace("#", f"{frame:04}")
            path.parent.mkdir(parents=True, exist_ok=True)
            sequence.write(path, sequence.header(frame), channels, frame)
            if "sh0020_beauty" in sequence.path and "sq010" in sequence.path:
                _spoil(path, index)
            if path.exists():
                yield path
    yield from _clutter(show)


def _spoil(path: Path, index: int) -> None:
    """What happens to frames on a bad night at the farm."""
    data = path.read_bytes()
    if index == MISSING:
        path.unlink()
    elif index == HALF_RENDERED:
        table = _header_end(data)
        path.write_bytes(data[: table + 8] + bytes(8) + data[table + 16 :])
    elif index == CUT_OFF:
        path.write_bytes(data[: len(data) * 3 // 4])
    elif index == EMPTY:
        path.write_bytes(b"")


def _header_end(data: bytes) -> int:
    """Where the offset table of a single-part file begins."""
    position = 8
    while data[position]:
        for _ in ("name", "type"):
            position = data.index(b"\0", position) + 1
        position += 4 + struct.unpack_from("<i", data, position)[0]
    return position + 1


def _clutter(show: Path) -> Iterator[Path]:
    """What else lies about: a text with the wrong name, and what macOS leaves behind."""
    comp = show / "sq020/sh0030/comp/v002"
    for name, content in (
        ("notes.exr", b"do not use v001, the client wants the blue one\n"),
        ("._sh0030_comp_v002.1001.exr", b"\0\x05\x16\x07Mac OS X" + bytes(32)),
        ("sh0030_comp_v002.nk", b"Root {\n}\n"),
    ):
        (comp / name).write_bytes(content)
        yield comp / name


def main() -> None:
    parser = argparse.ArgumentParser(description="Write a sample show.")
    parser.add_argument("folder", type=Path, metavar="DIR")
    parser.add_argument("--frames", type=int, default=FRAMES, metavar="N")
    given = parser.parse_args()
    show = write_sample_show(given.folder, given.frames)
    files = [path for path in show.rglob("*") if path.is_file()]
    print(f"{len(files)} files in {show}")


if __name__ == "__main__":
    main()
