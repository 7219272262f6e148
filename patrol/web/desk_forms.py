"""The form of a step, made from its row of STEPS and `forms.FIELDS`. `desk_read` reads it back.

One generic form for every step: a new step or field needs no template. Must not decide what a step needs.
"""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import Any

from patrol import models as m
from patrol.errors import Fault
from patrol.rules import forms, lifecycle
from patrol.rules.audience import CARDS
from patrol.station import Work
from patrol.web import desk_steps
from patrol.web.desk_fields import MAKE

MANY = ("assisting", "release", "sightings", "checklist")
DANGER = ("dismiss", "transfer", "force_close", "send_back", "supervise_false")
OWN_FIELDS = ("photo", "position_k", "sure", "issue", "to", "from_on", "to_on")
KEPT_WORDS = ("words", "reason")
ORDER = (
    "",
    "kind",
    "position",
    "lead_unit",
    "limit",
    "reason",
    "words",
    "duplicate_answered",
    "assisting",
    "release",
    "outline",
)
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
    shown += [
        {"name": "back", "type": "hidden", "value": back},
        {"name": "limit_for", "type": "hidden", "value": issue.kind},
    ]
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
    one: dict[str, Any] = {
        "name": name,
        "zh": spec.zh,
        "value": values.get(name),
        "required": bool({name, FIELD_OF.get(name)} & needed),
    }
    make = MAKE.get(spec.form)
    return make(work, issue, row, one, values) if make else []
