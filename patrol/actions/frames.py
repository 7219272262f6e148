"""A drone frame with a marked box becomes a drone sighting: the box's corners are projected to the ground.

Flights, recognition and coverage are not here; a round is a number on the sighting.
"""

from __future__ import annotations

import math
import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from geodata.errors import GeoError, GeoErrors
from geodata.frames.locate import locate
from patrol.actions.photos import Shot
from patrol.actions.report import Draft
from patrol.errors import BadInput, Fault
from patrol.rules.forms import FieldFault, read_moment

_KEYS = {"client_id", "kind", "score", "box", "round", "flight", "words", "seen_at", "ground_z_m", "method"}


@dataclass(frozen=True)
class Mark:
    """A box on a frame, pixels from the upper left of the stored picture: left, top, right, bottom."""

    client_id: str
    kind: str
    score: float
    box: tuple[float, float, float, float]
    round_no: int | None = None
    flight: str | None = None
    words: str = ""
    seen_at: datetime | None = None
    ground_z_m: float | None = None
    method: str = "auto"


def read_mark(raw: dict[str, Any]) -> Mark:
    """The mark of a frame, with every fault at once."""
    faults = [Fault(f"/mark/{name}", "unknown_field", "不认识这一项。") for name in raw if name not in _KEYS]
    box, score, seen_at = raw.get("box"), raw.get("score"), None
    if not (isinstance(box, list) and len(box) == 4 and all(_number(v) for v in box)) or not (
        box[0] < box[2] and box[1] < box[3]
    ):
        faults.append(Fault("/mark/box", "box", "box 要写 [左, 上, 右, 下] 四个像素数，左小于右、上小于下。"))
    if not (_number(score) and 0 <= float(score or 0) <= 1):
        faults.append(Fault("/mark/score", "score", "score 要写 0 到 1 的数。"))
    if not isinstance(raw.get("kind"), str):
        faults.append(Fault("/mark/kind", "kind", "缺问题种类 kind。"))
    if raw.get("round") is not None and not (isinstance(raw["round"], int) and raw["round"] > 0):
        faults.append(Fault("/mark/round", "round", "round 要写正整数。"))
    if raw.get("method", "auto") not in ("auto", "laser", "pose"):
        faults.append(Fault("/mark/method", "method", "method 可选 auto、laser、pose。"))
    if raw.get("ground_z_m") is not None and not _number(raw["ground_z_m"]):
        faults.append(Fault("/mark/ground_z_m", "ground", "ground_z_m 要写数（相对起飞点的米数）。"))
    for name, most in (("flight", 64), ("words", 2000)):
        if raw.get(name) is not None and not (isinstance(raw[name], str) and len(raw[name]) <= most):
            faults.append(Fault(f"/mark/{name}", name, f"{name} 要写不超过 {most} 字的文字。"))
    try:
        client_id = str(uuid.UUID(str(raw.get("client_id") or uuid.uuid4())))
    except ValueError:
        client_id = ""
        faults.append(Fault("/mark/client_id", "not_uuid", "client_id 要写 UUID。"))
    if raw.get("seen_at") is not None:
        try:
            seen_at = read_moment(raw["seen_at"])
        except FieldFault as fault:
            faults.append(Fault("/mark/seen_at", "bad_time", str(fault)))
    if faults:
        raise BadInput(faults)
    left, top, right, bottom = (float(v) for v in box or ())
    return Mark(client_id, raw["kind"], float(score or 0), (left, top, right, bottom), raw.get("round"),
                raw.get("flight"), raw.get("words") or "", seen_at, raw.get("ground_z_m"), raw.get("method", "auto"))  # fmt: skip


def draft_of(mark: Mark, data: bytes, shot: Shot) -> tuple[Draft, dict[str, Any]]:
    """The draft of a drone sighting, and where the box was found on the ground with method and warnings."""
    left, top, right, bottom = mark.box
    middle = ((left + right) / 2, (top + bottom) / 2)
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    try:
        found = locate(data, [middle, *corners], method=mark.method, ground_z_m=mark.ground_z_m)
    except GeoErrors as several:
        raise BadInput([Fault("/photo", each.code, each.sentence) for each in several.faults]) from None
    except GeoError as error:
        raise BadInput(Fault("/photo", error.code, error.sentence)) from None
    point, ring = found["points"][0], found["points"][1:]
    warnings = [each["code"] for each in found["warnings"]]
    if point["lon"] is None:
        raise BadInput(Fault("/photo", "no_position", "这张航片算不出位置：没有坐标、姿态，或框在地平线以上。"))
    outline = None
    if point["method"] in ("pose", "laser") and all(each["lon"] is not None for each in ring):
        path = [[each["lon"], each["lat"]] for each in ring]
        outline = {"type": "Polygon", "coordinates": [[*path, path[0]]]}
    position = {"lon": point["lon"], "lat": point["lat"], "crs": "wgs84", "accuracy_m": point["ce90_m"]}
    seen_at = mark.seen_at or shot.picture.taken_moment()
    draft = Draft(
        channel="drone", kind=mark.kind, client_id=mark.client_id, words=mark.words, position=position,
        method=f"frame:{point['method']}", ellipse=point.get("ellipse"), outline=outline, score=mark.score,
        seen_at=seen_at, flight=mark.flight, frame=shot.sha256[:16], round_no=mark.round_no, shots=(shot,),
        warnings=tuple(warnings),
    )  # fmt: skip
    return draft, {"method": found["method"], "point": point, "warnings": found["warnings"]}


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
