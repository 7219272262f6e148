"""Every hostile file through the doors that take photos: a clear refusal or a clean rendition, and nothing else."""

from __future__ import annotations

import io
import time
from pathlib import Path

import numpy as np
import pillow_heif
import pytest
from PIL import Image, ImageDraw, ImageOps

from patrol import models as m
from patrol.gateways.decoding import POOL
from patrol.station import Station
from tests.web.api_town import Api, codes, problem

SLOWEST_S = 5.0
CHILD_MOST_MB = 300


@pytest.fixture
def api(station: Station) -> Api:
    return Api(station)


def hostile_files(folder: Path) -> list[Path]:
    found = [
        *(folder / "hostile").rglob("*"),
        *(folder / "exif" / "invalid").rglob("*"),
        *(folder / "heic").rglob("*"),
    ]
    files = sorted(path for path in found if path.is_file())
    assert len(files) >= 25
    return files


def clean(data: bytes) -> Image.Image:
    """A rendition: a JPEG with pixels and nothing else."""
    image = Image.open(io.BytesIO(data))
    assert image.format == "JPEG"
    assert not image.getexif() and not {"exif", "comment", "xmp", "icc_profile"} & set(image.info)
    assert data.endswith(b"\xff\xd9")
    image.load()
    return image


def test_hostile_files_as_evidence_are_refused_or_cleaned(api: Api, data_files: Path) -> None:
    number = api.town.to_supervised()
    taken, refused = 0, 0
    for path in hostile_files(data_files):
        before, began = api.kept(), time.monotonic()
        answer = api.photo(number, "during", "grid", path.read_bytes(), {})
        assert time.monotonic() - began <= SLOWEST_S, path.name
        if answer.status_code == 201:
            taken += 1
            ref = answer.json["photo_id"]
            clean(api.get(f"/api/v1/issues/{number}/photos/{ref}?size=640", "office").data)
            continue
        assert answer.status_code in (400, 413, 415, 422), path.name
        problem(answer, answer.status_code)
        assert api.kept() == before, path.name
        refused += 1
    assert taken >= 5 and refused >= 8


@pytest.mark.parametrize("role", [None, "grid"])
def test_hostile_files_with_a_report_are_refused_or_cleaned(api: Api, data_files: Path, role: str | None) -> None:
    for index, path in enumerate(hostile_files(data_files)):
        before, began = api.kept(), time.monotonic()
        position = api.town.at(100 + 80 * (index % 33))
        answer = api.report(role, (path.read_bytes(),), position=position)
        assert time.monotonic() - began <= SLOWEST_S, path.name
        if answer.status_code == 201:
            with api.station.look() as look:
                row = look.session.query(m.Photo).order_by(m.Photo.id.desc()).first()
                assert row is not None and look.photos.has(row.sha256)
                if role is None:  # of a tip only the clean picture is kept in the open
                    assert row.lon is None and row.taken_at is None
                    clean(look.photos.get(row.sha256))
            continue
        assert answer.status_code in (400, 413, 415, 422), path.name
        problem(answer, answer.status_code)
        assert api.kept() == before, path.name


def peak_mb(pid: int) -> float:
    """The most memory a living process ever held."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return 0.0
    return next(int(line.split()[1]) / 1024 for line in status.splitlines() if line.startswith("VmHWM"))


def test_the_decoder_stays_small(api: Api, data_files: Path) -> None:
    number, peaks = api.town.to_supervised(), []
    for path in hostile_files(data_files):
        api.photo(number, "during", "grid", path.read_bytes(), {})
        peaks += [peak_mb(pid) for pid in POOL.children()]
    assert peaks and max(peaks) <= CHILD_MOST_MB


def turned(orientation: int) -> bytes:
    """A JPEG whose upright picture is 320 x 200 with a red upper left corner, stored turned."""
    upright = Image.fromarray(np.full((200, 320, 3), 230, np.uint8))
    ImageDraw.Draw(upright).rectangle((0, 0, 60, 60), fill=(220, 20, 20))
    undo = {3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}
    stored = upright.transpose(undo[orientation]) if orientation in undo else upright
    exif = Image.Exif()
    exif[0x0112] = orientation
    out = io.BytesIO()
    stored.save(out, "JPEG", quality=92, exif=exif)
    return out.getvalue()


@pytest.mark.parametrize("orientation", [1, 3, 6, 8, 99])
def test_renditions_are_upright_exactly_once(api: Api, orientation: int) -> None:
    number = api.town.to_supervised()
    ref = api.photo(number, "during", "grid", turned(orientation)).json["photo_id"]
    image = clean(api.get(f"/api/v1/issues/{number}/photos/{ref}?size=1280", "office").data)
    assert image.size == (320, 200)
    red, green, _ = image.convert("RGB").getpixel((20, 20))
    assert red > 180 and green < 80


def alike(shown: Image.Image, wanted: Image.Image) -> float:
    """Mean difference of two pictures at 32 x 32 grey levels, 0 to 255."""
    small = [np.asarray(image.convert("L").resize((32, 32)), dtype=float) for image in (shown, wanted)]
    return float(np.abs(small[0] - small[1]).mean())


@pytest.mark.parametrize("name", ["iphone11_gps.HEIC", "arrow.heic", "zPug_3.heic"])
def test_heic_is_taken_and_upright(api: Api, data_files: Path, name: str) -> None:
    number = api.town.to_supervised()
    data = (data_files / "heic" / name).read_bytes()
    told = api.photo(number, "during", "grid", data, {})
    assert told.status_code == 201
    shown = clean(api.get(f"/api/v1/issues/{number}/photos/{told.json['photo_id']}?size=800", "office").data)
    # the decoder of the format turns the pixels itself; what EXIF says besides must not turn them again
    container = pillow_heif.open_heif(io.BytesIO(data))
    wanted = container[container.primary_index].to_pillow()
    assert abs(shown.width / shown.height - wanted.width / wanted.height) < 0.02
    assert alike(shown, wanted) < 6


def test_mpo_is_taken_and_upright(api: Api, data_files: Path) -> None:
    number = api.town.to_supervised()
    taken = 0
    for path in sorted((data_files / "drone_lrf").rglob("*.[Jj][Pp]*[Gg]")):
        with Image.open(path) as image:
            if image.format != "MPO":
                continue
            wanted = ImageOps.exif_transpose(image).convert("RGB")
        told = api.photo(number, "during", "grid", path.read_bytes(), {})
        assert told.status_code == 201
        shown = clean(api.get(f"/api/v1/issues/{number}/photos/{told.json['photo_id']}?size=640", "office").data)
        assert max(shown.size) == 640 and alike(shown, wanted) < 6
        taken += 1
    assert taken >= 1


def test_a_photo_is_stored_only_when_its_deed_is_done(api: Api) -> None:
    """A good photo with a bad stage, on a foreign issue, reused, or with a bad report: nothing is kept."""
    number = api.town.to_supervised()
    good = api.photo(number, "during", "grid")
    assert good.status_code == 201
    api.token("unit", unit="construction")
    before = api.kept()
    assert codes(problem(api.photo(number, "nonsense", "grid"), 422)) == {"unknown_stage"}
    problem(api.photo(number, "during", "unit", who={"unit": "construction"}), 404)
    problem(api.photo("TH-2026-9999", "during", "grid"), 404)
    far = {"lon": 100.0, "lat": 30.0, "crs": "wgs84"}
    assert codes(problem(api.report("drone", (turned(1),), position=far, score=0.9), 422)) == {"out_of_area"}
    problem(api.report("grid", (turned(1),), kind="nonsense"), 422)
    assert api.kept() == before


def test_same_bytes_again_are_refused_elsewhere_and_repeated_here(api: Api) -> None:
    first, second = api.town.to_supervised(), api.town.to_assigned(chainage_m=500)
    data = turned(3)
    told = api.photo(first, "during", "grid", data)
    assert api.photo(first, "during", "grid", data).json["photo_id"] == told.json["photo_id"]
    before = api.kept()
    assert codes(problem(api.photo(second, "before", "grid", data), 422)) == {"photo_reused"}
    assert api.kept() == before
