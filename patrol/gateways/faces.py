"""Faces and heads in a rendition, made unrecognisable before anyone sees it.

For the renditions of fishing frames. It works on the small upright picture inside the decoder's process and
budget (memory, CPU seconds), with the cascades that OpenCV's own package brings, and on the boxes of persons
that the detector found. It blurs too much rather than too little, and raises rather than let a picture through
unseen: but a head that neither of the two notices stays as it is, and how often that happens on real river
frames is **unproven**. The original photo is not its business.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any

from PIL import Image

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Region = tuple[int, int, int, int]
Share = tuple[float, float, float, float]

SMALLEST_FACE_PX = 28
"""Smaller ones are not looked for. The cascades' square is a quarter wider than the face: this is one of some 22
pixels. EN 62676-4 wants 125 pixels a metre to recognise someone known, which is 20 for a face."""
MOST_CELLS = 5
"""What is left of a face: at most so many patches a side."""
UPRIGHT = 1.4
"""A person's box this much taller than wide shows one who stands, with the head on top."""

_TILE_PX, _SHARED_PX = 640, 128  # the cascades need sixty bytes a pixel, so a picture is not searched whole
_QUARTER = 4
_FRONT, _SIDE = "haarcascade_frontalface_default.xml", "haarcascade_profileface.xml"
_STEP = 1.25
_NEIGHBOURS = 2
_GENEROUS = 0.35  # how much is added on every side of a face: hair, chin, ears


@dataclass(frozen=True)
class Blurred:
    """A picture that may be shown; `faces` were found in it, `heads` taken from the boxes of persons."""

    picture: Image.Image
    faces: int
    heads: int


def blurred(picture: Image.Image, people: Sequence[Share] = ()) -> Blurred:
    """An upright RGB picture with every face that is found, and every person's head, made unrecognisable.

    `people` are boxes of persons as shares (0..1) of width and height: left, top, right, bottom. Shares outside
    of the picture are cut; those that are no box, or not numbers, raise ValueError. RuntimeError when the
    cascades are not there: then nothing may be shown.
    """
    heads = [_head(picture.size, share) for share in people]
    found = [_grown(picture.size, region, _GENEROUS) for region in faces(picture)]
    shown = picture.copy()
    for region in [*found, *heads]:
        _blot(shown, region)
    return Blurred(shown, len(found), len(heads))


def blurred_jpeg(rendition: bytes, people: Sequence[Share] = ()) -> tuple[bytes, int]:
    """A rendition (a clean JPEG of ours) as `blurred` makes it, and how many regions that changed.

    Meant for a request of its own to the decoder, so that neither the memory nor the CPU seconds that the
    original took are missing here.
    """
    with Image.open(BytesIO(rendition), formats=["JPEG"]) as opened:
        picture = opened.convert("RGB")
    done = blurred(picture, people)
    out = BytesIO()
    done.picture.save(out, "JPEG", quality=85, optimize=True, progressive=False)
    return out.getvalue(), done.faces + done.heads


def faces(picture: Image.Image) -> list[Region]:
    """Where a picture seems to show faces, as left, top, right, bottom in pixels; some are none."""
    np, _ = _libraries()
    grey = np.asarray(picture.convert("L"))
    found: list[Region] = []
    for left, top, part in _tiles(grey):
        found += _moved(_seen(_FRONT, part, SMALLEST_FACE_PX, _SHARED_PX), left, top, 1.0)
    small, times = _shrunk(grey, _QUARTER)
    found += _moved(_seen(_FRONT, small, SMALLEST_FACE_PX, 0), 0, 0, times)
    half, times = _shrunk(grey, 2)
    found += _moved(_seen(_SIDE, half, SMALLEST_FACE_PX // 2 + 6, 0), 0, 0, times)
    turned = _seen(_SIDE, half[:, ::-1].copy(), SMALLEST_FACE_PX // 2 + 6, 0)  # it knows one side only
    width = half.shape[1]
    found += _moved([(width - right, top, width - left, bottom) for left, top, right, bottom in turned], 0, 0, times)
    return found


@cache
def _libraries() -> tuple[Any, Any]:
    """NumPy and OpenCV, loaded late: a decoder that blurs nothing has no room to spare for them."""
    import cv2
    import numpy

    cv2.setNumThreads(1)
    return numpy, cv2


@cache
def _cascade(name: str) -> Any:
    _, cv2 = _libraries()
    cascade = cv2.CascadeClassifier(str(Path(cv2.__file__).parent / "data" / name))
    if cascade.empty():
        raise RuntimeError(f"OpenCV has no {name} here: faces cannot be found, so nothing may be shown.")
    return cascade


def _seen(name: str, grey: NDArray[np.uint8], least_px: int, most_px: int) -> list[Region]:
    if min(grey.shape) < least_px:
        return []
    largest = (most_px, most_px) if most_px else (0, 0)
    found = _cascade(name).detectMultiScale(grey, _STEP, _NEIGHBOURS, minSize=(least_px, least_px), maxSize=largest)
    return [(int(x), int(y), int(x + wide), int(y + high)) for x, y, wide, high in found]


def _tiles(grey: NDArray[np.uint8]) -> Iterator[tuple[int, int, NDArray[np.uint8]]]:
    height, width = grey.shape
    step = _TILE_PX - _SHARED_PX
    for top in range(0, max(1, height - _SHARED_PX), step):
        for left in range(0, max(1, width - _SHARED_PX), step):
            yield left, top, grey[top : top + _TILE_PX, left : left + _TILE_PX].copy()


def _shrunk(grey: NDArray[np.uint8], times: int) -> tuple[NDArray[np.uint8], float]:
    np, cv2 = _libraries()
    size = max(1, grey.shape[1] // times), max(1, grey.shape[0] // times)
    return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), np.uint8), grey.shape[1] / size[0]


def _moved(regions: Sequence[Region], left: int, top: int, times: float) -> list[Region]:
    return [
        (
            math.floor(one[0] * times) + left,
            math.floor(one[1] * times) + top,
            math.ceil(one[2] * times) + left,
            math.ceil(one[3] * times) + top,
        )
        for one in regions
    ]


def _grown(size: tuple[int, int], region: Region, share: float) -> Region:
    """A region with a share of its own size added on every side, cut at the picture's edges."""
    left, top, right, bottom = region
    more_x, more_y = math.ceil((right - left) * share), math.ceil((bottom - top) * share)
    return max(0, left - more_x), max(0, top - more_y), min(size[0], right + more_x), min(size[1], bottom + more_y)


def _head(size: tuple[int, int], share: Share) -> Region:
    """Where a person's head may be: the upper part of one who stands, otherwise anywhere in the box."""
    if not all(math.isfinite(side) for side in share) or share[0] >= share[2] or share[1] >= share[3]:
        raise ValueError(f"not a box: {share}")
    cut = [min(1.0, max(0.0, side)) for side in share]
    left, right = math.floor(cut[0] * size[0]), math.ceil(cut[2] * size[0])
    top, bottom = math.floor(cut[1] * size[1]), math.ceil(cut[3] * size[1])
    if bottom - top >= UPRIGHT * (right - left):
        return _grown(size, (left, top, right, top + math.ceil((bottom - top) * 0.35)), 0.15)
    return _grown(size, (left, top, right, bottom), 0.15)


def _blot(picture: Image.Image, region: Region) -> None:
    """Replace a region by the means of a few large patches: what was between them is gone, not hidden."""
    left, top, right, bottom = region
    width, height = right - left, bottom - top
    if width < 1 or height < 1:
        return
    longest = max(width, height)
    cells = max(1, round(MOST_CELLS * width / longest)), max(1, round(MOST_CELLS * height / longest))
    patches = picture.crop(region).resize(cells, Image.Resampling.BOX)
    picture.paste(patches.resize((width, height), Image.Resampling.BICUBIC), (left, top))
