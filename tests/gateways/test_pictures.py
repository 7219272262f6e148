"""Photos from outside, on pictures made here: types, limits, upright once, nothing carried along."""

import random
import struct
import zlib
from collections.abc import Callable
from datetime import UTC, datetime
from io import BytesIO

import pillow_heif
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageChops, ImageDraw, ImageOps, ImageStat, PngImagePlugin

from patrol.errors import BadInput, Malformed, PatrolError, TooMuch
from patrol.gateways import darkroom, pictures
from patrol.gateways.pictures import SIMILAR_BITS, WARNINGS, Picture, examine, hamming, rendition, sniff


def scene(width: int = 320, height: int = 200, seed: int = 1) -> Image.Image:
    """Draw a picture without any symmetry: coloured blobs, and a red corner at the upper left."""
    image = Image.new("RGB", (width, height), (90, 140, 120))
    pen, chance = ImageDraw.Draw(image), random.Random(seed)
    for _ in range(25):
        x, y, size = chance.randrange(width), chance.randrange(height), chance.randrange(10, width // 3)
        pen.ellipse((x, y, x + size, y + size // 2), fill=tuple(chance.randrange(256) for _ in range(3)))
    pen.rectangle((0, 0, width // 4, height // 4), fill=(230, 20, 20))
    return image


def encode(image: Image.Image, kind: str = "JPEG", **how: object) -> bytes:
    out = BytesIO()
    image.save(out, kind, **how)
    return out.getvalue()


def shown(data: bytes) -> Image.Image:
    return Image.open(BytesIO(data))


def distance(one: Image.Image, other: Image.Image) -> float:
    """Mean difference of two pictures at a common small size, in levels of 255."""
    small = [image.convert("RGB").resize((40, 25), Image.Resampling.BOX) for image in (one, other)]
    return sum(ImageStat.Stat(ImageChops.difference(*small)).mean) / 3


def segments(jpeg: bytes) -> list[int]:
    """List the markers of a JPEG up to its pixels; what follows the end marker fails."""
    markers, at = [], 2
    while True:
        assert jpeg[at] == 0xFF
        marker, size = jpeg[at + 1], int.from_bytes(jpeg[at + 2 : at + 4], "big")
        markers.append(marker)
        at += 2 + size
        if marker == 0xDA:
            assert jpeg.endswith(b"\xff\xd9") and jpeg.count(b"\xff\xd9") == 1
            return markers


def assert_clean(jpeg: bytes) -> None:
    """Only what pixels need: JFIF, tables, frame, scan. No APP1..15, no comment, no tail."""
    assert set(segments(jpeg)) <= {0xE0, 0xDB, 0xC0, 0xC4, 0xDA}
    image = shown(jpeg)
    assert (image.format, image.mode) == ("JPEG", "RGB")
    assert set(image.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}
    for trace in (b"Exif", b"http://ns.adobe", b"GPS", b"ICC_PROFILE", b"Photoshop", b"MPF", b"SECRET"):
        assert trace not in jpeg


def refusal(data: bytes) -> str:
    """Return the stable code with which a file is refused, after checking that both doors agree."""
    codes = []
    for look in (lambda: examine(data), lambda: rendition(data, 400)):
        with pytest.raises((BadInput, TooMuch, Malformed)) as caught:
            look()
        error = caught.value
        assert error.sentence.endswith("。")
        codes.append(error.faults[0].code if isinstance(error, BadInput) else error.code)
    assert codes[0] == codes[1]
    return codes[0]


def heic(image: Image.Image, **how: object) -> bytes:
    out = BytesIO()
    pillow_heif.from_pillow(image).save(out, quality=80, **how)
    return out.getvalue()


def exif_of(**tags: object) -> Image.Exif:
    """Build an EXIF block: `orientation`, `taken`, `zone`, `date`, `gps` (a dict of GPS tags)."""
    exif = Image.Exif()
    if "orientation" in tags:
        exif[0x0112] = tags["orientation"]
    if "date" in tags:
        exif[0x0132] = tags["date"]
    inner = {0x9003: tags.get("taken"), 0x9011: tags.get("zone")}
    exif.get_ifd(0x8769).update({tag: value for tag, value in inner.items() if value is not None})
    if isinstance(gps := tags.get("gps"), dict):
        exif.get_ifd(0x8825).update(gps)
    return exif


def claimed(**tags: object) -> Picture:
    return examine(encode(scene(), exif=exif_of(**tags)))


# --- types ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (lambda image: encode(image), "JPEG"),
        (lambda image: encode(image, progressive=True), "JPEG"),
        (lambda image: encode(image, "MPO", save_all=True, append_images=[scene(seed=9)]), "JPEG"),
        (lambda image: encode(image, "PNG"), "PNG"),
        (lambda image: encode(image, "WEBP", quality=90), "WebP"),
        (lambda image: encode(image, "WEBP", lossless=True), "WebP"),
        (lambda image: encode(image, "WEBP", exif=exif_of(taken="2026:06:01 08:00:00")), "WebP"),
        (heic, "HEIC"),
    ],
)
def test_the_four_types_are_taken_and_look_the_same(make: Callable[[Image.Image], bytes], kind: str) -> None:
    data = make(scene())
    picture = examine(data)
    assert (picture.format, picture.width, picture.height) == (kind, 320, 200)
    clean = rendition(data, 1600)
    assert_clean(clean)
    assert shown(clean).size == (320, 200)
    assert distance(shown(clean), scene()) < 4


@pytest.mark.parametrize("kind", ["GIF", "TIFF", "BMP", "ICO", "PDF", "EPS", "JPEG2000", "TGA", "PPM", "ICNS"])
def test_other_types_are_refused_by_their_bytes(kind: str) -> None:
    assert refusal(encode(scene(128, 128), kind)) == "type_not_taken"


@pytest.mark.parametrize(
    "data",
    [
        b"<svg xmlns='http://www.w3.org/2000/svg'/>",
        b"<?php echo 1; ?>" + b"\xff\xd8\xff\xe0",
        b"\x00\x00\x00\x0cJXL \r\n\x87\n" + bytes(40),
        b"\xff\x0a" + bytes(40),
        b"\x00\x00\x00\x1cftypavif\x00\x00\x00\x00avifmif1miaf" + bytes(40),
        b"\x00\x00\x00\x1cftypmif1\x00\x00\x00\x00mif1avifmiaf" + bytes(40),
        b"\x00\x00\x00\x18ftypisom\x00\x00\x00\x00isomavc1" + bytes(40),
        b"RIFF\x24\x00\x00\x00WAVEfmt " + bytes(40),
        b"PK\x03\x04" + bytes(40),
        b"\xff\xd8",
        b"x",
    ],
)
def test_what_is_no_photo_of_ours_is_refused(data: bytes) -> None:
    assert refusal(data) == "type_not_taken"


def test_sniffing_never_needs_more_bytes_than_there_are() -> None:
    whole = heic(scene(64, 64))
    for length in range(64):
        assert sniff(whole[:length]) in (None, "HEIC")
    assert sniff(whole) == "HEIC"


# --- limits --------------------------------------------------------------------------------------------


def png_header(width: int, height: int) -> bytes:
    """Make a PNG that claims a size and holds next to nothing."""

    def chunk(name: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    pixels = zlib.compress(bytes(1000))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def test_nothing_at_all_is_said_to_be_empty() -> None:
    assert refusal(b"") == "empty"


def test_too_many_bytes_are_refused_unread() -> None:
    with pytest.raises(TooMuch) as caught:
        examine(encode(scene()), max_bytes=1000)
    assert caught.value.code == "too_large"
    assert refusal(b"\xff\xd8\xff" + bytes(20_000_000)) == "too_large"


@pytest.mark.parametrize("size", [(20_000, 20_000), (13_000, 13_000), (7100, 7100), (2**31 - 1, 2**31 - 1)])
def test_too_many_pixels_are_refused_from_the_header(size: tuple[int, int]) -> None:
    assert refusal(png_header(*size)) == "too_many_pixels"


def test_the_pixel_limit_is_exact() -> None:
    assert examine(encode(scene(320, 200)), max_pixels=64_000).width == 320
    with pytest.raises(BadInput) as caught:
        examine(encode(scene(320, 200)), max_pixels=63_999)
    assert caught.value.faults[0].code == "too_many_pixels"


def test_a_webp_canvas_is_measured_before_its_reader_makes_room() -> None:
    extended = b"VP8X" + struct.pack("<I", 10) + bytes(4) + (16382).to_bytes(3, "little") * 2
    lossless = b"VP8L" + struct.pack("<I", 10) + b"\x2f" + (16382 | 16382 << 14).to_bytes(4, "little") + bytes(5)
    lossy = b"VP8 " + struct.pack("<I", 10) + b"\x00\x00\x00\x9d\x01\x2a" + struct.pack("<HH", 16383, 16383)
    for body in (extended, lossless, lossy):
        body += bytes(64)
        assert refusal(b"RIFF" + struct.pack("<I", len(body) + 4) + b"WEBP" + body) == "too_many_pixels"


@pytest.mark.parametrize(("make", "size"), [(encode, (1, 1)), (encode, (15, 400)), (heic, (12, 64))])
def test_a_picture_of_almost_nothing_is_refused(make: Callable[[Image.Image], bytes], size: tuple[int, int]) -> None:
    assert refusal(make(Image.new("RGB", size))) == "too_small"


def test_a_line_of_60000_pixels_is_refused() -> None:
    assert refusal(png_header(1, 60_000)) == "too_small"


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "HEIC"])
@pytest.mark.parametrize("part", [0.3, 0.6, 0.9])
def test_a_file_cut_on_the_way_is_refused(kind: str, part: float) -> None:
    whole = heic(scene()) if kind == "HEIC" else encode(scene(), kind)
    assert refusal(whole[: int(len(whole) * part)]) in ("truncated", "broken")


def test_a_cut_jpeg_is_said_to_be_incomplete() -> None:
    whole = encode(scene())
    assert refusal(whole[: len(whole) // 2]) == "truncated"


@pytest.mark.parametrize("junk", [b"\xff\xd8\xff", b"\xff\xd8\xff\xe0" + bytes(9000), b"\x89PNG\r\n\x1a\n" + bytes(99)])
def test_a_start_without_a_picture_is_broken(junk: bytes) -> None:
    assert refusal(junk) in ("broken", "truncated")


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(["JPEG", "PNG", "WEBP", "HEIC"]), st.randoms(use_true_random=False))
def test_no_damage_escapes_as_anything_but_a_refusal(kind: str, chance: random.Random) -> None:
    data = bytearray(_WHOLE[kind])
    for _ in range(chance.choice((1, 5, 60))):
        data[chance.randrange(12, len(data))] = chance.randrange(256)
    try:
        picture = examine(bytes(data))
        assert_clean(rendition(bytes(data), 200))
    except PatrolError as error:
        assert error.sentence.endswith("。")
    else:
        assert picture.width >= 16 and picture.height >= 16


_WHOLE = {kind: encode(scene(96, 64), kind) for kind in ("JPEG", "PNG", "WEBP")} | {"HEIC": heic(scene(96, 64))}


# --- upright, once -------------------------------------------------------------------------------------


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_every_orientation_ends_upright(kind: str, orientation: int) -> None:
    upright = scene()
    undo = {5: 5, 6: 8, 7: 7, 8: 6}.get(orientation, orientation)
    data = encode(darkroom.turn(upright, undo), kind, exif=exif_of(orientation=orientation))
    # The independent reader agrees that this file, turned as it says, is the upright scene.
    assert distance(ImageOps.exif_transpose(shown(data)), upright) < 4
    picture = examine(data)
    assert (picture.width, picture.height) == upright.size
    assert hamming(picture.phash, examine(encode(upright)).phash) <= 4
    clean = rendition(data, 1000)
    assert shown(clean).size == upright.size
    assert distance(shown(clean), upright) < 4
    assert rendition(clean, 1000)[:2] == clean[:2] and shown(rendition(clean, 1000)).size == upright.size


@pytest.mark.parametrize("orientation", [0, 9, 99, 65535])
def test_an_orientation_that_does_not_exist_turns_nothing(orientation: int) -> None:
    clean = rendition(encode(scene(), exif=exif_of(orientation=orientation)), 1000)
    assert distance(shown(clean), scene()) < 4


@pytest.mark.parametrize("orientation", [3, 6, 8])
def test_a_heic_is_not_turned_a_second_time_by_its_exif(orientation: int) -> None:
    exif = exif_of(orientation=orientation).tobytes()
    data = heic(scene(), exif=exif)
    # Whatever the writer did with the orientation, the HEIC's own reader says what is upright.
    upright = pillow_heif.open_heif(BytesIO(data)).to_pillow()
    picture = examine(data)
    assert (picture.width, picture.height) == upright.size
    assert distance(shown(rendition(data, 1000)), upright) < 4


# --- colours and frames --------------------------------------------------------------------------------


def _palette(image: Image.Image) -> bytes:
    return encode(image.quantize(64), "PNG", transparency=0)


def _grey_16(image: Image.Image) -> bytes:
    grey = image.convert("L")
    wide = Image.frombytes("I;16", grey.size, b"".join(bytes((level, level)) for level in grey.tobytes()))
    return encode(wide, "PNG")


def _see_through(image: Image.Image) -> bytes:
    image = image.convert("RGBA")
    image.putalpha(255)
    return encode(image, "PNG")


@pytest.mark.parametrize(
    ("make", "expected", "most"),
    [
        (lambda image: encode(image.convert("CMYK")), scene(), 6),
        (lambda image: encode(image.convert("L")), scene().convert("L"), 4),
        (lambda image: encode(image.convert("1"), "PNG"), scene().convert("L"), 8),
        (lambda image: encode(image.convert("LA"), "PNG"), scene().convert("L"), 4),
        (_grey_16, scene().convert("L"), 4),
        (_see_through, scene(), 4),
        (lambda image: encode(image.quantize(128), "PNG"), scene(), 8),
        (lambda image: heic(image.convert("RGBA")), scene(), 4),
        (lambda image: heic(image.convert("L")), scene().convert("L"), 4),
    ],
)
def test_every_kind_of_colour_becomes_rgb(
    make: Callable[[Image.Image], bytes], expected: Image.Image, most: float
) -> None:
    data = make(scene())
    for side in (320, 160):
        clean = rendition(data, side)
        assert_clean(clean)
        assert distance(shown(clean), expected) < most
    assert examine(data).width == 320


def test_what_is_transparent_becomes_white() -> None:
    image = scene().convert("RGBA")
    image.putalpha(0)
    for kind in ("PNG", "WEBP"):
        assert (
            distance(shown(rendition(encode(image, kind, lossless=True), 320)), Image.new("RGB", (9, 9), "white")) < 1
        )
    assert_clean(rendition(_palette(scene()), 320))


def test_the_first_frame_of_an_animation_is_the_photo() -> None:
    frames = [scene(seed=seed) for seed in range(2, 12)]
    for kind in ("PNG", "WEBP"):
        data = encode(scene(), kind, save_all=True, append_images=frames, duration=50, lossless=True)
        clean = rendition(data, 320)
        assert_clean(clean)
        assert distance(shown(clean), scene()) < 4


def test_a_wide_gamut_profile_is_translated_and_not_carried() -> None:
    # A profile with swapped primaries: believed, red shows as green; so a believed profile can be told apart.
    from PIL import ImageCms

    swapped = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    red, green = swapped.find(b"rXYZ"), swapped.find(b"gXYZ")
    swapped[red : red + 4], swapped[green : green + 4] = b"gXYZ", b"rXYZ"
    plain = encode(Image.new("RGB", (64, 64), (250, 10, 10)), quality=95)
    profiled = encode(Image.new("RGB", (64, 64), (250, 10, 10)), quality=95, icc_profile=bytes(swapped))
    red_level, green_level, _ = shown(rendition(plain, 64)).getpixel((30, 30))
    assert red_level > 240 and green_level < 20
    red_level, green_level, _ = shown(rendition(profiled, 64)).getpixel((30, 30))
    assert green_level > 200 and red_level < 60
    assert_clean(rendition(profiled, 64))


def test_a_broken_profile_costs_nothing_but_itself() -> None:
    data = encode(scene(), icc_profile=b"SECRET not a profile" * 10)
    clean = rendition(data, 320)
    assert_clean(clean)
    assert distance(shown(clean), scene()) < 4


@pytest.mark.parametrize("side", [1600, 500, 333, 100])
def test_strips_make_the_same_picture_as_the_whole_would(side: int) -> None:
    image = scene(1500, 1100)
    data = encode(image, "PNG")
    darkroom_strip, darkroom._STRIP_PX = darkroom._STRIP_PX, 1500 * 37
    try:
        small = darkroom.develop(darkroom.open_source(data, "PNG", 10**8), side)
    finally:
        darkroom._STRIP_PX = darkroom_strip
    whole = image.resize(small.size, Image.Resampling.LANCZOS)
    worst = max(high for _, high in ImageChops.difference(small, whole).getextrema())
    assert worst <= (3 if side > 375 else 40)  # blocks are averaged first when much smaller
    assert sum(ImageStat.Stat(ImageChops.difference(small, whole)).mean) / 3 < 0.7


# --- what does not travel ------------------------------------------------------------------------------


def test_nothing_but_pixels_reaches_a_rendition() -> None:
    loaded = encode(
        scene(),
        exif=exif_of(taken="2026:06:01 08:00:00", gps={1: "N", 2: (30.0, 21.0, 0.0), 3: "E", 4: (112.0, 11.0, 0.0)}),
        xmp=b"<x:xmpmeta SECRET http://ns.adobe.com/xap/1.0/>",
        comment=b"SECRET comment",
        icc_profile=b"SECRET",
    )
    assert loaded.count(b"SECRET") == 3
    assert_clean(rendition(loaded + b"<script>SECRET</script>", 320))
    notes = PngImagePlugin.PngInfo()
    notes.add_text("Comment", "SECRET")
    notes.add_itxt("XML:com.adobe.xmp", "SECRET")
    assert_clean(rendition(encode(scene(), "PNG", pnginfo=notes), 320))
    assert_clean(rendition(heic(scene(), xmp=b"SECRET"), 320))


def test_a_rendition_fits_its_side_and_is_never_enlarged() -> None:
    data = encode(scene(640, 400))
    sizes = {side: shown(rendition(data, side)).size for side in (5000, 640, 320, 101, 1)}
    assert sizes == {5000: (640, 400), 640: (640, 400), 320: (320, 200), 101: (101, 63), 1: (16, 10)}
    assert max(shown(rendition(encode(scene(2600, 1000)), 5000)).size) == 2048


def test_the_same_photo_gives_the_same_rendition() -> None:
    data = encode(scene())
    assert rendition(data, 200) == rendition(data, 200)


def test_blocks_of_metadata_do_not_slow_or_swell_anything() -> None:
    plain = encode(scene())
    exif = b"".join(b"\xff\xe1\xff\xffExif\x00\x00" + bytes(65527) for _ in range(100))
    xmp = b"".join(b"\xff\xe1\xff\xffhttp://ns.adobe.com/xap/1.0/\x00" + b"x" * 65504 for _ in range(80))
    icc = b"".join(b"\xff\xe2\xff\xffICC_PROFILE\x00" + bytes((n % 255 + 1, 160)) + bytes(65519) for n in range(150))
    for block in (exif, xmp, icc):
        data = plain[:2] + block + plain[2:]
        try:
            examine(data)
            assert_clean(rendition(data, 320))
        except BadInput as error:
            assert error.faults[0].code in ("broken", "too_heavy")


def test_a_text_bomb_in_a_png_is_refused() -> None:
    text = b"Comment\x00\x00" + zlib.compress(bytes(80_000_000), 9)
    chunk = struct.pack(">I", len(text)) + b"zTXt" + text + struct.pack(">I", zlib.crc32(b"zTXt" + text))
    plain = encode(scene(), "PNG")
    assert refusal(plain[:33] + chunk + plain[33:]) == "broken"


# --- claims --------------------------------------------------------------------------------------------

HERE = {1: "N", 2: (30.0, 21.0, 18.0), 3: "E", 4: (112.0, 11.0, 24.0)}


def test_time_zone_and_position_are_read_as_claimed() -> None:
    picture = claimed(taken="2026:06:01 08:05:09", zone="+08:00", gps={**HERE, 31: 4.5})
    assert (picture.taken_at, picture.taken_zone) == ("2026-06-01T08:05:09", "+08:00")
    assert picture.taken_moment() == datetime(2026, 6, 1, 0, 5, 9, tzinfo=UTC)
    assert (picture.lon, picture.lat, picture.accuracy_m) == (112.19, 30.355, 4.5)
    assert picture.warnings == ()


def test_a_time_without_a_zone_is_read_in_shanghai() -> None:
    picture = claimed(taken="2026:06:01 08:05:09")
    assert picture.taken_zone is None
    assert picture.taken_moment() == datetime(2026, 6, 1, 0, 5, 9, tzinfo=UTC)


def test_without_exif_there_is_no_claim_and_no_complaint() -> None:
    picture = examine(encode(scene()))
    assert (picture.taken_at, picture.lon, picture.lat, picture.accuracy_m) == (None, None, None, None)
    assert picture.warnings == ()
    assert picture.taken_moment() is None


@pytest.mark.parametrize(
    "text",
    [
        "0000:00:00 00:00:00",
        "2026:13:01 00:00:00",
        "2026:02:30 10:00:00",
        "1970:01:01 00:00:00",
        "yesterday",
        "",
        " ",
    ],
)
def test_an_impossible_time_is_no_claim(text: str) -> None:
    picture = claimed(taken=text)
    assert picture.taken_at is None
    assert picture.warnings == ("time_invalid",)


@pytest.mark.parametrize("zone", ["CST", "+25:00", "+08", "+08:61", ""])
def test_a_zone_that_does_not_exist_is_left_out(zone: str) -> None:
    picture = claimed(taken="2026:06:01 08:05:09", zone=zone)
    assert (picture.taken_at, picture.taken_zone) == ("2026-06-01T08:05:09", None)


def test_the_file_date_stands_in_and_says_so() -> None:
    picture = claimed(date="2026:06:01 08:05:09")
    assert picture.taken_at == "2026-06-01T08:05:09"
    assert picture.warnings == ("time_of_file",)


def test_a_time_from_the_future_is_no_claim_when_the_caller_knows_the_time() -> None:
    now = datetime(2026, 6, 1, 0, 0, tzinfo=UTC)
    data = encode(scene(), exif=exif_of(taken="2026:06:01 12:00:00", zone="+08:00"))
    assert examine(data).taken_at is not None
    picture = examine(data, now=now)
    assert (picture.taken_at, picture.warnings) == (None, ("time_in_future",))
    drifted = encode(scene(), exif=exif_of(taken="2026:06:01 08:30:00", zone="+08:00"))
    assert examine(drifted, now=now).taken_at is not None


NAN = (float("nan"),) * 3


@pytest.mark.parametrize(
    "gps",
    [
        {**HERE, 2: (91.0, 0.0, 0.0)},
        {**HERE, 4: (181.0, 0.0, 0.0)},
        {**HERE, 2: (30.0, 61.0, 0.0)},
        {**HERE, 1: "X"},
        {**HERE, 1: ""},
        {2: HERE[2], 4: HERE[4]},
        {1: "N", 2: HERE[2]},
        {**HERE, 2: (0.0, 0.0, 0.0), 4: (0.0, 0.0, 0.0)},
        {**HERE, 2: (30.0, 21.0)},
        {**HERE, 2: (1e9, 0.0, 0.0)},
    ],
)
def test_an_impossible_position_is_no_claim(gps: dict[int, object]) -> None:
    picture = claimed(gps=gps)
    assert (picture.lon, picture.lat, picture.accuracy_m) == (None, None, None)
    assert picture.warnings == ("position_invalid",)


def test_south_and_west_are_negative() -> None:
    picture = claimed(gps={**HERE, 1: "S", 3: "W"})
    assert (picture.lon, picture.lat) == (-112.19, -30.355)


def test_an_accuracy_that_cannot_be_is_left_out() -> None:
    picture = claimed(gps={**HERE, 31: 0.0})
    assert picture.lon is not None
    assert (picture.accuracy_m, picture.warnings) == (None, ("accuracy_invalid",))


def test_a_broken_exif_block_costs_the_claims_and_not_the_photo() -> None:
    plain = encode(scene(), exif=exif_of(taken="2026:06:01 08:05:09", gps=HERE))
    start = plain.index(b"Exif\x00\x00") + 6
    for at in range(start, start + 60):
        data = bytearray(plain)
        data[at] ^= 0xFF
        picture = examine(bytes(data))
        assert (picture.width, picture.height) in ((320, 200), (200, 320))
        assert set(picture.warnings) <= set(WARNINGS)


def test_a_picture_of_nothing_is_told() -> None:
    assert examine(encode(Image.new("RGB", (300, 300), (7, 7, 7)))).warnings == ("flat",)


@pytest.mark.parametrize(
    "told",
    [
        {},
        {"width": "1", "height": 2, "phash": "0" * 16},
        {"width": 100, "height": 100, "phash": "z" * 16},
        {"width": 100, "height": 100, "phash": "0" * 16, "lon": float("inf")},
        {"width": 100, "height": 100, "phash": "0" * 16, "lat": "<script>"},
        {"width": 100, "height": 100, "phash": "0" * 16, "taken_at": "<script>"},
    ],
)
def test_an_impossible_answer_of_the_child_is_not_believed(told: dict[str, object]) -> None:
    assert pictures._picture("JPEG", told) is None


# --- the perceptual hash -------------------------------------------------------------------------------


def test_a_photo_saved_again_keeps_its_hash_and_another_has_another() -> None:
    scenes = [scene(900, 600, seed) for seed in range(6)]
    hashes = [examine(encode(image, "PNG")).phash for image in scenes]
    for image, phash in zip(scenes, hashes, strict=True):
        again = (
            encode(image, quality=30),
            encode(image.resize((300, 200)), "WEBP"),
            encode(image.crop((9, 6, 891, 594))),
            rendition(encode(image), 200),
        )
        for data in again:
            assert hamming(phash, examine(data).phash) <= SIMILAR_BITS
    apart = [hamming(one, other) for at, one in enumerate(hashes) for other in hashes[:at]]
    assert min(apart) > SIMILAR_BITS


@given(st.integers(0, 2**64 - 1), st.integers(0, 2**64 - 1))
def test_hamming_is_a_distance(one: int, other: int) -> None:
    a, b = f"{one:016x}", f"{other:016x}"
    assert hamming(a, a) == 0
    assert hamming(a, b) == hamming(b, a) == bin(one ^ other).count("1")
