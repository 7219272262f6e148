"""The desk's page of many hands: teams, watches, classes, points, catalogue, exchanges, spots and records."""

from __future__ import annotations

import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Any

from flask import Response, request

from patrol import models as m
from patrol.actions import goods, lessons, observing, points, teams
from patrol.errors import BadInput, Fault, Missing, PatrolError
from patrol.queries import hands as rows
from patrol.queries import series as seen
from patrol.rules.calendar import SHANGHAI
from patrol.rules.hands import TEAM_KINDS
from patrol.station import Work
from patrol.web import access, answers, desk_read, parse
from patrol.web.access import door, station
from patrol.web.desk_shell import back_to, bp, page, told

PARTS = {"teams": "队伍和值守", "classes": "生态课堂", "points": "积分和兑换", "spots": "监测"}
Parts = dict[str, Any]


@door(bp, "GET", "/desk/hands")
def list_hands() -> Response:
    args = parse.query_args(request, ("part", "done", "about"))
    with station().look(access.actor()) as look:
        return draw(look, args.get("part", ""), done=told(args.get("done", ""), args.get("about", "")))


def draw(look: Work, part: str, *, done: str = "", sent: Parts | None = None, faults: list[str] | None = None,
         status: int = 200) -> Response:  # fmt: skip
    on = part if part in PARTS else "teams"
    context: Parts = {
        "part": on, "chips": [{"zh": zh, "href": f"/desk/hands?part={code}", "on": code == on} for code, zh in PARTS.items()],
        "may": look.actor.has("office", "office_head"), "sent": sent or {}, "faults": faults or [],
        "client_id": str(uuid.uuid4()), "me_id": look.actor.person_id,
    }  # fmt: skip
    if on == "teams":
        context |= {"teams": rows.teams(look), "members": rows.members(look), "shifts": rows.shifts(look),
                    "kinds": [{"value": code, "zh": row.zh} for code, row in TEAM_KINDS.items()]}  # fmt: skip
    elif on == "classes":
        context |= {"classes": rows.classes(look, to_come=False), "held": rows.held_classes(look)}
    elif on == "points":
        context |= {"goods": rows.goods(look, all_=True), "exchanges": rows.exchanges_of(look),
                    "balances": rows.balances(look), "moves": rows.recent_moves(look)}  # fmt: skip
    else:
        context |= {"spots": seen.spots(look), "records": seen.last_records(look)}
    return page(look, "hands", "/desk/hands", status, done=done, crumbs=[{"zh": "志愿"}], **context)


# --- reading the forms


def _text(parts: Parts, name: str) -> str:
    return str(parts.get(name) or "").strip()


def _whole(parts: Parts, name: str, zh: str, default: int | None = None) -> int:
    text = _text(parts, name)
    if not text and default is not None:
        return default
    sign, digits = (-1, text[1:]) if text.startswith("-") else (1, text)
    if not (digits.isascii() and digits.isdigit() and len(digits) < 10):
        raise BadInput(Fault(f"/{name}", "not_a_number", f"{zh}要写整数。"))
    return sign * int(digits)


def _moment(parts: Parts, day: str, at: str) -> datetime:
    try:
        return datetime.fromisoformat(f"{_text(parts, day)}T{_text(parts, at)}").replace(tzinfo=SHANGHAI)
    except ValueError:
        raise BadInput(Fault(f"/{day}", "day", "没写日期或时间，或写法不对。")) from None


def _k(parts: Parts, name: str) -> float | None:
    text = _text(parts, name)
    if not text:
        return None
    match = desk_read.K_MARK.fullmatch(text)
    if match is None:
        raise BadInput(Fault(f"/{name}", "chainage", "桩号要写成 K1+240 这样。"))
    return float(match[3]) if match[3] else int(match[1]) * 1000 + float(match[2])


def _ids(parts: Parts, name: str) -> list[int]:
    return [int(one) for one in parts.get(name) or [] if one.isascii() and one.isdigit() and len(one) < 10]


# --- what each form does; the second of a row is the part of the page it belongs to


def _team(work: Work, parts: Parts) -> str:
    heads = _whole(parts, "heads", "孩子人数", 0)
    return teams.put_team(work, _text(parts, "name"), _text(parts, "kind"), words=_text(parts, "words"), heads=heads,
                          from_m=_k(parts, "from_k"), to_m=_k(parts, "to_k")).name  # fmt: skip


def _member(work: Work, parts: Parts) -> str:
    team = _whole(parts, "team", "队伍")
    teams.add_member(
        work, team, _text(parts, "name"), leader=bool(parts.get("leader")), of_age=bool(parts.get("of_age"))
    )
    return _text(parts, "name")


def _shift(work: Work, parts: Parts) -> str:
    begins, ends = _moment(parts, "day", "from"), _moment(parts, "day", "to")
    teams.plan_shift(
        work, _whole(parts, "team", "队伍"), begins, ends, _text(parts, "where"), _whole(parts, "wanted", "人数")
    )
    return ""


def _class(work: Work, parts: Parts) -> str:
    begins, ends = _moment(parts, "day", "from"), _moment(parts, "day", "to")
    return lessons.plan(work, _text(parts, "title"), begins, ends, _text(parts, "where"), _whole(parts, "seats", "座位"),
                        _text(parts, "words")).title  # fmt: skip


def _good(work: Work, parts: Parts) -> str:
    return goods.put(work, _text(parts, "name"), _whole(parts, "price", "积分"), _whole(parts, "stock", "库存"),
                     _text(parts, "words"), active=not parts.get("off")).name  # fmt: skip


def _points(work: Work, parts: Parts) -> str:
    target = work.session.get(m.PointAccount, _whole(parts, "account", "账户"))
    if target is None or target.house is not None:
        raise BadInput(Fault("/account", "account", "还没选给谁。"))
    points.by_hand(
        work, target, _whole(parts, "amount", "积分"), _text(parts, "words"), f"hand:{_text(parts, 'client_id')}"
    )
    return ""


def _hold_class(work: Work, parts: Parts) -> str:
    came, children = _whole(parts, "came", "到课人数"), _whole(parts, "children", "孩子", 0)
    lessons.hold(work, _whole(parts, "id", "课"), came, children, frozenset(_ids(parts, "present")))
    return ""


def _spot(work: Work, parts: Parts) -> str:
    chainage_m = _k(parts, "k")
    return observing.put_spot(work, _text(parts, "code"), _text(parts, "name"), -1.0 if chainage_m is None else chainage_m,
                              _text(parts, "bank")).code  # fmt: skip


def _plain(deed: Callable[[Work, Parts], object]) -> Callable[[Work, Parts], str]:
    def run(work: Work, parts: Parts) -> str:
        deed(work, parts)
        return ""

    return run


DEEDS: dict[str, tuple[Callable[[Work, Parts], str], str]] = {
    "team": (_team, "teams"), "member": (_member, "teams"), "shift": (_shift, "teams"),
    "unmember": (_plain(lambda w, p: teams.remove_member(w, _whole(p, "team", "队伍"), _whole(p, "person", "人"))), "teams"),
    "hold": (_plain(lambda w, p: teams.hold(w, _whole(p, "id", "值守"), _ids(p, "present"), _whole(p, "heads", "孩子", 0))), "teams"),
    "drop_shift": (_plain(lambda w, p: teams.cancel_shift(w, _whole(p, "id", "值守"), _text(p, "words"))), "teams"),
    "class": (_class, "classes"), "hold_class": (_hold_class, "classes"),
    "drop_class": (_plain(lambda w, p: lessons.cancel(w, _whole(p, "id", "课"), _text(p, "words"))), "classes"),
    "good": (_good, "points"), "points": (_points, "points"),
    "hand": (lambda w, p: goods.hand_over(w, _text(p, "number")).number, "points"),
    "back": (lambda w, p: goods.take_back(w, _text(p, "number"), _text(p, "words")).number, "points"),
    "reverse": (_plain(lambda w, p: points.reverse(w, _whole(p, "id", "积分"), _text(p, "words"))), "points"),
    "spot": (_spot, "spots"),
    "drop": (_plain(lambda w, p: observing.drop(w, _whole(p, "id", "记录"), _text(p, "words"))), "spots"),
}  # fmt: skip


@door(bp, "POST", "/desk/hands/<deed>")
def do_hand(deed: str) -> Response:
    if deed not in DEEDS:
        raise Missing
    parts = parse.form_body(request, many=("present",))
    act, part = DEEDS[deed]
    try:
        with station().work(access.actor()) as work:
            name = act(work, parts)
    except PatrolError as error:
        faults = [f.sentence for f in error.faults] if isinstance(error, BadInput) else [error.sentence]
        with station().look(access.actor()) as look:
            return draw(look, part, sent={**parts, "deed": deed}, faults=faults, status=answers.status_of(error))
    return back_to(f"/desk/hands?part={part}", deed, name)
