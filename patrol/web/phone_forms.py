"""The forms of the phone's steps: which fields in which order, what is missing, and the values read back.

What a step may carry and needs is said by `patrol.rules`; here is only how a small screen asks for it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from geodata.errors import GeoError
from geodata.place import Place
from patrol.errors import BadInput, Fault
from patrol.rules import forms, lifecycle
from patrol.rules.calendar import local
from patrol.rules.forms import FIELDS, FieldFault
from patrol.rules.limits import UNITS
from patrol.rules.problems import PROBLEMS
from patrol.station import Work
from patrol.web import fields
from patrol.web.phone_steps import ANSWERED_BY, LABELS, PAGES, SHORT_FINDINGS, Page

TYPED_ACCURACY_M = 50.0  # a chainage typed by hand is read off a mark, not measured
OFF_CENTRE_M = 15.0  # where a typed bank lies beside the centreline
_MARK = re.compile(r"\s*[Kk]?\s*(\d{1,3})\s*\+\s*(\d{1,3})\s*(左|右)?岸?\s*")
ANSWERS = {"1": True, "0": False}


def page_of(step: str, *, as_grid: bool) -> Page | None:
    """The form of a step; the office's half of supervise is a form of its own."""
    return PAGES.get("confirm" if step == "supervise" and not as_grid else step)


def bars(page: Page, option: Mapping[str, Any]) -> list[str]:
    """What keeps the step from being taken now, whatever is filled in."""
    shown = {"position" if name == "position_new" else name for name in page.fields}
    shown |= {"photo"} if page.photo else set()
    return [lack["sentence"] for lack in option["missing"] if ANSWERED_BY.get(lack["code"]) not in shown]


def stage_of(step: str, finding: str | None) -> str:
    """The stage that a photo sent with this step carries."""
    row = lifecycle.row_for(step, finding if step == "supervise" else None)
    if row is not None and row.stage is not None:
        return row.stage
    return step if step in lifecycle.PHOTO_STAGES else "check"


def field_of(fault: Fault) -> str:
    """The field of the form that a fault of the law belongs to."""
    name = fault.where.strip("/").split("/")[0]
    return ANSWERED_BY.get(name, name)


@dataclass
class Asked:
    """What a form is filled with: values as typed, faults by field."""

    values: Mapping[str, Any] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)


def fields_of(
    work: Work, kind: str, step: str, page: Page, option: Mapping[str, Any], clocks: Iterable[Mapping[str, Any]],
    asked: Asked,
) -> list[dict[str, Any]]:  # fmt: skip
    """The form's fields for the macros of templates/_macros/forms.html."""
    lacking = {ANSWERED_BY[lack["code"]]: lack for lack in option["missing"] if lack["code"] in ANSWERED_BY}
    said = {fault.where: fault.sentence for fault in asked.faults}
    found = []
    for name in (*page.fields, *(("photo",) if page.photo and "photo" not in page.fields else ())):
        if name == "looked_again" and "looked_again" not in lacking:
            continue
        if step in ("receive", "close") and name == "photo" and "photo" not in lacking:
            continue  # a paper unit's receipt, a thing seen again: else nothing to show
        one = _field(work, kind, step, name, clocks, asked.values)
        one |= {"zh": LABELS.get(name, one["zh"]), "value": asked.values.get(name, one.get("value"))}
        one["required"] = name == "found" or (name in lacking and name != "kind")  # another place will do too
        if one["required"] and name in lacking:
            one["need"] = lacking[name]["sentence"]
        if name in said:
            one["fault"] = said[name]
        found.append(one)
    return found


def _field(
    work: Work,
    kind: str,
    step: str,
    name: str,
    clocks: Iterable[Mapping[str, Any]],
    values: Mapping[str, Any],
) -> dict[str, Any]:
    one: dict[str, Any] = {"name": name, "zh": FIELDS[name].zh if name in FIELDS else name, "type": "text"}
    if name in ("position", "position_new"):
        return one | {"zh": "我的位置" if name == "position" else "新位置", "type": "position"}
    if name == "photo":
        return one | {"type": "photos", "least": "finding=false:2" if step == "supervise" else "",
                      "unless": "reason" if step == "check" else ""}  # fmt: skip
    if name in ("words", "reason"):
        rows: dict[str, Any] = {"rows": 3, "maxlength": 2000}
        if step == "supervise" and name == "reason":
            rows |= {"data-only-if": "finding=false", "data-need": "缺原因：不属实的请写一句。"}
            one["optional"] = False
        hints = {("check", "reason"): "拍不了照片，或没看到时写", ("supervise", "reason"): "不属实的要写原因"}
        return one | {"type": "textarea", "attrs": rows, "hint": hints.get((step, name))}
    if name == "found":
        return one | {
            "type": "picks",
            "options": [{"value": "1", "zh": "看到了"}, {"value": "0", "zh": "没看到"}],
        }
    if name == "finding":
        choices = SHORT_FINDINGS if step == "supervise" else lifecycle.LOOK_BACK_FINDINGS
        return one | {"type": "picks", "options": _options(choices)}
    if name == "kind":
        others = {code: row.zh for code, row in PROBLEMS.items() if code != kind}
        return one | {"type": "choice", "zh": "改成哪一种", "options": _options(others)}
    if name in ("condition", "against"):
        return one | {"type": "choice", "options": _options(FIELDS[name].choices or {})}
    if name == "checklist":
        return one | {
            "type": "checks",
            "options": _options({item: item for item in PROBLEMS[kind].checklist}),
        }
    if name in ("on_site", "looked_again"):
        return one | {"type": "switch"}
    if name == "review_on":
        today = local(work.now).date()
        last = today + timedelta(days=lifecycle.MAX_SUSPEND_DAYS)
        return one | {
            "type": "date",
            "attrs": {"min": (today + timedelta(days=1)).isoformat(), "max": last.isoformat()},
        }
    if name == "by":
        return one | _by(clocks, values)
    return one | {"type": "number", "attrs": {"min": "0", "inputmode": "decimal", "step": "any"}}


def _options(choices: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"value": value, "zh": zh} for value, zh in choices.items()]


def _by(clocks: Iterable[Mapping[str, Any]], values: Mapping[str, Any]) -> dict[str, Any]:
    """How much longer, in a unit that counts the same time as the limit itself."""
    rectify = [row for row in clocks if row["name"] == "rectify"]
    unit = rectify[-1]["unit"] if rectify else "hours"
    known = {"working_hours": "工作时", "working_days": "工作日"} if unit.startswith("working") else {"hours": "小时"}
    chosen = values.get("by_unit") or (unit if unit in known else next(iter(known)))
    hint = f"原时限 {rectify[-1]['limit']}，延期合计不超过一倍" if rectify else None
    return {"type": "amount", "unit": {"name": "by_unit", "value": chosen, "options": _options(known)}, "hint": hint,
            "attrs": {"min": "0", "step": "any", "inputmode": "decimal"}}  # fmt: skip


# ---------------------------------------------------------------- reading back


def read(step: str, page: Page, sent: Mapping[str, Any], place: Place) -> tuple[dict[str, Any], list[Fault]]:
    """The step's body from what the form sent, and every fault; a value with a fault is left out."""
    body: dict[str, Any] = {}
    faults: list[Fault] = []
    for name in page.fields:
        if name in ("position", "position_new"):
            _read_position(body, faults, name, sent, place)
        elif name != "photo":
            raw = _raw(name, sent, faults)
            if raw is None:
                continue
            try:
                FIELDS[name].read(raw)
            except FieldFault as fault:
                faults.append(Fault(name, "bad_value", f"{LABELS.get(name, FIELDS[name].zh)}：{fault}"))
            else:
                body[name] = raw
    for name in ("client_id", "at_claimed"):
        if sent.get(name):
            body[name] = sent[name]
    fields.read_model(fields.StepIn, {name: body[name] for name in fields.StepIn.model_fields if name in body})
    return body, faults


def _raw(name: str, sent: Mapping[str, Any], faults: list[Fault]) -> Any:
    """One field as `patrol.rules.forms` reads it; None where the form says nothing."""
    value = sent.get(name)
    if name == "checklist":
        return dict.fromkeys(value, True) if value else None
    if value is None or not str(value).strip():
        return None
    form = FIELDS[name].form
    if form == "bool":
        return ANSWERS.get(value, value)
    if form in ("number", "limit"):
        try:
            number = float(value)
        except ValueError:
            faults.append(Fault(name, "not_a_number", f"{LABELS.get(name, FIELDS[name].zh)}：要写数。"))
            return None
        unit = sent.get("by_unit")
        return number if form == "number" else {"amount": number, "unit": unit if unit in UNITS else "hours"}
    return str(value)


def _read_position(body: dict[str, Any], faults: list[Fault], name: str, sent: Mapping[str, Any], place: Place) -> None:
    try:
        position = read_position(sent, name, place)
    except BadInput as bad:
        faults.extend(bad.faults)
        return
    if position is not None:
        body["position"] = position


def read_position(sent: Mapping[str, Any], name: str, place: Place) -> dict[str, Any] | None:
    """The phone's own fix, or else a chainage typed by hand; None where neither was given."""
    lon, lat = sent.get("lon", ""), sent.get("lat", "")
    if lon and lat:
        try:
            given = {"lon": float(lon), "lat": float(lat), "crs": "wgs84"}
            if sent.get("accuracy_m"):
                given["accuracy_m"] = float(sent["accuracy_m"])
            fields.read_model(fields.PositionIn, given)
            return forms.read_position(given)
        except (ValueError, BadInput):
            raise BadInput(Fault(name, "bad_position", "定位读不出来，请重新定位或填桩号。")) from None
    typed = str(sent.get(name) or "").strip()
    return typed_position(typed, name, place) if typed else None


def typed_position(typed: str, name: str, place: Place) -> dict[str, Any]:
    """K1+240 左岸 as a position; its accuracy is that of reading a mark."""
    mark = _MARK.fullmatch(typed)
    if mark is None or place.river is None:
        raise BadInput(Fault(name, "bad_mark", "桩号要写成 K1+240 左岸 这样。"))
    chainage_m = int(mark[1]) * 1000 + int(mark[2].ljust(3, "0") if len(mark[2]) < 3 else mark[2])
    off_m = OFF_CENTRE_M if mark[3] else 0.0
    try:
        lon, lat = place.river.point_at(float(chainage_m), off_m, "right" if mark[3] == "右" else "left")
    except GeoError as error:
        raise BadInput(Fault(name, error.code, error.sentence)) from None
    return {"lon": round(lon, 7), "lat": round(lat, 7), "crs": "wgs84", "accuracy_m": TYPED_ACCURACY_M}
