"""The form of a step, made from its row of STEPS and `forms.FIELDS`. `desk_read` reads it back.

One generic form for every step: a new step or field needs no template. Must not decide what a step needs.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from patrol import models as m
from patrol.actions.handle.case import similar_open
from patrol.errors import Fault
from patrol.queries import desk
from patrol.rules import clocks as law
from patrol.rules import forms, lifecycle, rights
from patrol.rules.audience import CARDS
from patrol.rules.limits import UNITS
from patrol.rules.problems import PROBLEMS
from patrol.station import Work
from patrol.web import desk_steps

MANY = ("assisting", "release", "sightings", "checklist")
DANGER = ("dismiss", "transfer", "force_close", "send_back", "supervise_false")
OWN_FIELDS = ("photo", "position_k", "sure", "issue", "to", "from_on", "to_on")
KEPT_WORDS = ("words", "reason")
ORDER = ("", "kind", "position", "lead_unit", "limit", "reason", "words", "duplicate_answered", "assisting", "release",
         "outline")
UNIT_WORDS = {"minutes": "分钟", "hours": "小时", "duty_minutes": "值班分钟", "duty_hours": "值班小时",
              "working_hours": "工作时", "working_days": "工作日"}  # fmt: skip
# a code of what is missing -> the field that gives it
FIELD_OF = {
    "sure_position": "position_k", "position": "position_k", "fix": "position_k", "fix_in_fence": "position_k",
    "moved_position": "position_k", "something_new": "kind", "dismiss_reason": "reason_code", "limit": "limit",
    "appeal_against": "against", "look_back_finding": "finding", "finding_if_grid": "finding", "by": "by",
    "extension_size": "by", "sightings_to_split": "sightings", "reason_if_past_assigned": "reason",
    "photo_or_reason": "photo", "photo_if_moved_30m": "photo", "screenshot_unless_chief": "photo",
    "of_lead_unit_or_signed_receipt": "photo", "own_photo_if_flagged": "photo", "has_before_and_after": "",
    "manifest": "", "not_still_visible": "looked_again", "receipt": "photo", "other_unit": "lead_unit",
    "photo_reused": "photo", "two_photos": "photo",
}  # fmt: skip


@dataclass
class Sent:
    """What a person sent with a form, kept for showing it again; `faults` and `conflict` say why it is shown."""

    step: str
    values: dict[str, Any] = field(default_factory=dict)
    faults: list[Fault] = field(default_factory=list)
    conflict: dict[str, str] | None = None
    status: int = 200

    @property
    def words(self) -> str:
        """The person's own words, so that they can be copied even where the form is gone."""
        return "\n".join(str(self.values[name]) for name in KEPT_WORDS if self.values.get(name))


def row_of(work: Work, issue: m.Issue, verb: str) -> lifecycle.Step | None:
    finding = issue.half1 if verb == "supervise" and not work.actor.has("grid") else None
    return lifecycle.row_for(verb, finding)


def step_form(work: Work, issue: m.Issue, entry: dict[str, Any], sent: Sent | None, back: str = "") -> dict[str, Any]:
    """The inputs of the `step_form` macro for one entry of `handle.may`."""
    row = row_of(work, issue, entry["step"]) or lifecycle.STEPS[entry["step"]]
    values = sent.values if sent else {}
    lacking = {FIELD_OF.get(lack["code"], _field_of_photo(lack["code"])) for lack in entry["missing"]}
    needed = lacking | {FIELD_OF.get(code, code) for code in row.needs if code in forms.FIELDS} - {"limit"}
    shown = [one for name in _names(work, row) for one in _fields(work, issue, row, name, values, needed)]
    if _takes_photos(work, issue, row, "photo" in lacking):
        shown.append(_photo(work, issue, row, "photo" in lacking))
    if row.final:
        shown.append({"name": "sure", "type": "check", "zh": _sure(issue, row), "required": True,
                      "need": "先勾上确认", "value": bool(values.get("sure"))})  # fmt: skip
    shown += [{"name": "back", "type": "hidden", "value": back}, {"name": "limit_for", "type": "hidden", "value": issue.kind}]
    faults = [{"where": anchor(fault), "sentence": fault.sentence} for fault in sent.faults] if sent else []
    asked = lifecycle.APPROVALS[entry["asks"]].zh if entry["asks"] else ""
    title = desk_steps.said(work, issue, entry)
    return {
        "step": entry["step"], "title": title, "action": f"/desk/issues/{issue.number}/steps/{entry['step']}",
        "fields": shown, "button": title if not asked or title.startswith("申请") else f"申请{title}",
        "key": desk_steps.KEYS.get(entry["step"]), "version": issue.version, "busy": f"正在{row.zh}…", "missing": _missing(entry, shown),
        "client_id": values.get("client_id") or str(uuid.uuid4()), "faults": faults,
        "kind": "danger" if row.name in DANGER else "main",
        "note": f"提交后等{asked}批准，批之前状态和时限都不变。" if asked else _note(issue, row),
    }  # fmt: skip


def anchor(fault: Fault) -> str:
    """The field a fault points at; empty where none of the form's fields gives it."""
    where = fault.where.strip("/").split("/")[0]
    where = FIELD_OF.get(where, where)
    where = where if where in forms.FIELDS else _field_of_photo(where)
    return where if where in forms.FIELDS or where in OWN_FIELDS else ""


def _field_of_photo(code: str) -> str:
    return "photo" if "photo" in code else code


def _names(work: Work, row: lifecycle.Step) -> list[str]:
    """The fields a person at the desk fills in, the step's own first."""
    names = [name for name in row.fields if forms.FIELDS[name].form != "hidden"]
    if row.verb == "supervise" and not work.actor.has("grid"):
        names = [name for name in names if name == "on_site" or (name == "reason" and name in row.needs)]
    if "reason" not in names and ("reason" in row.needs or "reason_if_past_assigned" in row.needs):
        names.append("reason")
    if "reason" not in names:
        names.append("words")
    return sorted(names, key=lambda name: ORDER.index(name) if name in ORDER else 0)


def _missing(entry: dict[str, Any], shown: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The box before anything is sent: what the law misses, without what the form already proposes."""
    filled = {one["name"] for one in shown if one.get("value")}
    lacking = [(anchor(Fault(lack["code"], "", "")), lack["sentence"]) for lack in entry["missing"]]
    items = [{"words": words.removesuffix("。"), "href": f"#f-{where}" if where else None, "link": "去填"}
             for where, words in lacking if where not in filled]  # fmt: skip
    return {"title": f"还差 {len(items)} 样", "items": items} if items else None


def _takes_photos(work: Work, issue: m.Issue, row: lifecycle.Step, lacking: bool) -> bool:
    """Whether the form offers a photo: not where the desk only confirms or closes and nothing asks for one."""
    if row.name == "close" or (row.verb == "supervise" and not work.actor.has("grid")):
        return lacking
    return row.stage is not None


def _note(issue: m.Issue, row: lifecycle.Step) -> str:
    if row.name in FOUR_EYES:
        return FOUR_EYES[row.name]
    after = lifecycle.target(row, issue.state)
    to = f"，转{lifecycle.STATES[after]}" if after != issue.state else ""
    return f"填好即出{CARDS[row.slip]}{to}。" if row.slip in CARDS else (f"办好{to.removeprefix('，')}。" if to else "")


FOUR_EYES = {
    "assign": "填好即出问题交办单，推给河湖长群和责任单位。",
    "verify": "您不是报验人、拍照人，也不是责任单位的人，可以验收。合格后由负责人销号。",
    "close": "您不是验收人，可以销号。填好即出销号反馈单，时限都停。",
    "send_back": "退回后整改时限接着走，轮次加一，督办单出新版。",
}  # fmt: skip


def _sure(issue: m.Issue, row: lifecycle.Step) -> str:
    slip = f"，出{CARDS[row.slip]}" if row.slip in CARDS else ""
    return f"确认{row.zh} {issue.number}{slip}，办完不能撤回"


def _photo(work: Work, issue: m.Issue, row: lifecycle.Step, required: bool) -> dict[str, Any]:
    have = unused(work, issue)
    stage = lifecycle.PHOTO_STAGES.get(row.stage or "receipt", "")
    return {
        "name": "photo", "type": "photo", "zh": f"{stage}照片", "multiple": True, "required": required,
        "need": f"缺{stage}照片", "placeholder": "选照片",
        "have": [{"zh": lifecycle.PHOTO_STAGES.get(photo.stage, ""), "at": "已传到",
                  "src": f"/api/v1/issues/{issue.number}/photos/{photo.ref}?size=320"} for photo in have],
        "hint": "已传到的不用再选。" if have else "",
    }  # fmt: skip


def unused(work: Work, issue: m.Issue) -> list[m.Photo]:
    """Photos this person sent for the issue that no step has used yet."""
    mine = work.actor.person_id
    rows = work.session.query(m.Photo).filter_by(issue_id=issue.id, step=None).order_by(m.Photo.id)
    return [row for row in rows if mine is not None and row.person_id == mine]


def _fields(
    work: Work, issue: m.Issue, row: lifecycle.Step, name: str, values: dict[str, Any], needed: set[str]
) -> list[dict[str, Any]]:
    spec = forms.FIELDS[name]
    one: dict[str, Any] = {"name": name, "zh": spec.zh, "value": values.get(name), "required": bool({name, FIELD_OF.get(name)} & needed)}
    make = _MAKE.get(spec.form)
    return make(work, issue, row, one, values) if make else []


def _text(work: Work, issue: m.Issue, row: lifecycle.Step, one: dict[str, Any], values: dict[str, Any]) -> list[dict[str, Any]]:
    if one["name"] == "receiving_body":
        return [one | {"type": "text", "attrs": {"maxlength": "100"}}]
    if one["name"] == "words" and row.name == "assign":
        kept = PROBLEMS[issue.kind].requirement if one["value"] is None else one["value"]
        return [one | {"type": "textarea", "zh": "要求", "value": kept, "hint": "印在交办单上。"}]
    hint = "写给责任单位看的话。" if row.name == "send_back" else ""
    return [one | {"type": "textarea", "hint": hint, "attrs": {"maxlength": "2000"}}]


def _choice(work: Work, issue: m.Issue, row: lifecycle.Step, one: dict[str, Any], values: dict[str, Any]) -> list[dict[str, Any]]:
    choices = dict(forms.FIELDS[one["name"]].choices or {})
    if one["name"] == "finding":
        choices = lifecycle.LOOK_BACK_FINDINGS if row.name == "look_back" else lifecycle.FINDINGS
    if one["name"] == "kind" and one["value"] is None:
        one["value"] = issue.kind
    return [one | {"type": "choice", "options": [{"value": code, "zh": zh} for code, zh in choices.items()]}]


def _bool(work: Work, issue: m.Issue, row: lifecycle.Step, one: dict[str, Any], values: dict[str, Any]) -> list[dict[str, Any]]:
    if one["name"] == "duplicate_answered":
        near = similar_open(work, issue)
        if not near:
            return []
        one |= {"zh": f"看过了，和 {'、'.join(near)} 不是同一件", "need": "没答“可能是同一件”", "required": True}
    if one["name"] == "looked_again" and "still_visible" not in issue.flags:
        return []
    return [one | {"type": "check", "value": bool(one["value"])}]


def _plain(kind: str) -> Any:
    def make(work: Work, issue: m.Issue, row: lifecycle.Step, one: dict[str, Any], values: dict[str, Any]) -> list[dict[str, Any]]:
        return [one | {"type": kind}]

    return make


def _outline(work: Work, issue: m.Issue, row: lifecycle.Step, one: dict[str, Any], values: dict[str, Any]) -> list[dict[str, Any]]:
    return [one | {"type": "textarea", "hint": "GeoJSON 多边形（WGS-84），成片的问题才填。"}]


def proposal(work: Work, kind: str, grid: str | None) -> dict[str, Any]:
    """The unit and limit a kind proposes in a grid, and when that would be due if assigned now."""
    limit = PROBLEMS[kind].rectify
    unit = work.place.propose_unit(kind, grid)
    due = limit.due(work.now, work.calendar)
    said = law.say_due(due, work.now, estimated=work.calendar.rests_on_estimate(work.now, due))
    return {"unit": unit.code if unit else "", "amount": limit.amount, "of": limit.unit, "due": said}


def _limit(work: Work, issue: m.Issue, row: lifecycle.Step, one: dict[str, Any], values: dict[str, Any]) -> list[dict[str, Any]]:
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


def _position(work: Work, issue: m.Issue, row: lifecycle.Step, one: dict[str, Any], values: dict[str, Any]) -> list[dict[str, Any]]:
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


def _checklist(work: Work, issue: m.Issue, row: lifecycle.Step, one: dict[str, Any], values: dict[str, Any]) -> list[dict[str, Any]]:
    items = PROBLEMS[issue.kind].checklist
    options = [{"value": item, "zh": item, "hint": f"结案条件 {n}"} for n, item in enumerate(items, 1)]
    return [one | {"type": "checks", "options": options, "value": values.get("checklist") or []}]


def _codes(work: Work, issue: m.Issue, row: lifecycle.Step, one: dict[str, Any], values: dict[str, Any]) -> list[dict[str, Any]]:
    rows = work.session.query(m.Sighting).filter_by(issue_id=issue.id).order_by(m.Sighting.id)
    options = [{"value": seen.ref, "zh": f"{rights.CHANNELS[seen.channel]}：{seen.words[:40] or seen.place_words[:40] or '没写字'}"}
               for seen in rows]  # fmt: skip
    return [one | {"type": "checks", "options": options, "value": values.get(one["name"]) or []}]


def _photos(work: Work, issue: m.Issue, row: lifecycle.Step, one: dict[str, Any], values: dict[str, Any]) -> list[dict[str, Any]]:
    if one["name"] != "release":
        return []
    rows = work.session.query(m.Photo).filter_by(issue_id=issue.id, released=False).order_by(m.Photo.id)
    options = [{"value": photo.ref, "zh": f"{lifecycle.PHOTO_STAGES.get(photo.stage, photo.stage)}照片 {n}",
                "hint": "群众拍的，先看有没有人脸、门牌" if photo.stage == "report" else ""}
               for n, photo in enumerate(rows, 1)]  # fmt: skip
    return [one | {"type": "checks", "options": options, "value": values.get("release") or []}] if options else []


def _unit(work: Work, issue: m.Issue, row: lifecycle.Step, one: dict[str, Any], values: dict[str, Any]) -> list[dict[str, Any]]:
    proposed = work.place.propose_unit(values.get("kind") or issue.kind, issue.grid) if row.name == "assign" else None
    value = one["value"] if one["value"] is not None else (proposed.code if proposed else "")
    options = [{"value": "", "zh": "选一个单位"}, *({"value": code, "zh": unit.name} for code, unit in work.place.units.items())]
    hint = "按种类和网格推荐。" if proposed and value == proposed.code else ""
    return [one | {"type": "select", "options": options, "value": value, "required": True,
                   "need": "缺责任单位", "hint": hint + desk.unit_words(work, value or None)}]  # fmt: skip


def _units(work: Work, issue: m.Issue, row: lifecycle.Step, one: dict[str, Any], values: dict[str, Any]) -> list[dict[str, Any]]:
    options = [{"value": code, "zh": unit.name} for code, unit in work.place.units.items()]
    return [one | {"type": "checks", "options": options, "value": values.get(one["name"]) or list(issue.assisting)}]


def _person(work: Work, issue: m.Issue, row: lifecycle.Step, one: dict[str, Any], values: dict[str, Any]) -> list[dict[str, Any]]:
    options = [{"value": "", "zh": "选一个人"}]
    for who in desk.persons(work):
        if who["roles"] and who["id"] != work.actor.person_id:
            options.append({"value": str(who["id"]), "zh": f"{who['name']}（{'、'.join(who['roles_zh'])}）"})
    return [one | {"type": "select", "options": options}]


def _issue(work: Work, issue: m.Issue, row: lifecycle.Step, one: dict[str, Any], values: dict[str, Any]) -> list[dict[str, Any]]:
    near = similar_open(work, issue)
    hint = f"近处同类：{'、'.join(near)}" if near else "写问题编号，如 TH-2026-0123。"
    return [one | {"type": "text", "value": one["value"] or (near[0] if len(near) == 1 else ""), "hint": hint,
                   "placeholder": "TH-2026-0123"}]  # fmt: skip


_MAKE: dict[str, Any] = {
    "text": _text, "choice": _choice, "bool": _bool, "number": _plain("number"), "date": _plain("date"),
    "limit": _limit, "position": _position, "outline": _outline, "checklist": _checklist, "codes": _codes,
    "photos": _photos, "unit": _unit, "units": _units, "person": _person, "issue": _issue,
}  # fmt: skip
