"""The inbox of the office desk: clues and reported issues, evidence in the middle, the act at the right."""

from __future__ import annotations

from typing import Any

from flask import Response, request

from patrol import models as m
from patrol.actions import clues, handle, siting
from patrol.actions.notices import WHY_WAITS
from patrol.errors import BadInput, Fault, Missing, PatrolError
from patrol.queries import clues as clue_rows
from patrol.queries import desk
from patrol.queries import issues as rows
from patrol.queries.clockview import clock_view
from patrol.rules.lifecycle import DISCARD_REASONS, STATES
from patrol.rules.problems import PROBLEMS
from patrol.station import Work
from patrol.web import access, answers, desk_fields, desk_forms, desk_steps, parse
from patrol.web.access import door, station
from patrol.web.desk_shell import back_to, bp, frame, near, page, told

__all__ = ["bp", "draw_inbox"]


@door(bp, "GET", "/desk")
def inbox() -> Response:
    args = parse.query_args(request, ("open", "done", "about", "only"))
    with station().look(access.actor()) as look:
        return draw_inbox(look, args.get("open", ""), done=told(args.get("done", ""), args.get("about", "")),
                          only=args.get("only", ""))  # fmt: skip


@door(bp, "GET", "/desk/clues/<clue>")
def one_clue(clue: str) -> Response:
    args = parse.query_args(request, ("done", "about"))
    with station().look(access.actor()) as look:
        clues.find(look, clue)
        return draw_inbox(look, clue, done=told(args.get("done", ""), args.get("about", "")))


def draw_inbox(
    look: Work, key: str, *, sent: desk_forms.Sent | None = None, done: str = "", only: str = ""
) -> Response:
    """The inbox with one item open: the named one, else the one that presses most."""
    every = desk.inbox(look)
    listed = [row for row in every if not only or (only == "clues") == row["clue"]]
    opened = key or (listed[0]["key"] if listed else "")
    for row in listed:
        row["selected"] = row["key"] == opened
    item = _item(look, opened, sent) if opened else None
    chips = [
        {"zh": "全部", "href": "/desk", "on": not only, "count": len(every)},
        {"zh": "待研判线索", "href": "/desk?only=clues", "on": only == "clues", "count": sum(r["clue"] for r in every)},
        {"zh": "待交办", "href": "/desk?only=reported", "on": only == "reported",
         "count": sum(not r["clue"] for r in every)},
    ]  # fmt: skip
    return page(look, "inbox", "/desk", sent.status if sent else 200, rows=listed, item=item, chosen=bool(key),
                chips=chips, done=done, crumbs=[{"zh": "收件箱"}])  # fmt: skip


def _item(look: Work, key: str, sent: desk_forms.Sent | None) -> dict[str, Any]:
    sighting = look.session.query(m.Sighting).filter_by(ref=key).one_or_none()
    if sighting is not None and clues.in_scope(look, sighting):
        return _clue(look, sighting, sent)
    return _reported(look, handle.find_issue(look, key), sent)


def _clue(look: Work, sighting: m.Sighting, sent: desk_forms.Sent | None) -> dict[str, Any]:
    row = clue_rows.detail(look, sighting)
    base = f"/api/v1/clues/{row['clue']}/photos/"
    river = look.place.river
    where = (
        (river.words(row["chainage_m"], row["bank"]) if river else "")
        or row.get("place_words")
        or ("不在本河段" if row["position"] else "位置不清")
    )
    return {
        "clue": row, "kind": row["kind"], "title": f"{PROBLEMS[row['kind']].zh} 线索", "place": where,
        "source": desk.source(row["channel"]), "facts": [*_clue_facts(row), _two_places(look, sighting)], "words": row.get("words", ""),
        "said_by": "举报人说" if row["channel"] in ("tip", "hotline") else "来源说",
        "photos": [frame({**p, "stage": "frame" if row["score"] is not None else "report"}, base + p["photo_id"])
                   for p in row["photos"]],
        "near": near(look, row["kind"], sighting), "before": desk.before_here(look, row["kind"], row["chainage_m"]),
        "clock": clock_view(row["review"]) if row["review"] else None, "waiting": row["state"] == "waiting",
        "may": look.actor.has("office", "office_head"), "sent": sent, "faults": _faults(sent),
        "kinds": [{"value": code, "zh": kind.zh} for code, kind in PROBLEMS.items()],
        "reasons": [{"value": code, "zh": zh} for code, zh in DISCARD_REASONS.items()],
        "chainage_m": row["chainage_m"], "bank": row["bank"],
    }  # fmt: skip


def _clue_facts(row: dict[str, Any]) -> list[str]:
    position = row["position"] or {}
    return [
        f"{(row['seen_at'] or row['received_at'])[5:16].replace('T', ' ')} {'拍到' if row['score'] is not None else '报来'}",
        f"把握 {row['score']:.2f}" if row["score"] is not None else "",
        f"此平台在本地的可信度 {row['trust']:.2f}" if row["trust"] is not None and row["trust"] < 1 else "",
        f"±{position['accuracy_m']:.0f} 米" if position.get("accuracy_m") else "",
        f"约 {row['area_m2']:.0f} 平方米" if row["area_m2"] else "",
        WHY_WAITS.get(row["why"], ""), f"疑似 {row['relapse_of']} 反弹" if row.get("relapse_of") else "",
    ]  # fmt: skip


def _two_places(look: Work, sighting: m.Sighting) -> str:
    """Both places of a position that may be GCJ-02: whoever rings back asks which."""
    asked = siting.readings(look, sighting.given) if sighting.why == "maybe_gcj02" and sighting.given else None
    return f"照报来的是「{asked.given}」，按 GCJ-02 算是「{asked.gcj02}」，差 {asked.apart_m} 米" if asked else ""


def _faults(sent: desk_forms.Sent | None) -> list[dict[str, str]]:
    return [{"where": desk_forms.anchor(one), "sentence": one.sentence} for one in sent.faults] if sent else []


def _reported(look: Work, issue: m.Issue, sent: desk_forms.Sent | None) -> dict[str, Any]:
    detail = rows.detail(look, issue)
    entries = {entry["step"]: entry for entry in handle.may(look, issue)}
    seen = detail["sightings"][0] if detail["sightings"] else None
    base = f"/api/v1/issues/{issue.number}/photos/"
    push = [row for row in detail["clocks"] if row["name"] in ("push", "check")]
    assign = entries.get("assign")
    return {
        "issue": detail, "kind": issue.kind, "title": PROBLEMS[issue.kind].zh, "place": detail["place"] or "位置不清",
        "source": desk.source(seen["channel"]) if seen else None, "state": issue.state,
        "facts": [issue.number, *(_clue_facts(seen)[:4] if seen else [])],
        "words": "；".join(filter(None, (one["words"] for one in detail["sightings"]))), "said_by": "来源说",
        "photos": [frame(p, base + p["photo_id"]) for p in detail["photos"]],
        "near": near(look, issue.kind, issue, issue.number), "sent": sent, "conflict": sent.conflict if sent else None,
        "before": desk.before_here(look, issue.kind, issue.chainage_m, issue.number),
        "clock": clock_view(push[-1]) if push else None, "chainage_m": issue.chainage_m, "bank": issue.bank,
        "form": desk_forms.step_form(look, issue, assign, sent, back="inbox") if assign else None,
        "steps": [entry for step, entry in entries.items() if step != "assign" and desk_steps.doable(look, issue, entry)], "merge": "merge" in entries,
        "conditions": detail["conditions"], "state_zh": STATES[issue.state], "version": issue.version,
        "proposals": {code: desk_fields.proposal(look, code, issue.grid) for code in PROBLEMS},
    }  # fmt: skip


@door(bp, "POST", "/desk/clues/<clue>/<deed>")
def review(clue: str, deed: str) -> Response:
    """Confirm, discard or join a clue; faults come back on the same page with what was written."""
    parts = parse.form_body(request)
    deeds = {
        "confirm": lambda work: clues.confirm(work, clue, parts.get("kind") or None),
        "discard": lambda work: clues.discard(work, clue, parts.get("reason", ""), parts.get("words", "")),
        "join": lambda work: clues.join(work, clue, (parts.get("issue") or "").strip().upper()),
    }
    if deed not in deeds:
        raise Missing
    try:
        with station().work(access.actor()) as work:
            settled = deeds[deed](work)
            number = settled.issue.number if settled.issue else ""
    except (BadInput, PatrolError) as error:
        if isinstance(error, Missing):
            raise
        faults = error.faults if isinstance(error, BadInput) else [Fault("", error.code, error.sentence)]
        with station().look(access.actor()) as look:
            sent = desk_forms.Sent(deed, dict(parts), _plain(faults), status=answers.status_of(error))
            return draw_inbox(look, clue, sent=sent)
    return back_to(f"/desk?open={number}" if deed == "confirm" and not settled.joined else "/desk", deed, number)


def _plain(faults: list[Fault]) -> list[Fault]:
    """Reason codes are for machines; a person at the desk sees chips."""
    return [Fault(f.where, f.code, "缺理由：选一个。") if f.code == "reason" else f for f in faults]
