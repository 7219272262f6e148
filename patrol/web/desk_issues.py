"""Issues at the desk: the list, one issue with everything around it, and its step forms."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from flask import Response, request

from patrol import models as m
from patrol.actions import handle
from patrol.queries import clues as clue_rows
from patrol.queries import desk, effects, timeline, trace
from patrol.queries import issues as rows
from patrol.queries.clockview import arithmetic, header_views
from patrol.queries.words import place_words
from patrol.rules import lifecycle
from patrol.rules.audience import CARDS
from patrol.rules.problems import PROBLEMS
from patrol.station import Work
from patrol.web import access, desk_fields, desk_forms, desk_read, desk_steps, parse
from patrol.web.access import door, station
from patrol.web.desk_shell import FLAG_WORDS, bp, frame, page, told

ARGS = ("state", "kind", "unit", "overdue", "q", "page", "from_m", "to_m", "done", "about")
KEPT = ("state", "kind", "unit", "overdue", "q", "from_m", "to_m")
SLIP_NAMES = (("assignment", "问题交办单", "交办后出"), ("supervision", "整改督办单", "到场核实、办公室确认后出"),
              ("closure", "销号反馈单", "验收合格、办公室负责人销号后出"))  # fmt: skip
OTHER_SLIPS = {"dismissal": "不予立案告知", "transfer": "移送单", "look_back": "回头看单"}
TRIPLET = ((("before", "check", "frame", "report"), "整改前", "到场核实时由网格员拍"), (("during",), "整改中", "整改时由单位拍"),
           (("after",), "整改后", "报验时由单位或网格员拍"))  # fmt: skip


@door(bp, "GET", "/desk/issues")
def list_issues() -> Response:
    args = parse.query_args(request, ARGS)
    number = access.whole(args.get("page", "1"), "page", most=100_000)
    states = tuple(s for s in args.get("state", "").split(",") if s in lifecycle.STATES)
    kinds = tuple(k for k in args.get("kind", "").split(",") if k in PROBLEMS)
    with station().look(access.actor()) as look:
        words, stretch, unit = _search(look, args)
        chosen = rows.Filter(
            states=states, kinds=kinds, unit=args.get("unit") or unit, words=words, chainage_m=stretch,
            overdue=True if args.get("overdue") else None, page=number, size=desk.PAGE, newest_first=True,
        )  # fmt: skip
        found, more = desk.issue_rows(look, chosen)
        total = rows.count(look, chosen)
        marks = desk.strip_marks(look, chosen)
        on = "/desk/issues?state=rectified,verified" if states == ("rectified", "verified") else "/desk/issues"
        return page(
            look, "issues", on, rows=found, total=total, marks=marks, filters=_chips(look, args), words=_in_words(look),
            clear="/desk/issues" if any(args.get(name) for name in KEPT) else None, q=args.get("q", ""),
            pager=_pager(args, number, total, more), done=told(args.get("done", ""), args.get("about", "")),
            crumbs=[{"zh": "验收" if on != "/desk/issues" else "问题"}],
        )  # fmt: skip


def _search(look: Work, args: dict[str, str]) -> tuple[str, tuple[float, float] | None, str | None]:
    """What the search field means: a chainage, a unit, or part of a number; a merged mark names its stretch."""
    q = args.get("q", "").strip()
    if args.get("from_m") and args.get("to_m"):
        low, high = (float(access.whole(args[name], name, 0, 100_000)) for name in ("from_m", "to_m"))
        return q, (low - 0.5, high + 0.5), None
    place = desk_read.K_MARK.fullmatch(q)
    if place is not None and place[1]:
        at = int(place[1]) * 1000 + float(place[2])
        return "", (at - desk.NEIGHBOUR_M, at + desk.NEIGHBOUR_M), None
    named = [code for code, unit in look.place.units.items() if q and q in unit.name]
    return ("", None, named[0]) if len(named) == 1 else (q, None, None)


def _chips(look: Work, args: dict[str, str]) -> list[list[dict[str, Any]]]:
    def link(name: str, value: str) -> dict[str, Any]:
        kept = {key: args[key] for key in KEPT if args.get(key)}
        on = kept.get(name) == value
        kept = {key: text for key, text in kept.items() if key != name} | ({} if on else {name: value})
        return {"href": "/desk/issues" + (f"?{urlencode(kept)}" if kept else ""), "on": on}

    states = [{**link("state", code), "zh": zh, "count": rows.count(look, rows.Filter(states=(code,))),
               "symbol": f"state-{code}"} for code, zh in lifecycle.STATES.items()]  # fmt: skip
    late = rows.count(look, rows.Filter(states=lifecycle.OPEN, overdue=True))
    states.insert(0, {**link("overdue", "1"), "zh": "超期", "count": late, "symbol": "time-late", "tone": "late"})
    kinds = [{**link("kind", code), "zh": kind.zh, "count": None} for code, kind in PROBLEMS.items()]
    units = [{**link("unit", code), "zh": unit.name, "count": None} for code, unit in look.place.units.items()]
    return [states, kinds, units]


def _in_words(look: Work) -> str:
    open_ = rows.Filter(states=lifecycle.OPEN)
    late = rows.Filter(states=lifecycle.OPEN, overdue=True)
    return f"在办 {rows.count(look, open_)} 件，超期 {rows.count(look, late)} 件"


def _pager(args: dict[str, str], number: int, total: int, more: bool) -> dict[str, Any]:
    kept = {name: args[name] for name in KEPT if args.get(name)}
    pages = max(1, -(-total // desk.PAGE))
    link = "/desk/issues?" + urlencode({**kept, "page": ""})
    return {"words": f"第 {number} 页，共 {pages} 页，{total} 件", "prev": f"{link}{number - 1}" if number > 1 else None,
            "next": f"{link}{number + 1}" if more else None}  # fmt: skip


@door(bp, "GET", "/desk/issues/<issue>")
def one_issue(issue: str) -> Response:
    args = parse.query_args(request, ("step", "trail", "done", "about"))
    with station().look(access.actor()) as look:
        return draw_issue(look, handle.find_issue(look, issue), args.get("step", ""),
                          trail=args.get("trail", "key"), done=told(args.get("done", ""), args.get("about", "")))  # fmt: skip


def draw_issue(
    look: Work,
    issue: m.Issue,
    step: str = "",
    *,
    sent: desk_forms.Sent | None = None,
    trail: str = "key",
    done: str = "",
) -> Response:
    """One issue, the form of one step open at the right."""
    detail = rows.detail(look, issue)
    lines = rows.trail(look, issue)
    entries = desk_steps.steps_for(look, issue, step)
    chosen = next((entry for entry in entries if entry["step"] == step), None)
    if chosen is None and not step:
        chosen = desk_steps.waited_for(issue, entries)
    base = f"/api/v1/issues/{issue.number}/photos/"
    unit = look.place.units.get(issue.lead_unit or "")
    held = set(timeline.FILTERS)
    return page(
        look, "issue", "/desk/issues", sent.status if sent else 200, issue=detail, done=done, sent=sent,
        head={
            "kind": issue.kind, "title": PROBLEMS[issue.kind].zh, "place": detail["place"] or "位置不清",
            "state": issue.state, "second": _second(look, issue, detail, unit.name if unit else ""),
            "flags": [*desk.flag_marks(issue), *([{"code": "overdue"}] if detail["overdue"] else [])],
            "steps": timeline.steps(issue.state, lines), "clocks": header_views(detail["clocks"]),
        },
        sums=arithmetic(detail["clocks"]), triplet=_triplet(detail, base), shots=_shots(detail, base),
        photo_words=_photo_words(detail), lines=timeline.lines(look, lines, trail if trail in held else "key"),
        line_count=len(lines), trail_on=trail if trail in held else "key", trail_filters=timeline.FILTERS,
        slips=_slips(detail), entries=entries, form=desk_forms.step_form(look, issue, chosen, sent) if chosen else None,
        chosen=chosen["step"] if chosen else "", keys=desk_steps.KEYS, compare=_compare(detail, base),
        requests=[_request(look, issue, row) for row in detail["requests"]], units=look.place.units,
        marks=desk.strip_marks(look, rows.Filter(words=issue.number, size=5), issue.number), strip_open=bool(form_has_place(chosen)),
        deliveries=[{**row, "card_zh": CARDS.get(row["card"], row["card"]), "group_zh": desk.group_words(look, row["group"])} for row in detail["deliveries"]],
        errand_states=desk.ERRAND_STATES, origin=_origin(detail), can_release=look.actor.has("office", "office_head"),
        proposals={code: desk_fields.proposal(look, code, issue.grid) for code in PROBLEMS},
        effects=_effects(look, issue), sources=_sources(look, issue),
        crumbs=[{"zh": "问题", "href": "/desk/issues"}, {"zh": issue.number}], h1_in_page=True,
    )  # fmt: skip


MOST_EFFECTS = 3


def _effects(look: Work, issue: m.Issue) -> list[dict[str, Any]]:
    """What rounds before and after show, the newest first, with its figures in words."""
    return [row | {"figures": _figures(row["facts"])} for row in effects.of_issue(look, issue)[:MOST_EFFECTS]]


def _figures(facts: dict[str, Any]) -> list[tuple[str, str]]:
    before, after, ratio = facts.get("area_before_m2"), facts.get("area_after_m2"), facts.get("ratio")
    found = []
    if before is not None and after is not None:
        found.append(("面积", f"{before:.1f} → {after:.1f} 平方米"))
    if ratio is not None:
        low, high = facts.get("interval") or (None, None)
        span = f"（{max(0.0, low):.0%} 到 {high:.0%}）" if low is not None and high is not None else ""
        found.append(("剩下", f"{ratio:.0%}{span}"))
    if facts.get("seen_share") is not None:
        found.append(("两轮都看清的", f"{facts['seen_share']:.0%}"))
    return found


def _sources(look: Work, issue: m.Issue) -> list[dict[str, Any]]:
    """Where the sewage of an open issue may come from; the unregistered stretch is one of the answers."""
    if issue.state not in lifecycle.OPEN:
        return []
    river = look.place.river
    named = []
    for row in trace.of_issue(look, issue):
        where = river.words(row["chainage_m"], row["bank"]) if river else ""
        if row["kind"] == "unregistered" and river:
            where = f"{river.words(row['from_m'])} 到 {river.words(row['to_m'])}"
        named.append(row | {"place": where})
    return named


def form_has_place(entry: dict[str, Any] | None) -> bool:
    return entry is not None and entry["step"] in ("assign", "correct", "look_back")


def _second(look: Work, issue: m.Issue, detail: dict[str, Any], unit: str) -> list[Any]:
    grid = next((grid for grid in look.place.grids if grid.code == issue.grid), None)
    joined = len(detail["sightings"])
    origin = detail["links"]["origin"]
    return [
        grid.community if grid else "", f"责任单位 {unit}" if unit else "",
        f"协办 {len(issue.assisting)} 家" if issue.assisting else "", f"线索 {joined} 条" if joined > 1 else "",
        {"zh": f"{HOW.get(origin['how'], '来自')} {origin['issue']}", "href": f"/desk/issues/{origin['issue']}"}
        if origin else "",
    ]  # fmt: skip


HOW = {"relapse": "反弹自", "recurrence": "以前办过", "split": "拆自"}


def _triplet(detail: dict[str, Any], base: str) -> list[dict[str, Any]]:
    frames = []
    for stages, zh, who in TRIPLET:
        shot = next((p for stage in stages for p in reversed(detail["photos"]) if p["stage"] == stage), None)
        frames.append({**frame(shot, base + shot["photo_id"]), "zh": zh} if shot else {"zh": zh, "who": who})
    return frames


def _compare(detail: dict[str, Any], base: str) -> list[dict[str, Any]] | None:
    """Before and after beside each other, where the issue waits for acceptance or has passed it."""
    if detail["state"] not in ("rectified", "verified", "closed"):
        return None
    frames = _triplet(detail, base)
    return [frames[0], frames[2]] if frames[0].get("src") and frames[2].get("src") else None


def _shots(detail: dict[str, Any], base: str) -> list[dict[str, Any]]:
    return [
        {**frame(p, base + p["photo_id"], 640), "id": p["photo_id"], "released": p.get("released", True),
         "by": p.get("by"), "flags": [FLAG_WORDS.get(flag, flag) for flag in p.get("flags", [])], "round": p["round"]}
        for p in detail["photos"]
    ]  # fmt: skip


def _photo_words(detail: dict[str, Any]) -> str:
    def count(*stages: str) -> int:
        return sum(1 for photo in detail["photos"] if photo["stage"] in stages)

    due = detail.get("photos_due")
    coming = f"，另有 {due['expected']} 张正在传，收到 {due['received']} 张" if due else ""
    return f"前 {count('before', 'check', 'frame', 'report')}，中 {count('during')}，后 {count('after')}{coming}"


def _slips(detail: dict[str, Any]) -> list[dict[str, Any]]:
    """The three slips in order, old versions under the one in force, then slips of other kinds."""
    cards = []
    for kind, zh, later in SLIP_NAMES:
        mine = [slip for slip in detail["slips"] if slip["kind"] == kind]
        cards += [_slip(slip, zh) for slip in reversed(mine)] or [{"zh": zh, "phase": "none", "words": later}]
    cards += [_slip(slip, OTHER_SLIPS[slip["kind"]]) for slip in detail["slips"] if slip["kind"] in OTHER_SLIPS]
    return cards


def _slip(slip: dict[str, Any], zh: str) -> dict[str, Any]:
    return {"zh": zh, "number": slip["printed_number"], "version": slip["revision"], "pushed": slip["pushes"],
            "href": slip["pdf"], "phase": "old" if slip["superseded"] else "there"}  # fmt: skip


def _request(look: Work, issue: m.Issue, row: dict[str, Any]) -> dict[str, Any]:
    request_ = look.session.get(m.Request, row["id"])
    mine = request_ is not None and request_.asker_id == look.actor.person_id
    may = (
        request_ is not None
        and not mine
        and bool(clue_rows.deciding_roles(look) & set(handle.mechanism.deciders(request_)))
    )
    return row | {"mine": mine, "decide": may and row["state"] == "open", "place": place_words(look, issue)}


def _origin(detail: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"channel": one["channel_zh"], "at": (one["seen_at"] or one["received_at"])[5:16].replace("T", " "),
         "words": one["words"] or one["place_words"], "score": one["score"], "clue": one["clue"],
         "photos": len(one["photos"])}
        for one in detail["sightings"]
    ]  # fmt: skip
