"""The rest of the desk: requests to decide, deliveries to mend or paste, and the acting head."""

from __future__ import annotations

from datetime import date
from typing import Any

from flask import Response, request

from patrol import models as m
from patrol.actions import delivery, devices, handle, people, photos
from patrol.actions.notices import card_of
from patrol.actions.photos import Claim
from patrol.errors import BadInput, Fault, Missing, PatrolError
from patrol.gateways.cards import copied, numbered
from patrol.queries import clues as clue_rows
from patrol.queries import desk
from patrol.station import Work
from patrol.web import access, answers, parse
from patrol.web.access import door, station
from patrol.web.desk_shell import back_to, bp, page, told

CLOSED = 20


@door(bp, "GET", "/desk/requests")
def list_requests() -> Response:
    args = parse.query_args(request, ("done", "about"))
    with station().look(access.actor()) as look:
        return draw_requests(look, done=told(args.get("done", ""), args.get("about", "")))


def draw_requests(look: Work, *, done: str = "", sent: dict[str, Any] | None = None, status: int = 200) -> Response:
    """Open requests: mine to decide first, then my own, then the others; and what was decided lately."""
    every = clue_rows.requests(look, only_open=False)
    open_ = [row for row in every if row["state"] == "open"]
    return page(
        look, "requests", "/desk/requests", status, done=done, sent=sent or {}, units=look.place.units,
        decide=[row for row in open_ if row["decide"]], mine=[row for row in open_ if row["mine"]],
        others=[row for row in open_ if not row["decide"] and not row["mine"]],
        past=[row for row in reversed(every) if row["state"] != "open"][:CLOSED], crumbs=[{"zh": "申请"}],
    )  # fmt: skip


@door(bp, "POST", "/desk/requests/<request_id>/<outcome>")
def decide(request_id: int, outcome: str) -> Response:
    """Approve (a receipt photo may come with it), refuse with words, or withdraw."""
    place = station()
    most = place.settings.photo_max_mb * 1024 * 1024
    parts, files = parse.multipart_body(request, max_file_bytes=most, json_fields=(), many=("assisting",))
    deeds = {"approve": handle.approve, "refuse": handle.refuse}
    if outcome not in (*deeds, "withdraw"):
        raise Missing
    back = "/desk/requests"
    try:
        version = access.whole(parts.get("version", ""), "version")
        with place.work(access.actor()) as work:
            _, issue = handle.find_request(work, request_id)
            number = issue.number
            for part in files:
                photos.attach(work, issue, "receipt", photos.take_in(place, part.content), Claim())
            if outcome == "withdraw":
                handle.withdraw(work, request_id, version)
            else:
                deeds[outcome](work, request_id, _body(outcome, parts), version)
        if parts.get("back", "").startswith("/desk/issues/"):
            back = f"/desk/issues/{number}"
    except PatrolError as error:
        if isinstance(error, Missing):
            raise
        faults = error.faults if isinstance(error, BadInput) else [Fault("", error.code, error.sentence)]
        with place.look(access.actor()) as look:
            kept = {"id": request_id, "words": parts.get("words", ""), "faults": [f.sentence for f in faults]}
            return draw_requests(look, sent=kept, status=answers.status_of(error))
    return back_to(back, outcome, number)


def _body(outcome: str, parts: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {"words": (parts.get("words") or "").strip() or None}
    if outcome == "approve" and parts.get("lead_unit"):
        body["lead_unit"] = parts["lead_unit"]
    if outcome == "approve" and parts.get("office_mistake"):
        body["office_mistake"] = True
    return {name: value for name, value in body.items() if value is not None}


@door(bp, "GET", "/desk/deliveries")
def list_deliveries() -> Response:
    args = parse.query_args(request, ("state", "page", "done", "about"))
    number = access.whole(args.get("page", "1"), "page", most=100_000)
    state = args.get("state", "")
    with station().look(access.actor()) as look:
        found, more = desk.deliveries(look, state if state in desk.ERRAND_STATES else "", number)
        for row in found:
            if row["state"] in ("by_hand", "stuck"):
                row["text"] = _card_text(look, row["id"])
        found.sort(key=lambda row: not row["assignment"] if row["state"] in ("by_hand", "stuck") else False)
        chips = [{"zh": "全部", "href": "/desk/deliveries", "on": not state}]
        chips += [{"zh": zh, "href": f"/desk/deliveries?state={code}", "on": state == code}
                  for code, zh in desk.ERRAND_STATES.items()]  # fmt: skip
        link = f"/desk/deliveries?state={state}&page=" if state else "/desk/deliveries?page="
        return page(
            look, "deliveries", "/desk/deliveries", rows=found, chips=chips, robots=desk.robots(look),
            may=look.actor.has("office", "office_head"), done=told(args.get("done", ""), args.get("about", "")),
            pager={"words": f"第 {number} 页", "prev": f"{link}{number - 1}" if number > 1 else None,
                   "next": f"{link}{number + 1}" if more else None}, crumbs=[{"zh": "推送"}],
        )  # fmt: skip


def _card_text(look: Work, errand_id: int) -> str:
    errand = look.session.get(m.Errand, errand_id)
    return copied(numbered(card_of(look, errand), errand.pushes + 1)) if errand is not None else ""


@door(bp, "POST", "/desk/deliveries/<errand_id>/<deed>")
def mend(errand_id: int, deed: str) -> Response:
    parse.form_body(request)
    deeds = {"handed_over": delivery.handed_over, "replay": delivery.replay}
    if deed not in deeds:
        raise Missing
    with station().work(access.actor()) as work:
        deeds[deed](work, errand_id)
    return back_to("/desk/deliveries", deed)


@door(bp, "GET", "/desk/people")
def list_people() -> Response:
    args = parse.query_args(request, ("done", "about"))
    with station().look(access.actor()) as look:
        return draw_people(look, done=told(args.get("done", ""), args.get("about", "")))


def draw_people(
    look: Work,
    *,
    done: str = "",
    values: dict[str, Any] | None = None,
    faults: list[Fault] | None = None,
    status: int = 200,
) -> Response:
    """Everybody with a way in, who acts for the head when, and the form that names one."""
    everyone = desk.persons(look)
    may = look.actor.has("office_head", "chief")
    values = values or {}
    options = [{"value": "", "zh": "选一个人"}]
    options += [{"value": str(one["id"]), "zh": f"{one['name']}（{'、'.join(one['roles_zh'])}）"} for one in everyone
                if one["roles"] and one["id"] != look.actor.person_id]  # fmt: skip
    fields = [
        {"name": "to", "type": "select", "zh": "谁来代行", "options": options, "value": values.get("to", ""),
         "required": True, "need": "没选代行人"},
        {"name": "from_on", "type": "date", "zh": "从哪天", "value": values.get("from_on", ""), "required": True},
        {"name": "to_on", "type": "date", "zh": "到哪天", "value": values.get("to_on", ""), "required": True,
         "hint": "最长 31 天，到期自己停。"},
    ]  # fmt: skip
    form = {
        "step": "delegate", "title": "指定代行负责人", "action": "/desk/people/delegate", "fields": fields,
        "button": "指定代行", "note": "代行期间可以销号、移送、批申请；自己验收的自己不能销号。",
        "faults": [{"where": f.where.strip("/"), "sentence": f.sentence} for f in faults or []],
    }  # fmt: skip
    return page(look, "people", "/desk/people", status, people=everyone, phones=devices.listed(look), may_revoke=look.actor.has("office", "office_head"), delegations=desk.delegations(look),
                form=form if may else None, done=done, crumbs=[{"zh": "人员"}])  # fmt: skip


@door(bp, "POST", "/desk/people/delegate")
def delegate() -> Response:
    parts, _ = parse.multipart_body(request, json_fields=())
    faults: list[Fault] = []
    days: dict[str, date] = {}
    for name, zh in (("from_on", "从哪天"), ("to_on", "到哪天")):
        try:
            days[name] = date.fromisoformat(parts.get(name, ""))
        except ValueError:
            faults.append(Fault(name, "date", f"没写{zh}，或日期不对。"))
    chosen = parts.get("to", "")
    if not (chosen.isascii() and chosen.isdigit() and len(chosen) < 10):
        faults.append(Fault("to", "person", "没选代行人。"))
    try:
        if faults:
            raise BadInput(faults)
        with station().work(access.actor()) as work:
            people.delegate(work, int(chosen), days["from_on"], days["to_on"])
    except BadInput as error:
        with station().look(access.actor()) as look:
            return draw_people(look, values=parts, faults=list(error.faults), status=422)
    return back_to("/desk/people", "delegate")
