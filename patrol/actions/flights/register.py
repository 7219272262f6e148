"""The register of rounds and flights: planned, opened, cancelled; and what cannot be flown, with its reason."""

from __future__ import annotations

import secrets
import uuid
from dataclasses import dataclass
from datetime import date
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from sqlalchemy import func, select, update

from geodata.errors import GeoError
from geodata.merge import outline_facts
from patrol import models as m
from patrol.errors import BadInput, Fault, Missing, WrongStep
from patrol.rules.flights import SOURCES
from patrol.station import Work

LONGEST = {"approval": 64, "drone": 64, "pilot": 64}


@dataclass(frozen=True)
class Plan:
    """What is said of a flight when it is planned or begins. `zone` is the declared zone of the camera's clock."""

    round_no: int | None = None
    source: str = "drone"
    approval: str = ""
    drone: str = ""
    pilot: str = ""
    zone: str = ""
    planned_on: date | None = None
    live: bool = False


def new_ref() -> str:
    return str(uuid.UUID(bytes=secrets.token_bytes(16), version=4))


def open_round(work: Work, no: int | None = None, due_on: date | None = None, words: str = "") -> m.Round:
    """A round by its number, made when it is new; without a number the next one. A due date given again moves it."""
    work.only_one("round")
    if no is None:
        no = (work.session.scalar(select(func.max(m.Round.no))) or 0) + 1
    if not 0 < no < 100_000:
        raise BadInput(Fault("/round", "round", "轮次要写 1 到 99999 的整数。"))
    found = work.session.scalar(select(m.Round).where(m.Round.no == no))
    if found is None:
        found = m.Round(no=no, due_on=due_on, opened_at=work.now, words=words[:500])
        work.session.add(found)
        work.session.flush()
        work.tell("round_opened", subject=f"round:{no}", due_on=due_on.isoformat() if due_on else None)
    elif due_on is not None and due_on != found.due_on:
        work.tell("round_moved", subject=f"round:{no}", old=found.due_on.isoformat() if found.due_on else None,
                  due_on=due_on.isoformat())  # fmt: skip
        found.due_on = due_on
    return found


def find_round(work: Work, no: int) -> m.Round:
    found = work.session.scalar(select(m.Round).where(m.Round.no == no))
    if found is None:
        raise Missing(f"没有第 {no} 轮。")
    return found


def current_round(work: Work) -> m.Round:
    """The newest round that has not been settled, else the next one."""
    found = work.session.scalar(select(m.Round).where(m.Round.settled_at.is_(None)).order_by(m.Round.no).limit(1))
    return found or open_round(work)


def open_flight(work: Work, plan: Plan) -> m.Flight:
    """A flight in its round, planned (with a date, nothing received yet) or about to be received."""
    _check(plan)
    of_round = open_round(work, plan.round_no) if plan.round_no is not None else current_round(work)
    flight = m.Flight(
        ref=new_ref(), round_id=of_round.id, source=plan.source, state="planned" if plan.planned_on else "receiving",
        approval=plan.approval.strip(), drone=plan.drone.strip(), pilot=plan.pilot.strip(), zone=plan.zone,
        planned_on=plan.planned_on, opened_at=work.now, person_id=work.actor.person_id, live=plan.live, warnings=[],
    )  # fmt: skip
    work.session.add(flight)
    work.session.flush()
    work.tell("flight_opened", subject=f"flight:{flight.id}", ref=flight.ref, round=of_round.no, source=plan.source,
              approval=flight.approval, drone=flight.drone, pilot=flight.pilot)  # fmt: skip
    return flight


def _check(plan: Plan) -> None:
    faults = []
    if plan.source not in SOURCES:
        known = "、".join(f"{code}（{zh}）" for code, zh in SOURCES.items())
        faults.append(Fault("/source", "source", f"来源只能是：{known}。"))
    for name, most in LONGEST.items():
        if len(getattr(plan, name)) > most:
            faults.append(Fault(f"/{name}", name, f"{name} 最多 {most} 字。"))
    if plan.zone:
        try:
            ZoneInfo(plan.zone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            faults.append(Fault("/zone", "zone", "时区要写成 Asia/Shanghai 这样的名字；不知道就空着。"))
    if faults:
        raise BadInput(faults)


def find(work: Work, ref: str) -> m.Flight:
    flight = work.session.scalar(select(m.Flight).where(m.Flight.ref == ref))
    if flight is None:
        raise Missing("没有这个航次。")
    return flight


def hold(work: Work, flight_id: int) -> m.Flight:
    """A flight, held until this transaction ends: whoever ends the last frame must see all the others."""
    work.only_one(f"flight:{flight_id}")
    return work.session.scalars(
        select(m.Flight).where(m.Flight.id == flight_id).execution_options(populate_existing=True)
    ).one()


def cancel(work: Work, flight: m.Flight) -> m.Flight:
    """Stop reading a flight. What was already read and told stays; files not read are left as cancelled."""
    flight = hold(work, flight.id)
    if flight.state in ("settled", "cancelled"):
        raise WrongStep("这个航次已处理完或已取消。", state=flight.state)
    flight.state, flight.quiet_at = "cancelled", None
    work.session.execute(
        update(m.Frame).where(m.Frame.flight_id == flight.id, m.Frame.state == "due").values(state="cancelled")
    )
    work.tell("flight_cancelled", subject=f"flight:{flight.id}", ref=flight.ref)
    return flight


def note_unflyable(work: Work, outline: dict[str, Any], reason: str, round_no: int | None = None) -> m.Unflyable:
    """A part of the segment that cannot be flown, and why; in one round, or in all that follow."""
    faults = []
    try:
        outline_facts(outline)
    except GeoError as error:
        faults.append(Fault("/outline", error.code, error.sentence))
    if not 0 < len(reason.strip()) <= 200:
        faults.append(Fault("/reason", "reason", "写明为什么飞不了（200 字以内），如：限飞区、高压线。"))
    if faults:
        raise BadInput(faults)
    of_round = find_round(work, round_no) if round_no is not None else None
    row = m.Unflyable(round_id=of_round.id if of_round else None, outline=outline, reason=reason.strip(),
                      person_id=work.actor.person_id, at=work.now)  # fmt: skip
    work.session.add(row)
    work.session.flush()
    work.tell("unflyable_noted", subject="house", reason=row.reason, round=round_no)
    return row
