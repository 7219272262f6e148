"""Pages of rounds and flights: what is due, what was flown, one flight with its coverage and frames, one round."""

from __future__ import annotations

from typing import Any

from flask import Response, render_template, request
from sqlalchemy import select

from patrol import models as m
from patrol.actions import flights as deeds
from patrol.actions.flights import pieces
from patrol.errors import BadInput, Fault, Missing, PatrolError
from patrol.queries import flights as ask
from patrol.queries import sky
from patrol.rules import flights as law
from patrol.rules.problems import PROBLEMS
from patrol.station import Work
from patrol.web import access, answers, fields, parse
from patrol.web.access import door, station
from patrol.web.desk_shell import back_to, bp, page, told
from patrol.web.flights import FlightIn, RoundIn
from patrol.web.mapparts import Parts

PAGE = 36  # frames a page
CORNER_STEP = 12  # a photo's footprint has twelve points a side; its corners are enough to draw it
MOST_DRAWN = 1500  # footprints on one map
ZONES = (("", "不知道"), ("Asia/Shanghai", "北京时间"), ("UTC", "世界时"))
LEADS_TO = (("issue", "/desk/issues/"), ("thing", "/desk/review/"), ("clue", "/desk/clues/"))
LARGE_BYTES = 8 * 1024 * 1024  # larger files go in pieces


@door(bp, "GET", "/desk/flights")
def list_flights() -> Response:
    args = parse.query_args(request, ("round", "done", "about"))
    no = access.whole(args["round"], "round", most=99999) if args.get("round") else None
    with station().look(access.actor()) as look:
        return draw_flights(look, no=no, done=told(args.get("done", ""), args.get("about", "")))


def draw_flights(
    look: Work, *, no: int | None = None, done: str = "", sent: str = "", values: dict[str, Any] | None = None,
    faults: list[Fault] | None = None, status: int = 200,
) -> Response:  # fmt: skip
    """Rounds with their days, flights with how far they are, and the two forms; `sent` names the form with faults."""
    rounds, names = ask.rounds(look), _area_names(look)
    for row in rounds:
        row["zh"] = law.ROUND_STATES[row["state"]]
        row["coverage"] = [{**area, "name": names.get(area["area"], area["area"])} for area in row["coverage"]]
    found = [_line(row) for row in ask.flights(look, no)]
    may = look.actor.has("office", "office_head")
    kept, told_ = values or {}, faults or []
    return page(
        look, "sky/flights", "/desk/flights", status, rounds=rounds, flights=found, chosen=no, done=done, may=may,
        live=sky.latest_live(look), round_form=_round_form(kept, told_) if sent == "round" else _round_form({}, []),
        flight_form=_flight_form(look, kept, told_) if sent == "flight" else _flight_form(look, {}, []),
        sent=sent, crumbs=[{"zh": "航次"}],
    )  # fmt: skip


def _line(row: dict[str, Any]) -> dict[str, Any]:
    at = row["landed_at"] or row["received_at"] or row["opened_at"] or ""
    return {**row, "state_zh": law.FLIGHT_STATES[row["state"]], "source_zh": law.SOURCES[row["source"]],
            "running": row["state"] in ("receiving", "reading"), "at": (row["planned_on"] or at)[5:16].replace("T", " ")}  # fmt: skip


def _area_names(look: Work) -> dict[str, str]:
    return {area.code: area.name for area in look.place.key_areas} | {"water": "全部水面"}


def _shown_faults(faults: list[Fault]) -> list[dict[str, str]]:
    return [{"where": fault.where.strip("/"), "sentence": fault.sentence} for fault in faults]


def _round_form(values: dict[str, Any], faults: list[Fault]) -> dict[str, Any]:
    return {
        "step": "round", "title": "排一轮", "action": "/desk/rounds", "button": "记下", "prefix": "f-",
        "faults": _shown_faults(faults), "note": "写以前的轮次是改它的日期。",
        "fields": [
            {"name": "round", "zh": "第几轮", "type": "number", "value": values.get("round", ""), "hint": "空着就是下一轮。"},
            {"name": "due_on", "zh": "哪天前飞完", "type": "date", "value": values.get("due_on", ""), "required": True,
             "need": "没写哪天前飞完"},
        ],
    }  # fmt: skip


def _flight_form(look: Work, values: dict[str, Any], faults: list[Fault]) -> dict[str, Any]:
    newest = look.session.scalar(select(m.Flight).order_by(m.Flight.id.desc()).limit(1))

    def before(name: str) -> str:
        return str(values.get(name, getattr(newest, name) if newest is not None else ""))

    return {
        "step": "flight", "title": "开一个航次", "action": "/desk/flights", "button": "开航次，去收文件",
        "faults": _shown_faults(faults), "note": "飞手、无人机照上次的填好了，不对就改。",
        "fields": [
            {"name": "round", "zh": "哪一轮", "type": "number", "value": values.get("round", ""), "hint": "空着就是正在飞的一轮。"},
            {"name": "source", "zh": "从哪里来", "type": "choice", "optional": False, "value": values.get("source", "drone"),
             "options": [{"value": code, "zh": zh} for code, zh in law.SOURCES.items()]},
            {"name": "planned_on", "zh": "哪天飞", "type": "date", "value": values.get("planned_on", ""),
             "hint": "已经飞完、要收文件就空着。"},
            {"name": "approval", "zh": "空域批准号", "type": "text", "value": values.get("approval", "")},
            {"name": "drone", "zh": "无人机", "type": "text", "value": before("drone")},
            {"name": "pilot", "zh": "飞手", "type": "text", "value": before("pilot")},
            {"name": "zone", "zh": "相机时钟", "type": "select", "value": before("zone"),
             "options": [{"value": code, "zh": zh} for code, zh in ZONES], "hint": "不知道就别选，不会猜。"},
        ],
    }  # fmt: skip


@door(bp, "POST", "/desk/rounds")
def plan_round() -> Response:
    parts, _ = parse.multipart_body(request, json_fields=())
    try:
        body = fields.read_form(RoundIn, parts)
        if body.due_on is None:
            raise BadInput(Fault("/due_on", "day", "没写哪天前飞完。"))
        with station().work(access.actor()) as work:
            no = deeds.open_round(work, body.round, body.due_on, body.words).no
    except BadInput as bad:
        with station().look(access.actor()) as look:
            return draw_flights(look, sent="round", values=parts, faults=list(bad.faults), status=422)
    return back_to("/desk/flights", "round", f"第{no}轮")


@door(bp, "POST", "/desk/flights")
def plan_flight() -> Response:
    parts, _ = parse.multipart_body(request, json_fields=())
    place = station()
    place.room()
    try:
        said = fields.read_form(FlightIn, parts).model_dump()
        with place.work(access.actor()) as work:
            ref = deeds.open_flight(work, deeds.Plan(round_no=said.pop("round"), **said)).ref
    except BadInput as bad:
        with place.look(access.actor()) as look:
            return draw_flights(look, sent="flight", values=parts, faults=list(bad.faults), status=422)
    return back_to(f"/desk/flights/{ref}", "flight")


@door(bp, "GET", "/desk/flights/<flight>")
def one_flight(flight: str) -> Response:
    args = parse.query_args(request, ("show", "page", "done", "about"))
    number = access.whole(args.get("page", "1"), "page", most=100_000)
    with station().look(access.actor()) as look:
        return draw_flight(
            look, flight, args.get("show", ""), number, told(args.get("done", ""), args.get("about", ""))
        )


def draw_flight(
    look: Work, ref: str, show: str = "", number: int = 1, done: str = "", fault: str = "", status: int = 200
) -> Response:
    """One flight: its coverage map, its frames with their doubts, what was put aside and why."""
    row = ask.flight(look, ref)
    frames, found = row["frames"], ask.detections(look, ref)
    showing = {each["frame"] for each in found}
    kinds = {
        "": frames, "doubt": [one for one in frames if one["faults"]],
        "parked": [one for one in frames if one["state"] == "parked"],
        "found": [one for one in frames if one["frame"] in showing],
    }  # fmt: skip
    listed = kinds.get(show, frames)
    pages = max(1, -(-len(listed) // PAGE))
    number = min(number, pages)
    link = f"/desk/flights/{ref}?" + (f"show={show}&" if show else "") + "page="
    words = {"": "全部", "found": "有疑点的", "doubt": "有毛病的", "parked": "搁置的"}
    chips = [{"zh": zh, "href": f"/desk/flights/{ref}" + (f"?show={code}" if code else "") + "#frames",
              "on": code == show, "count": len(kinds[code])} for code, zh in words.items()]  # fmt: skip
    of_round = next(each for each in ask.rounds(look) if each["round"] == row["round"])
    names = _area_names(look)
    return page(
        look, "sky/flight", "/desk/flights", status, flight=_line(row), done=done, fault=fault, parts=Parts.of(look.place),
        frames=[_card(one) for one in listed[(number - 1) * PAGE : number * PAGE]], chips=chips, total=len(frames),
        pager={"words": f"第 {number} 页，共 {pages} 页，{len(listed)} 个文件",
               "prev": f"{link}{number - 1}#frames" if number > 1 else None,
               "next": f"{link}{number + 1}#frames" if number < pages else None},
        areas=[{**area, "name": names.get(area["area"], area["area"])} for area in of_round["coverage"]],
        unflyable=_unflyable(look, row["round"]), map_facts=_map_facts(look, row, of_round, found), issues=row["issues"],
        may=look.actor.has("office", "office_head"), taking=row["state"] in ("planned", "receiving"),
        large_bytes=LARGE_BYTES, schematic=look.place.schematic, waiting_uploads=_half(look, ref),
        crumbs=[{"zh": "航次", "href": "/desk/flights"}, {"zh": f"第{row['round']}轮", "href": f"/desk/rounds/{row['round']}"},
                {"zh": _line(row)["at"] or "航次"}],
    )  # fmt: skip


def _half(look: Work, ref: str) -> list[dict[str, Any]]:
    """Files that came in part, with how much of each is here."""
    rows = look.session.scalars(select(m.Upload).join(m.Flight).where(m.Flight.ref == ref, m.Upload.state == "open"))
    return [{"name": row.name, "percent": int(100 * pieces.offset_of(station(), row) / row.bytes)} for row in rows]


def _card(frame: dict[str, Any]) -> dict[str, Any]:
    """One file as the list shows it."""
    return {
        "frame": frame["frame"], "name": frame["name"], "kind": frame["kind"], "state": frame["state"],
        "kind_zh": law.FILE_KINDS.get(frame["kind"], frame["kind"]), "state_zh": law.FRAME_STATES[frame["state"]],
        "error": frame["error"], "faults": [fault["sentence"] for fault in frame["faults"]],
        "at": (frame["taken_at"] or "")[5:19].replace("T", " "),
        "seen": frame["kind"] in ("photo", "raster", "stack") and frame["state"] == "read",
        "ce90_m": frame["ce90_m"], "placed": frame["footprint"] is not None,
    }  # fmt: skip


def _unflyable(look: Work, round_no: int) -> list[dict[str, Any]]:
    query = select(m.Unflyable).outerjoin(m.Round, m.Round.id == m.Unflyable.round_id)
    rows = look.session.scalars(query.where(m.Unflyable.round_id.is_(None) | (m.Round.no == round_no)))
    return [{"outline": row.outline, "reason": row.reason} for row in rows]


def _map_facts(
    look: Work, flight: dict[str, Any], of_round: dict[str, Any], found: list[dict[str, Any]]
) -> dict[str, Any]:
    """What the map's script draws: footprints, gaps, what cannot be flown, and what was recognised."""
    drawn = [one for one in flight["frames"] if one["footprint"] is not None and one["state"] == "read"][:MOST_DRAWN]
    best: dict[str, dict[str, Any]] = {}
    for each in found:  # one mark a thing, or a fishing event, where it was seen best
        key = each["thing"] or each["episode"] or each["detection"]
        if key not in best or each["score"] > best[key]["score"]:
            best[key] = each
    return {
        "flight": flight["flight"], "state": flight["state"],
        "frames": [{"frame": one["frame"], "name": one["name"], "kind": one["kind"], "doubt": bool(one["faults"]),
                    "outline": _thinned(one["footprint"])} for one in drawn],
        "gaps": [{"outline": gap["outline"], "area_m2": gap["area_m2"]} for area in of_round["coverage"] for gap in area["gaps"]],
        "unflyable": _unflyable(look, flight["round"]),
        "things": [_mark(each) for each in best.values()],
    }  # fmt: skip


def _mark(each: dict[str, Any]) -> dict[str, Any]:
    """One pin: what it is, and where a press leads."""
    kind = each["kind"] if each["kind"] in PROBLEMS else "illegal_fishing"  # a person or a boat of a fishing event
    href = next((f"{path}{each[name]}" for name, path in LEADS_TO if each[name]), "")
    return {"key": each["detection"], "kind": kind, "kind_zh": PROBLEMS[kind].zh, "score": each["score"], "href": href,
            "state": each["thing_state"], "lon": each["lon"], "lat": each["lat"], "outline": each["outline"],
            "issue": each["issue"]}  # fmt: skip


def _thinned(outline: dict[str, Any]) -> dict[str, Any]:
    """A photo's footprint by its corners alone; any other as it is."""
    rings = outline["coordinates"]
    if outline["type"] != "Polygon" or len(rings) != 1 or len(rings[0]) != 4 * CORNER_STEP + 1:
        return outline
    ring = rings[0][CORNER_STEP - 1 :: CORNER_STEP]
    return {"type": "Polygon", "coordinates": [[*ring[:4], ring[0]]]}


@door(bp, "POST", "/desk/flights/<flight>/<deed>")
def end_flight(flight: str, deed: str) -> Response:
    """Everything is here, or stop: for those whose browser runs no script, and the same deeds."""
    parse.form_body(request)
    if deed not in ("finish", "cancel"):
        raise Missing
    try:
        with station().work(access.actor()) as work:
            row = deeds.find(work, flight)
            ref = (deeds.finish(work, row) if deed == "finish" else deeds.cancel(work, row)).ref
    except Missing:
        raise
    except PatrolError as error:
        with station().look(access.actor()) as look:
            return draw_flight(look, flight, fault=error.sentence, status=answers.status_of(error))
    return back_to(f"/desk/flights/{ref}", "finish" if deed == "finish" else "stopped")


@door(bp, "GET", "/desk/rounds/<round>")
def one_round(round: str) -> Response:
    """The river as a round saw it, its frames laid on the map; a slider goes through the rounds."""
    parse.query_args(request, ())
    if not (round.isascii() and round.isdigit() and len(round) < 6):
        raise Missing("没有这一轮。")
    with station().look(access.actor()) as look:
        row = deeds.find_round(look, int(round))
        every, names = list(reversed(ask.rounds(look))), _area_names(look)
        flown = [each for each in every if each["state"] == "flown"] or every
        if row.no not in {each["round"] for each in flown}:
            flown = [*flown, *(each for each in every if each["round"] == row.no)]
        for each in flown:
            each["zh"] = law.ROUND_STATES[each["state"]]
            each["coverage"] = [{"name": names.get(area["area"], area["area"]), "words": area["words"],
                                 "complete": area["complete"], "percent": area["percent"]} for area in each["coverage"]]  # fmt: skip
        return page(
            look, "sky/round", "/desk/flights", rounds=sorted(flown, key=lambda each: each["round"]), chosen=row.no,
            parts=Parts.of(look.place), schematic=look.place.schematic, live=sky.latest_live(look),
            flights=[_line(each) for each in ask.flights(look, row.no)],
            crumbs=[{"zh": "航次", "href": "/desk/flights"}, {"zh": f"第{row.no}轮"}],
        )  # fmt: skip


@door(bp, "GET", "/desk/live")
def live_strip() -> str:
    """The strip of what cannot wait, drawn anew for a page that stays open."""
    parse.query_args(request, ())
    with station().look(access.actor()) as look:
        return render_template("pages/sky/live.html", fishing=sky.unanswered(look),
                               office=look.actor.has("office", "office_head"), live=sky.latest_live(look))  # fmt: skip
