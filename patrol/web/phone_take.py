"""What both ways in from a phone share, the form of a page and the outbox: the step taken with every fault named at
once, and the quick report as the one intake door reads it.
"""

from __future__ import annotations

from typing import Any

from patrol import models as m
from patrol.actions import handle
from patrol.errors import BadInput, Fault
from patrol.rules.problems import PROBLEMS
from patrol.station import Work
from patrol.web import phone_forms
from patrol.web.access import station
from patrol.web.phone_steps import PHOTO_CODES


def act(
    work: Work, row: m.Issue, step: str, body: dict[str, Any], version: int | None, faults: list[Fault]
) -> dict[str, Any]:
    """Take the step, or name everything that is wrong with it at once."""
    try:
        result = handle.act(work, row.number, step, body, version)
    except BadInput as bad:
        photo_told = any(fault.where == "photo" for fault in faults)
        for fault in bad.faults:
            where = phone_forms.field_of(fault)
            if fault.where in PHOTO_CODES and photo_told:
                continue  # a photo that could not be taken is named already
            if not any(told.where == where for told in faults):
                faults.append(Fault(where, fault.code, fault.sentence))
    if faults:
        raise BadInput(faults)
    return {"issue": row.number, "step": step, "asked": result.request is not None, "version": result.issue.version}


def report_body(sent: dict[str, Any]) -> dict[str, Any]:
    """The report as the one intake door reads it, every gap named at once."""
    faults: list[Fault] = []
    raw: dict[str, Any] = {}
    try:
        position = phone_forms.read_position(sent, "position", station().place)
        if position is not None:
            raw["position"] = position
    except BadInput as bad:
        faults += bad.faults
    if sent.get("read_as") == "gcj02" and raw.get("position", {}).get("crs") == "wgs84":
        raw["position"] = {**raw["position"], "crs": "gcj02"}
    if sent.get("read_as") == "wgs84":
        raw["place_sure"] = True
    for name in ("words", "place_words", "client_id", "seen_at", "kind"):
        if str(sent.get(name) or "").strip():
            raw[name] = sent[name]
    if raw.get("kind") not in PROBLEMS:
        faults.append(Fault("kind", "kind", "还没选：是什么。"))
    if "position" not in raw and "place_words" not in raw and not any(f.where == "position" for f in faults):
        faults.append(Fault("position", "place", "还没有位置：打开定位，或填桩号、地名。"))
    if faults:
        raise BadInput(faults)
    return raw
