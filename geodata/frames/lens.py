"""What a file says about its own lens: DJI's dewarp data, a rig's pin-hole or fisheye calibration.

Everything is turned into pixels of the size EXIF speaks of; `camera.py` decides which one is believed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from geodata.frames.fisheye import Fisheye
from geodata.frames.tags import Tags, number

_MM_PER_UNIT = {2: 25.4, 3: 10.0, 4: 1.0, 5: 0.001}  # EXIF FocalPlaneResolutionUnit


@dataclass(frozen=True)
class Dewarp:
    """A lens calibration in pixels of the full frame; `cx`, `cy` relative to the photo centre.

    `coefficients`: k1, k2, p1, p2, k3 and optionally k4, k5, k6; `applied`: the picture is straight already.
    """

    fx_px: float
    fy_px: float
    cx_px: float
    cy_px: float
    coefficients: tuple[float, ...]
    applied: bool


@dataclass(frozen=True)
class Lens:
    """What was found of each kind, None where the file has none; `unreadable` when one made no sense."""

    dewarp: Dewarp | None = None
    perspective: Dewarp | None = None
    fisheye: Fisheye | None = None
    unreadable: bool = False


def lens_of(tags: Tags) -> Lens:
    """The lens of one file. Source: DJI `DewarpData`; Pix4D `Camera:` tags with lengths in millimetres."""
    dewarp, dewarp_fault = _dewarp(tags)
    kind = tags.xmp.get("Camera:ModelType", "").strip().lower()
    fisheye = _fisheye(tags) if kind == "fisheye" else None
    perspective = _perspective(tags) if kind in ("perspective", "") else None
    stated = kind == "fisheye" or "Camera:PerspectiveFocalLength" in tags.xmp
    return Lens(dewarp, perspective, fisheye, dewarp_fault or (stated and fisheye is None and perspective is None))


def _dewarp(tags: Tags) -> tuple[Dewarp | None, bool]:
    """`date;fx,fy,cx,cy,k1,k2,p1,p2,k3` (and k4, k5, k6 on newer cameras), and whether it made no sense."""
    stated = tags.xmp.get("dji:DewarpData", "")
    if not stated:
        return None, False
    parts = [number(part) for part in stated.rpartition(";")[2].split(",")]
    values = [part for part in parts if part is not None]
    if len(values) != len(parts) or len(values) not in (9, 12) or min(values[:2]) <= 0:
        return None, True
    fx, fy, cx, cy, *coefficients = values
    return Dewarp(fx, fy, cx, cy, tuple(coefficients), applied=tags.dji("DewarpFlag") == 1.0), False


def _perspective(tags: Tags) -> Dewarp | None:
    density = _pixels_per_mm(tags)
    focal = tags.camera("PerspectiveFocalLength")
    units = tags.xmp.get("Camera:PerspectiveFocalLengthUnits", "mm").strip().lower()
    if density is None or focal is None or focal <= 0 or units != "mm":
        return None
    bend = tags.series("Camera:PerspectiveDistortion")
    if len(bend) not in (0, 5):
        return None
    k1, k2, k3, p1, p2 = bend or (0.0,) * 5  # Pix4D's order: three radial, then two tangential
    x, y = _centre(tags, density)
    middle_x, middle_y = (side / 2 for side in _size(tags))
    return Dewarp(focal * density[0], focal * density[1], x - middle_x, y - middle_y, (k1, k2, p1, p2, k3), False)


def _fisheye(tags: Tags) -> Fisheye | None:
    density = _pixels_per_mm(tags)
    matrix, polynomial = tags.series("Camera:FisheyeAffineMatrix"), tags.series("Camera:FisheyePolynomial")
    if density is None or len(matrix) != 4 or not 2 <= len(polynomial) <= 12:
        return None
    c, d, e, f = matrix
    found = Fisheye((c, d, e, f), polynomial, *_centre(tags, density))
    return found if found.usable else None


def _size(tags: Tags) -> tuple[float, float]:
    """Width and height that the calibration speaks of: EXIF's where it states them."""
    width, height = tags.number(0xA002), tags.number(0xA003)
    if width is None or height is None or width <= 0 or height <= 0:
        return float(tags.width_px), float(tags.height_px)
    return width, height


def _centre(tags: Tags, density: tuple[float, float]) -> tuple[float, float]:
    """The principal point in pixels from the upper left corner; the middle when the file names none.

    That the corner is the upper one is seen on a real Sequoia exposure, whose bands only then fit each other.
    """
    stated = tags.series("Camera:PrincipalPoint")
    width, height = _size(tags)
    if len(stated) != 2:
        return width / 2, height / 2
    x, y = stated[0] * density[0], stated[1] * density[1]
    return (x, y) if 0.25 < x / width < 0.75 and 0.25 < y / height < 0.75 else (width / 2, height / 2)


def _pixels_per_mm(tags: Tags) -> tuple[float, float] | None:
    unit = _MM_PER_UNIT.get(int(tags.number(0xA210) or 0))
    x, y = tags.number(0xA20E), tags.number(0xA20F)
    if unit is None or x is None or not 1.0 < x / unit < 5000.0:
        return None
    y = y if y is not None and math.isclose(x, y, rel_tol=0.05) else x
    return x / unit, y / unit
