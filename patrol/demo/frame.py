"""Sample drone frames, drawn: a look straight down, with the tags of the camera it pretends to be.

The thing lies in the middle, so that its projected position can be checked. Same seed, same picture.
"""

from __future__ import annotations

import io
import random
from datetime import datetime

from PIL import Image, ImageDraw

from patrol.demo.paint import LITTER, QUALITY, Colour, jitter, marked

FRAME_SIZE = (800, 600)
FRAME_FOCAL_PX = 600.0
FRAME_HEIGHT_M = 60.0


def drone_frame(
    kind: str, seed: int, *, lon: float, lat: float, taken_at: datetime, yaw_deg: float = 0.0
) -> tuple[bytes, tuple[float, float, float, float]]:
    """A JPEG straight down with its camera's tags, and the box of the thing: left, top, right, bottom px.

    `lon`, `lat`: WGS-84 of the camera; the thing lies in the middle of the picture. `taken_at` is aware.
    """
    rng = random.Random(f"{seed}:frame")
    width, height = FRAME_SIZE
    big = (width + 400, height + 520)
    image = Image.new("RGB", big, jitter(rng, (112, 128, 84), 16))
    draw = ImageDraw.Draw(image)
    for _ in range(90):
        x, y = rng.uniform(0, big[0]), rng.uniform(0, big[1])
        w, h = rng.uniform(20, 150), rng.uniform(16, 110)
        roof = rng.random() < 0.3
        colour = jitter(rng, (176, 170, 164) if roof else (104, 128, 74), 26)
        (draw.rectangle if roof else draw.ellipse)((x, y, x + w, y + h), fill=colour)
    aside = rng.choice((-1, 1)) * (270 if kind in ("bare_soil", "solid_waste", "other") else 60)
    x0, x1 = big[0] * 0.5 - 190 + aside, big[0] * 0.5 + 190 + aside
    draw.rectangle((x0 - 14, 0, x1 + 14, big[1]), fill=jitter(rng, (168, 164, 150), 12))
    draw.rectangle((x0, 0, x1, big[1]), fill=jitter(rng, (78, 112, 108), 14))
    image = image.rotate(rng.uniform(-34, 34), Image.Resampling.BILINEAR)
    image = image.crop((200, 260, 200 + width, 260 + height))
    half = _from_above(kind, ImageDraw.Draw(image), rng)
    box = (width / 2 - half, height / 2 - half * 0.8, width / 2 + half, height / 2 + half * 0.8)
    image = marked(image, "航片为绘制的样例，不是实拍", at=(0.2, 0.2))
    return _tagged(image, lon, lat, taken_at, yaw_deg), box


def _from_above(kind: str, draw: ImageDraw.ImageDraw, rng: random.Random) -> float:
    """Draw the thing in the middle of the frame; returns half its width in pixels."""
    cx, cy = FRAME_SIZE[0] / 2, FRAME_SIZE[1] / 2
    half = {"bare_soil": 72, "aquatic_bloom": 80, "solid_waste": 44}.get(kind, 52)
    if kind == "illegal_fishing":
        hull = [(-40, 0), (-20, -11), (34, -8), (34, 8), (-20, 11)]
        draw.polygon([(cx + x, cy + y) for x, y in hull], fill=(96, 74, 54), outline=(40, 34, 30))
        return 46
    palette: dict[str, tuple[Colour, ...]] = {
        "sewage": ((40, 36, 30), (58, 52, 42)), "bare_soil": ((160, 116, 74), (176, 132, 88)),
        "aquatic_bloom": ((96, 156, 58), (120, 176, 76)), "floating_debris": LITTER,
        "solid_waste": ((60, 60, 66), (200, 198, 190), (88, 112, 160)),
    }  # fmt: skip
    colours = palette.get(kind, ((200, 120, 70),))
    for _ in range(340 if kind in ("bare_soil", "aquatic_bloom", "sewage") else 130):
        r = rng.uniform(2, 9)
        x, y = cx + rng.gauss(0, half * 0.36), cy + rng.gauss(0, half * 0.28)
        draw.ellipse((x - r, y - r * 0.7, x + r, y + r * 0.7), fill=jitter(rng, rng.choice(colours)))
    return float(half)


def _tagged(image: Image.Image, lon: float, lat: float, taken_at: datetime, yaw_deg: float) -> bytes:
    """The picture as a camera would have written it: its tags, and no JFIF header."""
    exif = Image.Exif()
    exif[0x010E], exif[0x010F], exif[0x0110] = "PATROL SAMPLE", "PATROL", "SAMPLE-1"
    inner = exif.get_ifd(0x8769)
    inner[0x9003], inner[0x9011] = taken_at.strftime("%Y:%m:%d %H:%M:%S"), taken_at.strftime("%z")[:3] + ":00"
    facts = {
        "GpsStatus": "Normal", "GpsLatitude": f"{lat:+.9f}", "GpsLongitude": f"{lon:+.9f}",
        "RelativeAltitude": f"{FRAME_HEIGHT_M:+.2f}", "AbsoluteAltitude": f"{FRAME_HEIGHT_M + 30:+.2f}",
        "GimbalYawDegree": f"{yaw_deg:+.2f}", "GimbalPitchDegree": "-90.00", "GimbalRollDegree": "+0.00",
        "CalibratedFocalLength": f"{FRAME_FOCAL_PX:.2f}",
    }  # fmt: skip
    said = " ".join(f'drone-dji:{name}="{value}"' for name, value in facts.items())
    xmp = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description xmlns:drone-dji="http://www.dji.com/drone-dji/1.0/" {said}/></rdf:RDF></x:xmpmeta>'
    )
    out = io.BytesIO()
    image.save(out, "JPEG", quality=QUALITY, exif=exif, xmp=xmp.encode())
    data = out.getvalue()
    if data[2:4] == b"\xff\xe0":  # Pillow puts a JFIF header first; a camera writes none
        data = data[:2] + data[4 + int.from_bytes(data[4:6], "big") :]
    return data
