"""Review of what recognition found: one thing at a time, its crop large, three answers by button or by key."""

from __future__ import annotations

import re
from typing import Any

from flask import Response, request

from patrol import models as m
from patrol.actions import flights
from patrol.actions.flights import drape, things
from patrol.actions.flights.picture import find_frame, members_of, views
from patrol.errors import BadInput, Missing, PatrolError
from patrol.queries import review
from patrol.queries.flights import detection_on
from patrol.rules.lifecycle import DISCARD_REASONS
from patrol.rules.problems import PROBLEMS
from patrol.station import Work
from patrol.web import access, answers, parse
from patrol.web.access import door, station
from patrol.web.desk_shell import back_to, bp, page, told

CROP_PX = 1024
MOST_SHOTS = 6


@door(bp, "GET", "/desk/review")
def list_things() -> Response:
    args = parse.query_args(request, ("done", "about"))
    with station().look(access.actor()) as look:
        listed = review.waiting(look)
        return draw(
            look, listed, listed[0]["thing"] if listed else "", done=told(args.get("done", ""), args.get("about", ""))
        )


@door(bp, "GET", "/desk/review/<thing>")
def one_thing(thing: str) -> Response:
    args = parse.query_args(request, ("view", "detection", "done", "about"))
    with station().look(access.actor()) as look:
        return draw(look, review.waiting(look), thing, view=args.get("view", "auto"), shown=args.get("detection", ""),
                    chosen=True, done=told(args.get("done", ""), args.get("about", "")))  # fmt: skip


def draw(
    look: Work, listed: list[dict[str, Any]], ref: str, *, view: str = "auto", shown: str = "", chosen: bool = False,
    done: str = "", fault: str = "", status: int = 200,
) -> Response:  # fmt: skip
    """The list, and one thing with its best picture."""
    item = review.one(look, ref) if ref else None
    refs = [row["thing"] for row in listed]
    at = refs.index(ref) if ref in refs else None
    return page(
        look, "sky/review", "/desk/review", status, rows=listed, item=item, chosen=chosen, done=done, fault=fault,
        picture=_picture(look, item, view, shown) if item else None, shots=_shots(item) if item else [],
        prev=refs[at - 1] if at else None, next=_next(refs, ref), order=at + 1 if at is not None else None, may=look.actor.has("office", "office_head"),
        kinds=[{"value": code, "zh": kind.zh} for code, kind in PROBLEMS.items()], reasons=list(DISCARD_REASONS.items()),
        crumbs=[{"zh": "疑点"}],
    )  # fmt: skip


def _next(refs: list[str], ref: str) -> str | None:
    """The one after, else the first that is another one."""
    if ref not in refs:
        return refs[0] if refs else None
    at = refs.index(ref)
    return refs[at + 1] if at + 1 < len(refs) else None


def _picture(look: Work, item: dict[str, Any], view: str, shown: str) -> dict[str, Any] | None:
    """The chosen detection (the surest when none is) cut from its frame, in one view, with its outline."""
    seen = item["detections"]
    if not seen:
        return None
    best = next((each for each in seen if each["detection"] == shown), seen[0])
    frame = find_frame(look, flights.find(look, best["flight"]), best["frame"])
    detection = detection_on(look, frame, best["detection"])
    known = views(station(), frame, members_of(look, frame))
    how = drape.lying(station(), frame)
    part = drape.window_of(how, detection) if how is not None else None
    view = view if view in known else next(iter(known), "auto")
    here = f"/desk/review/{item['thing']}?detection={best['detection']}&view="
    base = f"/api/v1/flights/{best['flight']}/frames/{best['frame']}.jpg?size={CROP_PX}&detection={best['detection']}&view="
    picture: dict[str, Any] = {
        **best, "name": frame.name, "src": base + view, "view": view, "whole": f"/desk/flights/{best['flight']}",
        "views": [{"zh": zh, "short": re.split("[ （]", zh)[0], "href": here + name, "on": name == view, "attrs": {"data-view": base + name}}
                  for name, zh in known.items()],
        "rule": best["facts"].get("rule", ""), "by_zh": _by(best["by"]), "marks": None,
    }  # fmt: skip
    if how is not None and part is not None:
        outline = drape.outline_px(how, detection)
        if outline is not None and len(outline) > 2:
            shifted = outline - (part.left_px, part.top_px)
            picture["marks"] = {
                "box": f"0 0 {part.right_px - part.left_px} {part.bottom_px - part.top_px}",
                "points": " ".join(f"{x:.1f},{y:.1f}" for x, y in shifted),
            }
        picture["ratio"] = [part.right_px - part.left_px, part.bottom_px - part.top_px]
    return picture


def _by(by: str) -> str:
    """rules:ab12… as people say it."""
    what, _, digest = by.partition(":")
    name = {"rules": "规则", "model": "模型", "person": "人"}.get(what, what)
    return f"{name} {digest[:8]}" if digest else name


def _shots(item: dict[str, Any]) -> list[dict[str, Any]]:
    """The other frames that show it, each a small crop."""
    return [
        {"href": f"/desk/review/{item['thing']}?detection={each['detection']}", "score": each["score"],
         "detection": each["detection"],
         "src": f"/api/v1/flights/{each['flight']}/frames/{each['frame']}.jpg?size=256&detection={each['detection']}"}
        for each in item["detections"][:MOST_SHOTS]
    ] if len(item["detections"]) > 1 else []  # fmt: skip


@door(bp, "POST", "/desk/review/<thing>/<deed>")
def settle(thing: str, deed: str) -> Response:
    """Confirm, dismiss or join a thing, then the next one. Who comes second is shown what the first one did."""
    parts = parse.form_body(request)
    if deed not in ("confirm", "dismiss", "merge"):
        raise Missing
    with station().look(access.actor()) as look:
        listed = [row["thing"] for row in review.waiting(look)]
        if not review.one(look, thing)["waits"]:
            return draw(look, review.waiting(look), thing, chosen=True, status=409)
    after = _next(listed, thing) or next((ref for ref in listed if ref != thing), None)
    try:
        with station().work(access.actor()) as work:
            number = _do(work, thing, deed, parts)
    except Missing:
        raise
    except PatrolError as error:
        words = "；".join(one.sentence for one in error.faults) if isinstance(error, BadInput) else error.sentence
        with station().look(access.actor()) as look:
            return draw(look, review.waiting(look), thing, chosen=True, fault=words, status=answers.status_of(error))
    word = {"confirm": "real", "dismiss": "nothing", "merge": "same"}[deed]
    return back_to(f"/desk/review/{after}" if after else "/desk/review", word, number)


def _do(work: Work, thing: str, deed: str, parts: dict[str, Any]) -> str:
    if deed == "confirm":
        kind = parts.get("kind") or None
        if kind is not None and kind not in PROBLEMS:
            raise BadInput("没有这个问题种类，请重选。")
        settled = things.confirm(work, thing, kind)
        return settled.issue.number if isinstance(settled.issue, m.Issue) else ""
    if deed == "dismiss":
        if parts.get("reason") not in DISCARD_REASONS:
            raise BadInput("缺理由：选一个。")
        things.dismiss(work, thing, parts["reason"], parts.get("words", ""))
        return ""
    if not parts.get("into"):
        raise BadInput("没选并入哪一个。")
    things.merge(work, thing, parts["into"])
    return ""
