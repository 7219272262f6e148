"""Drone photographs drawn here: grainy water with painted spots, and the metadata a DJI camera writes.

One picture is encoded once; each frame made of it gets its own place and moment by its metadata alone.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import datetime

import numpy as np
from PIL import Image

Spot = tuple[str, float, float, float]
"""Kind (`person` red, `boat` blue), middle as shares of width and height, side as a share of the width."""
_COLOURS = {"person": (255, 0, 0), "boat": (0, 0, 255)}
_EXIF_IFD = 0x8769


def water(width_px: int = 640, height_px: int = 480, spots: Sequence[Spot] = (), seed: int = 0) -> bytes:
    """A JPEG of nothing but dark grainy water and the spots, without metadata."""
    dice = np.random.default_rng(seed)
    grain = dice.normal(0, 9, (height_px, width_px)).astype(np.int16)
    values = np.clip(np.array([38, 62, 52], np.int16) + grain[:, :, None], 0, 90).astype(np.uint8)
    for kind, x, y, side in spots:
        half = max(2, round(side * width_px / 2))
        column, row = round(x * width_px), round(y * height_px)
        values[max(0, row - half) : row + half, max(0, column - half) : column + half] = _COLOURS[kind]
    out = io.BytesIO()
    Image.fromarray(values).save(out, "JPEG", quality=88)
    return out.getvalue()


def flown(picture: bytes, lon: float, lat: float, at: datetime | None = None, *, height_m: float = 40.0,
          yaw_deg: float = 0.0, note: str = "") -> bytes:  # fmt: skip
    """The picture as a drone looking straight down took it there; `at` (with zone) as its clock wrote it."""
    tags = Image.Exif()
    tags.update({0x010F: "DJI", 0x0110: "FC6310", 0x0131: "v01.07.1641"})
    tags.get_ifd(_EXIF_IFD)[0xA405] = 24  # focal length of a 35 mm camera
    if at is not None:
        tags.get_ifd(_EXIF_IFD)[0x9003] = at.strftime("%Y:%m:%d %H:%M:%S")
        tags.get_ifd(_EXIF_IFD)[0x9291] = f"{at.microsecond // 1000:03d}"
        offset = at.strftime("%z")
        tags.get_ifd(_EXIF_IFD)[0x9011] = f"{offset[:3]}:{offset[3:]}"
    values = {
        "GpsLatitude": f"{lat:.8f}", "GpsLongitude": f"{lon:.8f}", "RelativeAltitude": f"+{height_m:.2f}",
        "AbsoluteAltitude": f"+{height_m + 30:.2f}", "GimbalYawDegree": f"{yaw_deg:.2f}",
        "GimbalPitchDegree": "-90.00", "GimbalRollDegree": "0.00", "RtkFlag": "50", "RtkStdLon": "0.5",
        "RtkStdLat": "0.5", "RtkStdHgt": "0.5",
    }  # fmt: skip
    said = " ".join(f'drone-dji:{name}="{value}"' for name, value in values.items())
    xmp = (
        '<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF xmlns:rdf="http://www.w3.org/1999/02/22-rdf-syntax-ns#">'
        f'<rdf:Description xmlns:drone-dji="http://www.dji.com/drone-dji/1.0/" {said} note="{note}"/>'
        "</rdf:RDF></x:xmpmeta>"
    ).encode()
    length = int.from_bytes(picture[4:6], "big")  # the JFIF header, which a camera does not write
    exif = tags.tobytes()
    head = _segment(exif if exif.startswith(b"Exif") else b"Exif\0\0" + exif)
    return picture[:2] + head + _segment(b"http://ns.adobe.com/xap/1.0/\0" + xmp) + picture[4 + length :]


def _segment(body: bytes) -> bytes:
    return b"\xff\xe1" + (len(body) + 2).to_bytes(2, "big") + body
