"""Clues: sightings that wait. One person confirms, joins or discards each; nothing expires in silence but machines'."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import select

from patrol import models as m
from patrol.actions import episodes, report
from patrol.actions.followup import stop_review
from patrol.actions.handle.aftermath import remember_sighting
from patrol.actions.handle.mechanism import in_scope as issue_in_scope
from patrol.actions.siting import Near
from patrol.errors import BadInput, Fault, Missing, Refused, WrongStep
from patrol.rules import rights
from patrol.rules.lifecycle import DISCARD_REASONS, FALSE_REASONS, OPEN
from patrol.rules.problems import PROBLEMS
from patrol.station import Work


@dataclass(frozen=True)
class Settled:
    """A clue after its review."""

    sighting: m.Sighting
    issue: m.Issue | None
    joined: bool


def find(work: Work, ref: str, *, waiting: bool = False) -> m.Sighting:
    """A clue in the actor's scope: the office side all, a grid worker those of his grids, the operator fishing."""
    sighting = work.session.scalar(select(m.Sighting).where(m.Sighting.ref == ref))
    if sighting is None or not in_scope(work, sighting):
        raise Missing("没有这条线索，或不归您看。")
    if waiting:
        work.only_one(f"clue:{sighting.id}")
        work.session.refresh(sighting)
        if sighting.state != "waiting":
            raise WrongStep("这条线索已有人处理过。", state=sighting.state)
    return sighting


def in_scope(work: Work, sighting: m.Sighting) -> bool:
    actor = work.actor
    if actor.has("office", "office_head", "chief", "inspector"):
        return True
    if actor.has("operator"):
        return sighting.kind == "illegal_fishing"
    if actor.has("grid"):
        # a grid worker reviews what machines saw in his grids; a person's tip never reaches him as such
        machine = sighting.channel in rights.MACHINE_CHANNELS
        return machine and (actor.grids is None or sighting.grid in actor.grids)
    return False


def confirm(work: Work, ref: str, kind: str | None = None) -> Settled:
    """A person says it is real: it joins the issue it is, or opens one; a relapse opens a linked one."""
    sighting = find(work, ref, waiting=True)
    _may_review(work)
    if kind is not None and kind not in PROBLEMS:
        raise BadInput(Fault("/kind", "unknown_kind", "没有这个问题种类。"))
    # the sighting stays as it came; only what comes of it is of the kind the reviewer says
    kind = kind or sighting.kind
    if kind != sighting.kind:
        sighting.relapse_of = None
    sighting.reviewer_id = work.actor.person_id
    stop_review(work, sighting)
    episodes.reviewed(work, sighting)
    work.only_one(f"join:{kind}")
    found = report.match(work, sighting, kind)
    if sighting.relapse_of is not None and (found is None or found.verdict not in ("join", "still_visible")):
        origin = work.session.get(m.Issue, sighting.relapse_of)
        issue, joined = report.open_issue(work, sighting, (origin, "relapse") if origin else None, kind), False
    elif found is not None and found.verdict == "relapse":
        issue, joined = report.open_issue(work, sighting, (found.issue, "relapse"), kind), False
    else:
        issue, joined = report.settle(work, sighting, found, kind)
    work.tell("clue_confirmed", subject=f"clue:{sighting.id}", issue=issue.number, joined=joined, kind=kind)
    return Settled(sighting, issue, joined)


def join(work: Work, ref: str, number: str) -> Settled:
    """A person says which open issue it is."""
    sighting = find(work, ref, waiting=True)
    _may_review(work)
    issue = work.session.scalar(select(m.Issue).where(m.Issue.number == number))
    if issue is None or issue.state not in OPEN or not issue_in_scope(work, issue):
        raise BadInput(Fault("/issue", "issue", "没有这一件，或它已办结，不能并入。"))
    sighting.reviewer_id = work.actor.person_id
    stop_review(work, sighting)
    episodes.reviewed(work, sighting)
    report.join(work, sighting, issue, still_visible=_newer(issue, sighting))
    work.tell("clue_joined", subject=f"clue:{sighting.id}", issue=issue.number)
    return Settled(sighting, issue, True)


def discard(work: Work, ref: str, reason: str, words: str = "") -> Settled:
    """One person says it is nothing, with a reason code. A machine's false alarm is remembered by place and kind."""
    sighting = find(work, ref, waiting=True)
    _may_review(work)
    if reason not in DISCARD_REASONS:
        known = "、".join(f"{code}（{zh}）" for code, zh in DISCARD_REASONS.items())
        raise BadInput(Fault("/reason", "reason", f"缺理由类别：{known}。"))
    sighting.state, sighting.why, sighting.reviewer_id = "discarded", reason, work.actor.person_id
    stop_review(work, sighting)
    episodes.reviewed(work, sighting)
    work.tell("clue_discarded", subject=f"clue:{sighting.id}", reason=reason, words=words, kind=sighting.kind)
    if reason in FALSE_REASONS:
        remember_sighting(work, sighting)
    return Settled(sighting, None, False)


def _may_review(work: Work) -> None:
    if not work.actor.has("office", "office_head", "grid", "operator"):
        raise Refused("研判由环保办或网格员办。")


def _newer(issue: m.Issue, sighting: m.Sighting) -> bool:
    seen = sighting.seen_at or sighting.received_at
    return issue.state in ("rectified", "verified") and (issue.after_at is None or seen > issue.after_at)


def suggestion(near: Near) -> dict[str, object]:
    """A possible duplicate as it is offered."""
    return {"issue": near.issue.number, "kind": near.issue.kind, "state": near.issue.state,
            "distance_m": round(near.distance_m, 1), "verdict": near.verdict}  # fmt: skip
