"""A step's form read back into the body its door takes, every fault kept so that all are named at once.

Must not decide what a step needs: `lacks` asks the law.
"""

from __future__ import annotations

import json
import re
from typing import Any

from patrol import models as m
from patrol.actions.handle.case import gather
from patrol.errors import Fault
from patrol.rules import evidence, forms, lifecycle
from patrol.rules.limits import Limit
from patrol.rules.problems import PROBLEMS
from patrol.station import Work

K_MARK = re.compile(r"[Kk]?\s*(\d{1,2})\s*[+＋]\s*(\d{1,3}(?:\.\d+)?)|(\d{1,5}(?:\.\d+)?)", re.ASCII)


def read(work: Work, issue: m.Issue, row: lifecycle.Step, parts: dict[str, Any]) -> tuple[dict[str, Any], list[Fault]]:
    """The body of the step's door from a form's parts, and what could not be read."""
    body: dict[str, Any] = {}
    faults: list[Fault] = []
    for name in forms.fields_of(row):
        kind = forms.FIELDS[name].form
        try:
            value = _value(work, issue, name, kind, parts)
        except ValueError as bad:
            faults.append(Fault(name, "bad_value", str(bad)))
            continue
        if value is not None:
            body[name] = value
    if "limit" in body and body.get("kind", issue.kind) != (parts.get("limit_for") or issue.kind):
        shown = PROBLEMS[parts["limit_for"]].rectify if parts["limit_for"] in PROBLEMS else None
        if shown is not None and body["limit"] == shown.to_json():
            del body["limit"]  # the kind was changed after the form was drawn: the new kind's own limit holds
    if row.final and not parts.get("sure"):
        faults.append(Fault("sure", "sure", "办完不能撤回，先勾上确认。"))
    return body, faults


def _value(work: Work, issue: m.Issue, name: str, kind: str, parts: dict[str, Any]) -> Any:
    if kind == "position":
        return _read_position(work, issue, parts)
    raw = parts.get(name)
    if kind == "bool":
        return True if raw else (False if name == "found" else None)
    if kind == "limit":
        return _read_limit(raw, parts.get(f"{name}_unit"), forms.FIELDS[name].zh)
    if isinstance(raw, list):
        kept = [one for one in raw if one]
        return (dict.fromkeys(kept, True) if kind == "checklist" else kept) if kept else None
    text = (raw or "").strip()
    if not text:
        return None
    if kind == "number":
        return _number(text, forms.FIELDS[name].zh)
    if kind == "person":
        return int(_number(text, forms.FIELDS[name].zh))
    if kind == "outline":
        return _read_json(text)
    return text.upper() if kind == "issue" else text


def _number(text: str, zh: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{zh}要写数字。") from None


def _read_json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        raise ValueError("范围要用 GeoJSON 的 Polygon 或 MultiPolygon（WGS-84）。") from None


def _read_limit(raw: str | None, unit: str | None, zh: str) -> dict[str, Any] | None:
    text = (raw or "").strip()
    if not text:
        return None
    amount = _number(text, zh)
    try:
        return Limit(amount, unit or "hours").to_json()  # type: ignore[arg-type]  # Limit itself refuses other units
    except ValueError:
        raise ValueError(f"{zh}要大于 0，单位从列表里选。") from None


def _read_position(work: Work, issue: m.Issue, parts: dict[str, Any]) -> dict[str, Any] | None:
    river = work.place.river
    text = (parts.get("position_k") or "").strip()
    if not text:
        if parts.get("position_same") and issue.lon is not None:
            return {"lon": issue.lon, "lat": issue.lat, "crs": "wgs84", "accuracy_m": issue.accuracy_m or 15.0}
        return None
    match = K_MARK.fullmatch(text)
    if match is None or river is None:
        raise ValueError("桩号要写成 K1+240 这样。")
    chainage_m = float(match[3]) if match[3] else int(match[1]) * 1000 + float(match[2])
    if chainage_m > river.length_m:
        raise ValueError(f"桩号超出本河段，最大 {river.words(river.length_m)}。")
    bank = parts.get("position_bank")
    if bank not in ("left", "right"):
        raise ValueError("写了桩号还要选左岸还是右岸。")
    off_m = (
        river.chainage_of(issue.lon, issue.lat).offset_m if issue.lon is not None and issue.lat is not None else 10.0
    )
    lon, lat = river.point_at(chainage_m, min(off_m, 60.0), bank)
    return {"lon": lon, "lat": lat, "crs": "wgs84", "accuracy_m": 15.0}


def lacks(work: Work, issue: m.Issue, row: lifecycle.Step, body: dict[str, Any]) -> list[Fault]:
    """What the law still misses in a body, for naming it beside what could not be read."""
    values, bad = forms.read_body(forms.fields_of(row), body)
    found = [Fault(name, "bad_value", sentence) for name, sentence in bad]
    case, _ = gather(work, issue, row, values)
    return found + [Fault(lack.code, lack.code, lack.sentence) for lack in evidence.lacks(row, case)]
