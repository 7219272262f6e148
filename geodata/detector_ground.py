"""Boxes of a detector in a frame -> places on the ground, and what the fishing rules say of each.

A thing stands where it touches the ground: seen from above that is the box's middle, seen from the side the
middle of its lower edge. It detects nothing and remembers nothing (`detector`, `episodes`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from geodata.detector import Box
from geodata.episodes import Sight
from geodata.frames.locate import locate
from geodata.frames.metadata import FrameMeta
from geodata.season import Season, Verdict

STEEP_DEG = 75.0
"""From this depression on a view counts as from above."""


@dataclass(frozen=True)
class Placed:
    """A box and where it stands: WGS-84 degrees, radius of the 90 % circle; None where that cannot be told."""

    box: Box
    lon: float | None
    lat: float | None
    ce90_m: float | None
    method: str

    @property
    def sight(self) -> Sight | None:
        """As a sighting for `episodes`; a camera's own place is not the thing's, so it is none."""
        if self.lon is None or self.lat is None or self.method not in ("pose", "laser"):
            return None
        return Sight(self.box.cls, self.lon, self.lat, self.ce90_m, self.box.score)


def foot_px(box: Box, depression_deg: float | None) -> tuple[float, float]:
    """The pixel where a thing meets the ground; between a view from above and one from the side, in between.

    >>> foot_px(Box("person", 0.9, 10, 20, 20, 60), 90.0), foot_px(Box("person", 0.9, 10, 20, 20, 60), 30.0)
    ((15.0, 40.0), (15.0, 60.0))
    """
    middle = (box.y0 + box.y1) / 2
    flat = 1.0
    if depression_deg is not None and depression_deg > 45.0:
        flat = max(0.0, (STEEP_DEG - depression_deg) / (STEEP_DEG - 45.0))
    return (box.x0 + box.x1) / 2, middle + flat * (box.y1 - middle)


def placed(
    photo: str | Path | bytes | FrameMeta, boxes: Sequence[Box], ground_z_m: float | None = None
) -> tuple[list[Placed], dict[str, Any]]:
    """Where the boxes of a frame stand, and `locate`'s answer about the frame (camera, warnings, notes).

    Boxes are in pixels of the stored picture. `ground_z_m` as in `locate`, which also says what is raised.

    >>> frame = FrameMeta(4000, 3000, "JPEG", lon=112.18, lat=30.35, relative_altitude_m=50.0,
    ...                   focal_35mm=24.0, gimbal_yaw_deg=0.0, gimbal_pitch_deg=-90.0, gimbal_roll_deg=0.0)
    >>> found, _ = placed(frame, [Box("boat", 0.8, 1950, 1480, 2050, 1520)])
    >>> round(found[0].lon, 6), found[0].method
    (112.18, 'pose')
    """
    about = locate(photo, [], "auto", ground_z_m)
    if not boxes:
        return [], about
    pitch = about["camera"]["pitch_deg"]
    depression = None if pitch is None else math.degrees(math.asin(math.sin(math.radians(-pitch))))
    width, height = about["camera"]["width_px"], about["camera"]["height_px"]
    feet = [foot_px(box, depression) for box in boxes]
    pixels = [(min(max(x, 0.0), width), min(max(y, 0.0), height)) for x, y in feet]
    about = locate(photo, pixels, "auto", ground_z_m)
    found = [
        Placed(box, point["lon"], point["lat"], point.get("ce90_m"), point["method"])
        for box, point in zip(boxes, about["points"], strict=True)
    ]
    return found, about


def judged(found: Sequence[Placed], season: Season, at: datetime) -> list[Verdict | None]:
    """What the fishing rules say of each; None where its place is not known."""
    verdicts: list[Verdict | None] = []
    for one in found:
        sight = one.sight
        verdicts.append(None if sight is None else season.judge(sight.lon, sight.lat, sight.ce90_m, at, sight.kind))
    return verdicts
