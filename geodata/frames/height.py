"""How high the camera stands over the zero of the ground that is asked about, and how sure that is.

A height over one zero is never mixed with a ground over another: where the file has no height of the
ground's kind there is none, and the reason is said.
"""

from __future__ import annotations

from dataclasses import dataclass

from geodata.frames.metadata import FrameMeta, Remark
from geodata.frames.terrain import Terrain

TAKEOFF_M, TAKEOFF_RTK_M = 1.5, 0.5
SEA_LEVEL_LEAST_M = 3.0


@dataclass(frozen=True)
class Height:
    """Metres over the ground's zero and their 1-sigma error, or None and the remark that says why."""

    height_m: float | None
    sigma_m: float = 0.0
    remark: Remark | None = None


def height_over(meta: FrameMeta, terrain: Terrain | None, rtk: bool) -> Height:
    """The camera's height over the zero that `terrain` counts from, or over take-off without one.

    Over the ellipsoid only an RTK altitude counts; over sea level only one that a rig states with its own
    error, never a drone's mix of barometer and satellites, which was seen tens of metres off.

    >>> height_over(FrameMeta(10, 10, "JPEG", relative_altitude_m=40.0), None, rtk=False).height_m
    40.0
    """
    datum = "takeoff" if terrain is None else terrain.datum
    if datum == "takeoff":
        if meta.relative_altitude_m is None:
            return Height(None, remark=("no_height", "照片没有相对高度，无法推算地面位置，只能给出相机所在位置。"))
        return Height(meta.relative_altitude_m, TAKEOFF_RTK_M if rtk else TAKEOFF_M)
    altitude = meta.absolute_altitude_m
    if datum == "ellipsoid" and altitude is not None and meta.altitude_type == "RtkAlt":
        return Height(altitude, max(meta.rtk_std_height_m or 0.0, TAKEOFF_RTK_M))
    own = meta.height_accuracy_m
    if datum == "sea_level" and altitude is not None and own is not None and "absolute_altitude" not in meta.provenance:
        return Height(altitude, max(own, SEA_LEVEL_LEAST_M))
    zero = "椭球面" if datum == "ellipsoid" else "海平面"
    return Height(
        None,
        remark=("height_of_another_zero", f"地面高程从{zero}起算，照片里没有可用的同类高度，只能给出相机所在位置。"),
    )
