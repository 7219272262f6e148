"""What the phone's pages are filled with: the tabs, one issue with its forms, its place, photos, papers and history.

Rows come from `patrol.queries`, already cut by who asks; here they only become what the macros draw.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import select

from geodata import sketch
from patrol import models as m
from patrol.actions import handle
from patrol.queries import issues as rows
from patrol.queries import tasks, timeline
from patrol.queries.clockview import clock_view, most_urgent
from patrol.rules import lifecycle, rights
from patrol.rules.audience import CARDS
from patrol.rules.calendar import local
from patrol.rules.problems import FENCE_M, PROBLEMS, WORST_FIX_M
from patrol.station import Work
from patrol.web import phone_forms
from patrol.web.phone_forms import Asked
from patrol.web.phone_steps import LOOK_FIRST, ORDER, WORTH_SAYING, Page

TABS = (  # address, icon, words, words of the 长辈版 (None: not there), the count's name
    ("/phone", "ui-list", "任务", "任务", ""),
    ("/phone/report", "ui-camera", "快报", "拍照报", ""),
    ("/phone/walk", "ui-route", "巡河", None, ""),
    ("/phone/outbox", "ui-upload", "待传", None, "outbox"),
    ("/phone/me", "ui-person", "我的", "我的", ""),
)
REQUEST_STATES = {"open": "等批", "approved": "批了", "refused": "没批", "withdrawn": "撤回了"}
SLIPS = {**CARDS, "look_back": "回头看单"}
THUMB, LARGE = "?size=480", "?size=1600"


def tabs(path: str) -> list[dict[str, Any]]:
    return [{"href": href, "symbol": symbol, "zh": zh, "zh_elder": elder if elder != zh else None, "on": href == path,
             "elder": elder is not None, "name": name} for href, symbol, zh, elder, name in TABS]  # fmt: skip


def who_words(work: Work) -> str:
    """柳门网格 网格员 张三: where this person belongs, as what, and the name."""
    actor = work.actor
    names = {grid.code: grid.name for grid in work.place.grids}
    where = "、".join(names.get(code, code) for code in sorted(actor.grids or ()))
    unit = work.place.units.get(actor.unit or "")
    where = where or (unit.name if unit else "")
    roles = "、".join(rights.ROLES[role].zh for role in sorted(actor.roles) if role in rights.ROLES)
    return " ".join(filter(None, (where, "" if unit and roles == "责任单位" else roles, actor.name)))


def river(work: Work) -> dict[str, Any]:
    """The river as the phone's scripts need it to say how far along it they are."""
    line = work.place.features.get("centreline")
    if work.place.river is None or not line:
        return {}
    points = [[round(x, 6), round(y, 6)] for x, y in line[0].shape.simplify(5e-6).coords]
    return {"length_m": round(work.place.river.length_m), "line": points}


def strip_marks(found: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Marks of the river strip for rows that have a chainage."""
    return [
        {"chainage_m": row["chainage_m"], "bank": row["bank"] or "middle", "state": row["state"], "late": row["late"],
         "href": row["href"], "label": f"{row['title']} {row['place']} {lifecycle.STATES[row['state']]}"}
        for row in found if row["chainage_m"] is not None
    ]  # fmt: skip


def issue_page(work: Work, issue: m.Issue, wanted: str | None, asked: Asked) -> dict[str, Any]:
    """Everything the page of one issue shows this person."""
    detail = rows.detail(work, issue)
    job = tasks.job_now(work, issue)
    options = {option["step"]: option for option in handle.may(work, issue)}
    ready, barred = _sorted_out(work, options)
    first = wanted if wanted in ready else (job.step if job and job.step in ready else None)
    unit = work.place.units.get(issue.lead_unit or "")
    clocks = detail["clocks"]
    pressing = [row for row in clocks if job and row["name"] == job.clock]
    late = [row["zh"] for row in _last(clocks) if row["status"] == "late"]
    pressed = bool(pressing) and pressing[-1]["status"] == "late"  # red is for the clock this person can stop
    kind = PROBLEMS[issue.kind]
    mark, _, more = (detail["place"] or "位置待核实").partition("，")
    head = {"title": kind.zh, "kind": issue.kind, "place": mark, "state": issue.state,
            "chainage_m": issue.chainage_m, "bank": issue.bank, "late": pressed, "href": f"/phone/issues/{issue.number}"}  # fmt: skip
    return {
        "issue": detail, "head": head, "sub_words": [issue.number, more, unit.name if unit else ""], "job": job,
        "plain_place": tasks.plain_place(issue), "turn": detail["turn"] or lifecycle.STATES[issue.state],
        "clock": clock_view(pressing[-1]) if pressing else most_urgent(clocks),
        "clocks": [clock_view(row) for row in _last(clocks)],
        "form": _form(work, issue, first, options, clocks, asked) if first else None,
        "others": [(step, ready[step]) for step in _in_order(ready, clocks, issue) if step != first],
        "barred": [(page.title, why) for step, page, why in barred if step in WORTH_SAYING],
        "why_not": _why_not(work, wanted, ready, barred), "look_first": first in LOOK_FIRST, "as_unit": work.actor.has("unit"), "asked_for": [o["zh"] for o in options.values() if o["asked"]],
        "panel": _panel(work, issue), "strip": strip_marks([head]), "river": river(work),
        "frames": [_frame(photo) for photo in detail["photos"]], "slips": [_slip(slip) for slip in detail["slips"]],
        "requests": [_request(request) for request in detail["requests"]],
        "lines": _lines(work, issue), "closing": kind.closing, "requirement": kind.requirement,
        "flags": [code for code in detail["flags"] if code != "overdue"]
        + [{"code": "overdue", "zh": f"{zh}超期"} for zh in late],
    }  # fmt: skip


def _sorted_out(
    work: Work, options: Mapping[str, Mapping[str, Any]]
) -> tuple[dict[str, Page], list[tuple[str, Page, str]]]:
    """Steps that can be filled in now, and those that something else bars, with why."""
    ready, barred = {}, []
    for step, option in options.items():
        page = phone_forms.page_of(step, as_grid=work.actor.has("grid"))
        if page is None or option["asked"]:
            continue
        why = phone_forms.bars(page, option)
        if why:
            barred.append((step, page, "".join(why)))
        else:
            ready[step] = page
    return ready, barred


def _why_not(
    work: Work, wanted: str | None, ready: Mapping[str, Page], barred: Iterable[tuple[str, Page, str]]
) -> tuple[str, str] | None:
    """The step an address asks for, and why there is no form for it."""
    page = phone_forms.page_of(wanted, as_grid=work.actor.has("grid")) if wanted else None
    if page is None or wanted in ready:
        return None
    return page.title, next((why for step, _, why in barred if step == wanted), "")


def _in_order(ready: Mapping[str, Page], clocks: Iterable[Mapping[str, Any]], issue: m.Issue) -> list[str]:
    """What people do more often first; an appeal only where there is something to appeal against."""
    late = any(row["status"] in ("late", "met_late", "missed") for row in clocks)
    grounds = late or issue.round > 1 or issue.returns > 0 or issue.state in lifecycle.ENDS
    return sorted((step for step in ready if step != "appeal" or grounds), key=ORDER.index)


def _form(
    work: Work, issue: m.Issue, step: str, options: Mapping[str, Any], clocks: list[dict[str, Any]], asked: Asked
) -> dict[str, Any]:
    option = options[step]
    page = phone_forms.page_of(step, as_grid=work.actor.has("grid"))
    assert page is not None
    kept = unused_photos(work, issue)
    have = [{"zh": "已传到", "src": _url(issue, photo) + THUMB} for photo in kept]
    shown = phone_forms.fields_of(work, issue.kind, step, page, option, clocks, asked)
    # what was there before must be on record before anything is put right, so its picture goes ahead by itself
    first_photo = any(lack["code"] == "before_photo_kept" for lack in option["missing"])
    first_photo |= step == "handle_here" and not any(photo.stage == "before" for photo in kept)
    for one in shown:
        if one["type"] == "photos":
            one |= {
                "zh": page.photo,
                "have": have,
                "required": one["required"] and not (have and step != "handle_here"),
            }
    place = f"/phone/issues/{issue.number}"
    return {
        "step": step, "action": f"{place}/steps/{step}", "title": page.title, "button": page.button, "note": page.note,
        "fields": shown, "version": issue.version, "client_id": asked.values.get("client_id") or str(uuid.uuid4()),
        "faults": asked.faults, "final": option["final"], "first_photo": first_photo,
        "first_note": "传上去，隔 2 分钟再拍整改后" if step == "handle_here" else "传上去，再拍整改后",
        "confirm": f"{issue.number} {page.title}，办完不能撤。" if option["final"] else "",
        "at_claimed": asked.values.get("at_claimed", ""),
    }  # fmt: skip


def unused_photos(work: Work, issue: m.Issue) -> list[m.Photo]:
    """Photos this person sent that no step has used yet: a send that failed half way left them."""
    query = select(m.Photo).where(m.Photo.issue_id == issue.id, m.Photo.step.is_(None),
                                  m.Photo.person_id == work.actor.person_id, m.Photo.person_id.is_not(None),
                                  m.Photo.stage.not_in(("report", "frame")), m.Photo.round == issue.round)  # fmt: skip
    return list(work.session.scalars(query.order_by(m.Photo.id)))


def _panel(work: Work, issue: m.Issue) -> dict[str, Any] | None:
    """The drawing round the point, and the server's own fence for the phone to measure against."""
    if issue.lon is None or issue.lat is None:
        return None
    ellipse = 0.0 if issue.outline else (issue.accuracy_m or 0.0)
    reach = ellipse + FENCE_M
    drawn = sketch.around(work.place, issue.lon, issue.lat, reach, issue.outline)
    return {"drawn": drawn, "lon": issue.lon, "lat": issue.lat, "reach_m": round(reach, 1), "fence_m": FENCE_M,
            "worst_m": WORST_FIX_M, "schematic": work.place.schematic,
            "outline": json.dumps(issue.outline["coordinates"]) if issue.outline else ""}  # fmt: skip


def _url(issue: m.Issue, photo: m.Photo) -> str:
    return f"/api/v1/issues/{issue.number}/photos/{photo.ref}"


def _frame(photo: Mapping[str, Any]) -> dict[str, Any]:
    return {"zh": lifecycle.PHOTO_STAGES.get(photo["stage"], photo["stage"]), "at": moment(photo["received_at"]),
            "src": photo["url"] + THUMB, "href": photo["url"] + LARGE, "gone": photo["lost"]}  # fmt: skip


def _slip(slip: Mapping[str, Any]) -> dict[str, Any]:
    return {"zh": SLIPS.get(slip["kind"], slip["kind"]), "number": slip["printed_number"], "version": slip["revision"],
            "href": slip["pdf"], "phase": "old" if slip["superseded"] else "there"}  # fmt: skip


def _request(request: Mapping[str, Any]) -> dict[str, Any]:
    done = REQUEST_STATES[request["state"]]
    return {"id": request["id"], "zh": request["zh"], "state": request["state"], "done": done,
            "reason": request["reason"], "words": request["words"], "version": request["version"],
            "by": request["approval"], "asked_at": moment(request["asked_at"]),
            "decide_by": moment(request["decide_by"])}  # fmt: skip


def _last(clocks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The last instance of each clock that means something to a reader."""
    last = {row["name"]: row for row in clocks}
    return [row for row in last.values() if row["status"] not in ("cancelled", "not_needed")]


def _lines(work: Work, issue: m.Issue) -> list[dict[str, Any]]:
    """The history; a line whose person is cut away names nobody."""
    trail = rows.trail(work, issue)
    named = [line for line in trail if "person" in line]
    lines = timeline.lines(work, trail)
    return lines if named else [line | {"who": ""} for line in lines]


def moment(iso: str | None) -> str:
    """11-23 10:24 from an ISO time."""
    return f"{local(datetime.fromisoformat(iso)):%m-%d %H:%M}" if iso else ""
