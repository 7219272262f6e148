"""What one file of a flight shows: where the camera was, what ground it saw, what was recognised on it.

Reads the file and the place, nothing else: no database, no decision about what people hear of.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import numpy as np
from shapely.geometry import mapping

from geodata.bands.grid import PoseGrid
from geodata.bands.tiff import inspect_tiff
from geodata.errors import GeoErrors
from geodata.frames import look as pixels
from geodata.frames import trust
from geodata.frames.camera import camera_for
from geodata.frames.ellipse import CHI2_90, ce90_m
from geodata.frames.locate import locate
from geodata.frames.metadata import FrameMeta, read_frame
from geodata.frames.project import Pose
from geodata.logs import read_log
from geodata.place import Place
from patrol.actions.flights.found import Found
from patrol.actions.flights.plumes import with_heads

if TYPE_CHECKING:
    from geodata.bands.describe import Detection as Recognition
    from geodata.recognise import Recognised

CE90_RATIO = CHI2_90**0.5
RASTER_SIGMA_M = 1.5  # of a georeferenced raster that states no accuracy of its own


@dataclass(frozen=True)
class Reading:
    """What a file says and shows; the columns of a frame, plus what was recognised."""

    kind: str
    taken_at: datetime | None = None
    taken_words: str | None = None
    lon: float | None = None
    lat: float | None = None
    ce90_m: float | None = None
    method: str | None = None
    pose: dict[str, Any] | None = None
    footprint: dict[str, Any] | None = None
    footprint_ce90_m: float | None = None
    faults: list[dict[str, str]] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    found: tuple[Found, ...] = ()
    meta: FrameMeta | None = field(default=None, repr=False)


def look_at(path: Path, kind: str, place: Place, zone: str = "", *, pixels_too: bool = True) -> Reading:
    """Read one photo, band or raster of a flight. Raises GeoError with a sentence for what cannot be read.

    `pixels_too` False leaves out what a photo's own pixels say of its quality (`quality_of`).
    """
    if kind in ("band", "raster") and samples_of(path) > 1:
        return look_at_raster(path, place)
    reading = look_at_frame(read_frame(path), kind, zone)
    if kind != "photo" or not pixels_too:
        return reading
    return replace(reading, facts={**reading.facts, **quality_of(path)})


def quality_of(path: Path) -> dict[str, Any]:
    """What a photo's pixels say of its quality: too soft, too dark, too flat."""
    return {"look": asdict(pixels.look_at(path))}


def samples_of(path: Path) -> int:
    """Bands of a TIFF; raises GeoError for one that is broken or cut short."""
    bones, faults = inspect_tiff(path)
    if bones is None:
        raise faults[0] if len(faults) == 1 else GeoErrors(faults)
    return bones.samples


def look_at_frame(meta: FrameMeta, kind: str, zone: str = "") -> Reading:
    """A frame's place, attitude and footprint, by the best means it offers."""
    answer = locate(meta)
    camera, point = answer["camera"], answer["points"][0]
    at = meta.taken_at
    if at is None and meta.taken_local and zone:
        at = datetime.fromisoformat(meta.taken_local).replace(tzinfo=ZoneInfo(zone))
    pose = None
    if meta.gimbal_pitch_deg is not None:
        pose = {
            "yaw_deg": meta.gimbal_yaw_deg, "pitch_deg": meta.gimbal_pitch_deg, "roll_deg": meta.gimbal_roll_deg,
            "relative_altitude_m": meta.relative_altitude_m,
        }  # fmt: skip
    return Reading(
        kind=kind, taken_at=at, taken_words=None if at else meta.taken_local, lon=camera["lon"], lat=camera["lat"],
        ce90_m=camera["ce90_m"], method=answer["method"], pose=pose, footprint=answer["footprint"],
        footprint_ce90_m=point["ce90_m"] if answer["footprint"] else None, faults=answer["warnings"],
        facts={"width_px": meta.width_px, "height_px": meta.height_px, "make": meta.make, "model": meta.model,
               "notes": [note["code"] for note in answer["notes"]]},
        meta=meta,
    )  # fmt: skip


def look_at_raster(path: Path, place: Place) -> Reading:
    """A georeferenced multiband raster: recognised whole, its valid extent as footprint."""
    from geodata.bands.raster import open_raster
    from geodata.recognise import recognise

    reading = _recognised(recognise(path, place=place), "raster")
    return replace(reading, found=with_heads(open_raster(path), place, reading.found))


def look_at_stack(members: Sequence[tuple[Path, str]], place: Place) -> Reading:
    """The aligned bands of one exposure: recognised in the picture, placed by its pose."""
    from geodata.bands.capture import load
    from geodata.bands.grouping import group
    from geodata.bands.raster import Held
    from geodata.recognise import recognise_stack

    grouped = group(members)
    if grouped.refused:
        raise grouped.refused[0][1]
    stack = load(grouped.captures[0])
    meta = read_frame(Path(str(stack.meta["reference"])))
    frame = look_at_frame(meta, "stack")
    camera = camera_for(meta)
    if camera is None or frame.pose is None or frame.lon is None or frame.lat is None or frame.footprint is None:
        warned = [*frame.faults, {"code": "not_placed", "sentence": "这组多光谱照片没有位置或姿态，没有识别。"}]
        return replace(frame, faults=warned)
    pose = Pose(meta.gimbal_yaw_deg or 0.0, meta.gimbal_pitch_deg or 0.0, meta.gimbal_roll_deg or 0.0,
                meta.relative_altitude_m or 0.0)  # fmt: skip
    grid = PoseGrid(camera, pose, frame.lon, frame.lat, sigma=trust.pose_sigma(meta, camera, ground_given=False))
    seen = _recognised(recognise_stack(stack, grid, place=place), "stack")
    faults = [*frame.faults, *seen.faults, *({"code": code, "sentence": words} for code, words in stack.warnings)]
    found = with_heads(Held(stack, grid), place, seen.found)
    return replace(frame, faults=faults, facts={**frame.facts, **seen.facts}, found=found)


def look_at_log(path: Path, place: Place, zone: str) -> Reading:
    """A flight's log: which words it speaks, from when to when, what is doubtful in it."""
    west, south, east, north = place.bounds
    near = ((west + east) / 2, (south + north) / 2)
    track = read_log(path, zone=zone or None, near=near)
    faults = [{"code": each.code, "sentence": each.sentence} for each in track.remarks]
    facts = {
        "start_at": track.start_at.isoformat() if track.start_at else None,
        "points": len(track),
        "dialect": track.dialect,
        "zone": track.zone,
        "timed": track.timed,
    }
    return Reading(kind="log", method="log", faults=faults[:50], facts=facts)


def groups_of(files: Iterable[tuple[Path, str]]) -> list[list[Path]]:
    """Single-band files of each exposure, by where they lie; files that cannot be read are left out."""
    from geodata.bands.grouping import group

    return [[tags.path for tags in capture.files] for capture in group(files).captures if len(capture.files) > 1]


def _recognised(seen: Recognised, kind: str) -> Reading:
    facts = {
        "bands": list(seen.bands), "pixels": seen.pixels, "seconds": round(seen.seconds, 3),
        "water_area_m2": round(seen.water_area_m2, 1), "rules": seen.rules_hash, "rules_version": seen.rules_version,
    }  # fmt: skip
    return Reading(
        kind=kind, method="raster", footprint=mapping(seen.seen), footprint_ce90_m=round(CE90_RATIO * RASTER_SIGMA_M, 2),
        faults=[{"code": "recognition", "sentence": sentence} for sentence in seen.warnings], facts=facts,
        found=tuple(_found(each) for each in seen.detections),
    )  # fmt: skip


def _found(each: Recognition) -> Found:
    spread = each.covariance_m2 if each.covariance_m2 is not None else np.eye(2) * RASTER_SIGMA_M**2
    return Found(
        kind=each.kind, score=each.score, by=f"rules:{each.rules_hash}", lon=each.lon, lat=each.lat,
        cov_en_m2=spread.tolist(), ce90_m=round(ce90_m(spread), 3), outline=each.geometry, area_m2=round(each.area_m2, 2),
        facts={**each.stats, "rule": each.rule}, warnings=each.warnings,
    )  # fmt: skip
