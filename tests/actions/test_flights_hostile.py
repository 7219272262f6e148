"""Files that are wrong in every known way: each is named in a sentence, parked, and harms no other file of its flight."""

from __future__ import annotations

import json
import re
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import rasterio
from affine import Affine

from patrol.actions import flights
from patrol.actions.delivery import run_jobs
from patrol.queries import flights as ask
from patrol.station import ANYONE, SYSTEM, Station

ROOT = Path(__file__).parents[2]
SIDE = 64
BANDS = ("blue", "green", "red", "rededge", "nir")


def raster(path: Path, *, bands: tuple[str, ...] = BANDS, crs: str | None = "EPSG:32649", value: float = 0.1,
           dtype: str = "float32", **more: object) -> Path:  # fmt: skip
    with rasterio.open(path, "w", driver="GTiff", width=SIDE, height=SIDE, count=len(bands), dtype=dtype, crs=crs,
                       transform=Affine(0.5, 0, 613_400, 0, -0.5, 3_358_600), tiled=True, blockxsize=16, blockysize=16,
                       **more) as made:  # fmt: skip
        for index, name in enumerate(bands, 1):
            made.write(np.full((SIDE, SIDE), value, dtype), index)
            made.set_band_description(index, name)
    return path


def no_crs(path: Path) -> Path:
    return raster(path, crs=None)


def three_bands(path: Path) -> Path:
    return raster(path, bands=("blue", "green", "red"))


def all_nan(path: Path) -> Path:
    return raster(path, value=np.nan)


def truncated(path: Path) -> Path:
    raster(path)
    path.write_bytes(path.read_bytes()[:-4000])
    return path


def huge(path: Path) -> Path:
    """60,000 x 60,000 in a few bytes: all its blocks are holes."""
    with rasterio.open(path, "w", driver="GTiff", width=60_000, height=60_000, count=5, dtype="uint16", tiled=True,
                       crs="EPSG:32649", transform=Affine(1, 0, 600_000, 0, -1, 3_358_600), sparse_ok=True, BIGTIFF="YES"):  # fmt: skip
        pass
    return path


def offsets_past_the_end(path: Path) -> Path:
    """The first tile's offset points far behind the file."""
    raster(path)
    data = bytearray(path.read_bytes())
    (first,) = struct.unpack_from("<I", data, 4)
    for entry in range(struct.unpack_from("<H", data, first)[0]):
        at = first + 2 + entry * 12
        tag, kind, _count, where = struct.unpack_from("<HHII", data, at)
        if tag == 324 and kind == 4:
            struct.pack_into("<I", data, where, 0x7FFFFFF0)
    path.write_bytes(bytes(data))
    return path


def vrt_in_disguise(path: Path) -> Path:
    path.write_text('<VRTDataset rasterXSize="9" rasterYSize="9"><VRTRasterBand band="1"><SimpleSource>'
                    "<SourceFilename>/etc/passwd</SourceFilename></SimpleSource></VRTRasterBand></VRTDataset>")  # fmt: skip
    return path


def entity_bomb(path: Path) -> Path:
    """An XMP packet whose entities unfold to gigabytes, in a photo that is sound otherwise."""
    from PIL import Image

    Image.new("RGB", (64, 48), (90, 120, 80)).save(path, "JPEG")
    rows = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 12))
    packet = (f'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e0 "lol">{rows}]><x:xmpmeta xmlns:x="adobe:ns:meta/">'
              f"&e11;</x:xmpmeta>").encode()  # fmt: skip
    segment = b"http://ns.adobe.com/xap/1.0/\x00" + packet
    data = path.read_bytes()
    path.write_bytes(data[:2] + b"\xff\xe1" + struct.pack(">H", len(segment) + 2) + segment + data[2:])
    return path


WRONG: dict[str, tuple[Callable[[Path], Path], str]] = {
    "no_crs.tif": (no_crs, "坐标系"),
    "three_bands.tif": (three_bands, "波段"),
    "all_nan.tif": (all_nan, "有效像元"),
    "truncated.tif": (truncated, "完整"),
    "huge.tif": (huge, "像"),
    "offsets.tif": (offsets_past_the_end, "完整"),
}


def import_all(station: Station, folder: Path) -> dict[str, dict[str, object]]:
    arrived = [flights.arrive_file(station, path, path.name) for path in sorted(folder.iterdir())]
    with station.work(ANYONE) as work:
        row = flights.open_flight(work, flights.Plan())
        for file in arrived:
            flights.take(work, row, file)
        ref = flights.finish(work, row).ref
    for _ in range(20):
        run_jobs(station)
    with station.look(SYSTEM) as look:
        found = ask.flight(look, ref)
    assert found["state"] == "settled", found["progress"]
    return {each["name"]: each for each in found["frames"]}


def test_every_wrong_raster_is_parked_with_its_sentence_and_the_sound_photo_is_read(
    station: Station, tmp_path: Path, data_files: Path
) -> None:
    folder = tmp_path / "flight"
    folder.mkdir()
    for name, (make, _) in WRONG.items():
        make(folder / name)
    shutil.copy(data_files / "drone_rgb" / "brighton_beach" / "DJI_0018.JPG", folder)
    entity_bomb(folder / "bomb.jpg")
    frames = import_all(station, folder)
    assert frames["DJI_0018.JPG"]["state"] == "read" and frames["DJI_0018.JPG"]["footprint"]
    for name, (_, word) in WRONG.items():
        assert frames[name]["state"] == "parked", name
        assert re.search(r"[\u4e00-\u9fff]", str(frames[name]["error"])) and word in str(frames[name]["error"]), frames[
            name
        ]
    assert "xmp_broken" in {fault["code"] for fault in frames["bomb.jpg"]["faults"]}  # type: ignore[attr-defined]


def test_a_disguise_is_no_file_of_a_flight(station: Station, tmp_path: Path) -> None:
    from patrol.errors import BadInput

    with pytest.raises(BadInput, match="不是航片"):
        flights.arrive_file(station, vrt_in_disguise(tmp_path / "a.tif"), "a.tif")


@pytest.mark.parametrize("name", [*WRONG, "vrt.tif"])
def test_the_terminal_names_the_fault_without_a_traceback(name: str, tmp_path: Path) -> None:
    make = WRONG[name][0] if name in WRONG else vrt_in_disguise
    done = subprocess.run(
        [sys.executable, "-m", "patrol", "recognise", str(make(tmp_path / name)), "--json"],
        capture_output=True, text=True, cwd=ROOT, check=False, timeout=100,
    )  # fmt: skip
    assert done.returncode == 1, (done.returncode, done.stdout, done.stderr)
    assert re.search(r"[\u4e00-\u9fff]", done.stderr) and "Traceback" not in done.stderr
    assert done.stdout == "" or json.loads(done.stdout)
