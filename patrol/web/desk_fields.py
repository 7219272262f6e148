"""One field of a step's form: for each form type of `forms.FIELDS`, what the macro draws and what it proposes.

Plain dicts for `_macros/forms.html`. Must not read a form back (`desk_read`) or know which steps there are.
"""

from __future__ import annotations

from typing import Any

from patrol import models as m
from patrol.actions.handle.case import similar_open
from patrol.queries import desk
from patrol.rules import clocks as law
from patrol.rules import forms, lifecycle, rights
from patrol.rules.limits import UNITS
from patrol.rules.problems import PROBLEMS
from patrol.station import Work

UNIT_WORDS = {"minutes": "分钟", "hours": "小时", "duty_minutes": "值班分钟", "duty_hours": "值班小时",
              "working_hours": "工作时", "working_days": "工作日"}  # fmt: skip


def _text(
    work: Work, issue: m.Issue, row: lifecycle.Step, one: dict[str, Any], values: dict[str, Any]
) -> list[dict[str, Any]]:
    if one["name"] == "receiving_body":
        return [one | {"type": "text", "attrs": {"maxlength": "100"}}]
    if one["name"] == "words" and row.name == "assign":
        kept = PROBLEMS[issue.kind].requirement if one["value"] is None else one["value"]
        return [one | {"type": "textarea", "zh": "要求", "value": kept, "hint": "印在交办单上。"}]
    hint = "写给责任单位看的话。" if row.name == "send_back" else ""
    return [one | {"type": "textarea", "hint": hint, "attrs": {"maxlength": "2000"}}]


def _choice(
    work: Work, issue: m.Issue, row: lifecycle.Step, one: dict[str, Any], values: dict[str, Any]
) -> list[dict[str, Any]]:
    choices = dict(forms.FIELDS[one["name"]].choices or {})
    if one["name"] == "finding":
        choices = lifecycle.LOOK_BACK_FINDINGS if row.name == "look_back" else lifecycle.FINDINGS
    if one["name"] == "kind" and one["value"] is None:
        one["value"] = issue.kind
    return [one | {"type": "choice", "options": [{"value": code, "zh": zh} for code, zh in choices.items()]}]


def _bool(
    work: Work, issue: m.Issue, row: lifecycle.Step, one: dict[str, Any], values: dict[str, Any]
) -> list[dict[str, Any]]:
    if one["name"] == "duplicate_answered":
        near = similar_open(work, issue)
        if not near:
            return []
        one |= {"zh": f"看过了，和 {'、'.join(near)} 不是同一件", "need": "没答“可能是同一件”", "required": True}
    if one["name"] == "looked_again" and "still_visible" not in issue.flags:
        return []
    return [one | {"type": "check", "value": bool(one["value"])}]


def _plain(kind: str) -> Any:
    def make(
        work: Work, issue: m.Issue, row: lifecycle.Step, one: dict[str, Any], values: dict[str, Any]
    ) -> list[dict[str, Any]]:
        return [one | {"type": kind}]

    return make


def _outline(
    work: Work, issue: m.Issue, row: lifecycle.Step, one: dict[str, Any], values: dict[str, Any]
) -> list[dict[str, Any]]:
    return [one | {"type": "textarea", "hint": "GeoJSON 多边形（WGS-84），成片的问题才填。"}]


def proposal(work: Work, kind: str, grid: str | None) -> dict[str, Any]:
    """The unit and limit a kind proposes in a grid, and when that would be due if assigned now."""
    limit = PROBLEMS[kind].rectify
    unit = work.place.propose_unit(kind, grid)
    due = limit.due(work.now, work.calendar)
    said = law.say_due(due, work.now, estimated=work.calendar.rests_on_estimate(work.now, due))
    return {"unit": unit.code if unit else "", "amount": limit.amount, "of": limit.unit, "due": said}


def _limit(
    work: Work, issue: m.Issue, row: lifecycle.Step, one: dict[str, Any], values: dict[str, Any]
) -> list[dict[str, Any]]:
    name = one["name"]
    base = proposal(work, values.get("kind") or issue.kind, issue.grid) if name == "limit" else None
    unit = values.get(f"{name}_unit") or (base["of"] if base else PROBLEMS[issue.kind].rectify.unit)
    hint = "工作时按 09–12、14–17 计，午休不算。" if unit.startswith("working") else ""
    amount = one["value"] if one["value"] is not None else (base["amount"] if base else None)
    shown = {"type": "amount", "value": amount, "hint": hint, "attrs": {"min": "0", "step": "any", "inputmode": "decimal"},
             "unit": {"name": f"{name}_unit", "value": unit,
                      "options": [{"value": code, "zh": UNIT_WORDS[code]} for code in UNITS]}}  # fmt: skip
    if base and str(amount) == str(base["amount"]) and unit == base["of"]:
        shown["after"] = base["due"]
    return [one | shown]


def _position(
    work: Work, issue: m.Issue, row: lifecycle.Step, one: dict[str, Any], values: dict[str, Any]
) -> list[dict[str, Any]]:
    if work.place.river is None:
        return []
    shown: list[dict[str, Any]] = []
    if issue.lon is not None and row.name == "assign":
        if not one["required"]:
            return []  # good enough for a slip; `correct` moves a point
        shown.append({"name": "position_same", "type": "check", "value": bool(values.get("position_same")),
                      "zh": "位置核对过了，就用现在这个点", "hint": f"现在误差 ±{issue.accuracy_m or 15:.0f} 米。"})  # fmt: skip
    shown.append({"name": "position_k", "type": "text", "zh": "位置（桩号）", "value": values.get("position_k"),
                  "required": one["required"] and not shown, "placeholder": "K1+240", "attrs": {"autocomplete": "off"},
                  "hint": "在河尺上点一下也行：上半是左岸，下半是右岸。"})  # fmt: skip
    shown.append({"name": "position_bank", "type": "choice", "zh": "岸别", "value": values.get("position_bank"),
                  "options": [{"value": "left", "zh": "左岸"}, {"value": "right", "zh": "右岸"}]})  # fmt: skip
    return shown


def _checklist(
    work: Work, issue: m.Issue, row: lifecycle.Step, one: dict[str, Any], values: dict[str, Any]
) -> list[dict[str, Any]]:
    items = PROBLEMS[issue.kind].checklist
    options = [{"value": item, "zh": item, "hint": f"结案条件 {n}"} for n, item in enumerate(items, 1)]
    return [one | {"type": "checks", "options": options, "value": values.get("checklist") or []}]


def _codes(
    work: Work, issue: m.Issue, row: lifecycle.Step, one: dict[str, Any], values: dict[str, Any]
) -> list[dict[str, Any]]:
    rows = work.session.query(m.Sighting).filter_by(issue_id=issue.id).order_by(m.Sighting.id)
    options = [{"value": seen.ref, "zh": f"{rights.CHANNELS[seen.channel]}：{seen.words[:40] or seen.place_words[:40] or '没写字'}"}
               for seen in rows]  # fmt: skip
    return [one | {"type": "checks", "options": options, "value": values.get(one["name"]) or []}]


def _photos(
    work: Work, issue: m.Issue, row: lifecycle.Step, one: dict[str, Any], values: dict[str, Any]
) -> list[dict[str, Any]]:
    if one["name"] != "release":
        return []
    rows = work.session.query(m.Photo).filter_by(issue_id=issue.id, released=False).order_by(m.Photo.id)
    options = [{"value": photo.ref, "zh": f"{lifecycle.PHOTO_STAGES.get(photo.stage, photo.stage)}照片 {n}",
                "hint": "群众拍的，先看有没有人脸、门牌" if photo.stage == "report" else ""}
               for n, photo in enumerate(rows, 1)]  # fmt: skip
    return [one | {"type": "checks", "options": options, "value": values.get("release") or []}] if options else []


def _unit(
    work: Work, issue: m.Issue, row: lifecycle.Step, one: dict[str, Any], values: dict[str, Any]
) -> list[dict[str, Any]]:
    proposed = work.place.propose_unit(values.get("kind") or issue.kind, issue.grid) if row.name == "assign" else None
    value = one["value"] if one["value"] is not None else (proposed.code if proposed else "")
    options = [
        {"value": "", "zh": "选一个单位"},
        *({"value": code, "zh": unit.name} for code, unit in work.place.units.items()),
    ]
    hint = "按种类和网格推荐。" if proposed and value == proposed.code else ""
    return [one | {"type": "select", "options": options, "value": value, "required": True,
                   "need": "缺责任单位", "hint": hint + desk.unit_words(work, value or None)}]  # fmt: skip


def _units(
    work: Work, issue: m.Issue, row: lifecycle.Step, one: dict[str, Any], values: dict[str, Any]
) -> list[dict[str, Any]]:
    options = [{"value": code, "zh": unit.name} for code, unit in work.place.units.items()]
    return [one | {"type": "checks", "options": options, "value": values.get(one["name"]) or list(issue.assisting)}]


def _person(
    work: Work, issue: m.Issue, row: lifecycle.Step, one: dict[str, Any], values: dict[str, Any]
) -> list[dict[str, Any]]:
    options = [{"value": "", "zh": "选一个人"}]
    for who in desk.persons(work):
        if who["roles"] and who["id"] != work.actor.person_id:
            options.append({"value": str(who["id"]), "zh": f"{who['name']}（{'、'.join(who['roles_zh'])}）"})
    return [one | {"type": "select", "options": options}]


def _issue(
    work: Work, issue: m.Issue, row: lifecycle.Step, one: dict[str, Any], values: dict[str, Any]
) -> list[dict[str, Any]]:
    near = similar_open(work, issue)
    hint = f"近处同类：{'、'.join(near)}" if near else "写问题编号，如 TH-2026-0123。"
    return [one | {"type": "text", "value": one["value"] or (near[0] if len(near) == 1 else ""), "hint": hint,
                   "placeholder": "TH-2026-0123"}]  # fmt: skip


MAKE: dict[str, Any] = {
    "text": _text, "choice": _choice, "bool": _bool, "number": _plain("number"), "date": _plain("date"),
    "limit": _limit, "position": _position, "outline": _outline, "checklist": _checklist, "codes": _codes,
    "photos": _photos, "unit": _unit, "units": _units, "person": _person, "issue": _issue,
}  # fmt: skip
