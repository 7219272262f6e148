"""Real phone, drone and hostile files: accepted upright and clean, or refused with a sentence."""

import os
import sys
import time
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image, ImageChops, ImageOps, ImageStat

from patrol.errors import BadInput, Malformed, TooMuch
from patrol.gateways.decoding import POOL
from patrol.gateways.pictures import SIMILAR_BITS, examine, hamming, rendition

DATA = Path(os.environ.get("PATROL_TEST_DATA") or Path(__file__).resolve().parents[2].parent / "shared" / "data")
pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="PATROL_TEST_DATA: the real files are not here")

HOSTILE = sorted(
    path for folder in ("hostile", "exif/invalid") for path in (DATA / folder).rglob("*") if path.is_file()
)
MEANT_TO_FAIL = {
    "broken.png": "broken",
    "crash-0da013a13571cc8eb457a39fee8db18f8a3c7127.tif": "type_not_taken",
    "crash-86214e58da443d2b80820cff9677a38a33dcbbca.tif": "type_not_taken",
    "decompression_bomb.ico": "type_not_taken",
    "empty_gps_ifd.jpg": "too_small",
    "exif_gps.jpg": "too_small",
    "bomb_50000x50000.png": "too_many_pixels",
    "one_pixel.jpg": "too_small",
    "php_named.jpg": "type_not_taken",
    "truncated_half.jpg": "truncated",
}


def distance(one: Image.Image, other: Image.Image) -> float:
    small = [image.convert("RGB").resize((64, 64), Image.Resampling.BOX) for image in (one, other)]
    return sum(ImageStat.Stat(ImageChops.difference(*small)).mean) / 3


def shown(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data))


def assert_clean(jpeg: bytes) -> None:
    for trace in (
        b"Exif",
        b"http://ns.adobe",
        b"GPS",
        b"ICC_PROFILE",
        b"Photoshop",
        b"MPF",
        b"DJI",
        b"\xff\xfe",
    ):
        assert trace not in jpeg[:600], trace
    assert b"http://ns.adobe" not in jpeg and b"PK\x05\x06" not in jpeg and jpeg.endswith(b"\xff\xd9")
    assert set(shown(jpeg).info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


@pytest.mark.parametrize("path", HOSTILE, ids=lambda path: path.name)
def test_a_hostile_file_is_refused_or_comes_out_clean(path: Path) -> None:
    data = path.read_bytes()
    started_at = time.monotonic()
    codes = []
    for look in (lambda: examine(data), lambda: assert_clean(rendition(data, 1600))):
        try:
            look()
        except (BadInput, Malformed, TooMuch) as error:
            assert error.sentence.endswith("。")
            codes.append(error.faults[0].code if isinstance(error, BadInput) else error.code)
        else:
            codes.append("taken")
    assert codes == [MEANT_TO_FAIL.get(path.name, "taken")] * 2
    assert time.monotonic() - started_at <= 5
    if sys.platform == "linux":
        for pid in POOL.children():
            status = Path(f"/proc/{pid}/status").read_text().splitlines()
            assert next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) * 1024 <= 300_000_000


def test_the_hostile_folder_was_really_walked() -> None:
    assert {path.name for path in HOSTILE} >= MEANT_TO_FAIL.keys()


@pytest.mark.parametrize("orientation", range(9))
def test_all_orientations_of_one_photo_end_as_the_same_picture(orientation: int) -> None:
    folder = DATA / "exif" / "orientation"
    upright = shown((folder / "Landscape_1.jpg").read_bytes())
    data = (folder / f"Landscape_{orientation}.jpg").read_bytes()
    picture, clean = examine(data), rendition(data, 800)
    assert (picture.width, picture.height) == (1800, 1200)
    assert shown(clean).size == (800, 533)
    assert distance(shown(clean), upright) < 2
    assert hamming(picture.phash, examine((folder / "Landscape_1.jpg").read_bytes()).phash) <= 2
    assert_clean(clean)


@pytest.mark.parametrize(
    ("name", "size", "position"),
    [
        ("arrow.heic", (3024, 4032), None),
        ("iphone11_gps.HEIC", (2566, 3313), (-94.288772, 39.051344)),
        ("zPug_3.heic", (64, 64), None),
    ],
)
def test_iphone_photos_are_taken_upright_with_their_claims(
    name: str, size: tuple[int, int], position: tuple[float, float] | None
) -> None:
    import pillow_heif

    data = (DATA / "heic" / name).read_bytes()
    picture, clean = examine(data), rendition(data, 800)
    assert (picture.format, picture.width, picture.height) == ("HEIC", *size)
    assert distance(shown(clean), pillow_heif.open_heif(BytesIO(data)).to_pillow()) < 4
    assert_clean(clean)
    if position:
        assert (picture.lon, picture.lat) == pytest.approx(position, abs=1e-6)
        assert picture.accuracy_m == pytest.approx(38.813, abs=1e-3)
        assert picture.taken_at == "2021-04-11T15:47:53"


def test_an_iphone_photo_cut_on_the_way_is_refused() -> None:
    data = (DATA / "heic" / "arrow.heic").read_bytes()
    for part in (0.2, 0.5, 0.95):
        with pytest.raises(BadInput) as caught:
            examine(data[: int(len(data) * part)])
        assert caught.value.faults[0].code in ("truncated", "broken")


@pytest.mark.parametrize(("name", "code"), [("corrupted.heic", "broken"), ("truncated.heic", "truncated")])
def test_a_broken_heic_is_refused(name: str, code: str) -> None:
    with pytest.raises(BadInput) as caught:
        examine((DATA / "heic" / name).read_bytes())
    assert caught.value.faults[0].code == code


@pytest.mark.parametrize("name", ["drone_rgb/brighton_beach/DJI_0018.JPG", "drone_lrf/H20N_DJI_0006_R.JPG"])
def test_drone_frames_open_as_their_first_picture(name: str) -> None:
    data = (DATA / name).read_bytes()
    frame = shown(data)
    assert frame.format == "MPO"
    picture, clean = examine(data), rendition(data, 1000)
    assert (picture.format, picture.width, picture.height) == ("JPEG", *frame.size)
    assert distance(shown(clean), ImageOps.exif_transpose(frame)) < 3
    assert picture.lon is not None and picture.taken_at is not None
    assert_clean(clean)


@pytest.mark.parametrize(
    ("name", "warning"),
    [("gps_lat_91.jpg", "position_invalid"), ("gps_zero_over_zero.jpg", "position_invalid")],
)
def test_a_position_that_cannot_be_is_no_claim(name: str, warning: str) -> None:
    picture = examine((DATA / "hostile" / "synthetic" / name).read_bytes())
    assert (picture.lon, picture.lat) == (None, None)
    assert warning in picture.warnings


def test_the_other_hemisphere_is_read_as_written() -> None:
    picture = examine((DATA / "hostile" / "synthetic" / "gps_south_west.jpg").read_bytes())
    assert picture.lon is not None and picture.lat is not None
    assert picture.lon < 0 and picture.lat < 0


def test_real_photos_keep_their_hash_through_saving_and_no_two_share_one() -> None:
    files = sorted((DATA / "drone_rgb").rglob("*.[jJ]*")) + sorted((DATA / "gcp" / "phone_sandpit").glob("*.jpg"))
    assert len(files) >= 10
    hashes = []
    for path in files:
        data = path.read_bytes()
        hashes.append(examine(data).phash)
        again = BytesIO()
        ImageOps.contain(shown(rendition(data, 1600)), (400, 400)).save(again, "JPEG", quality=50)
        assert hamming(hashes[-1], examine(again.getvalue()).phash) <= SIMILAR_BITS
    apart = [hamming(one, other) for at, one in enumerate(hashes) for other in hashes[:at]]
    assert min(apart) > SIMILAR_BITS
