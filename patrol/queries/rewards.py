"""Rewards as their readers may see them: the reporter by code, the office with the issue, officers without it.

Nobody's answer holds a payee; an officer's holds no issue number, place or words, so that money and report stay apart.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from sqlalchemy import select

from patrol import models as m
from patrol.queries.words import shown
from patrol.rules import rewards as law
from patrol.rules.problems import PROBLEMS
from patrol.rules.rights import REPORTERS, view_of
from patrol.station import Work

_DEGREE_M = 111_320.0


def of_code(work: Work, row: m.Reward | None, facts: law.Facts) -> dict[str, Any]:
    """What the holder of a code may know of its reward: where it stands, or what it lacks, and the dates."""
    if row is not None:
        return {
            "number": row.number, "state": row.state, "state_zh": law.PUBLIC_STATES[row.state],
            "applied_at": shown(row.applied_at), "decide_by": shown(row.decide_by), "way": row.way,
            "way_zh": law.WAYS[row.way], "payee_given": row.payee_sealed is not None, "amount_yuan": row.amount_yuan,
            "reason": row.reason if row.state == "refused" else "", "paid_at": shown(row.paid_at),
            "may_change_way": row.state in ("applied", "granted"),
        }  # fmt: skip
    lacks = law.unmet(facts)
    answer: dict[str, Any] = {"state": "none", "lacks": [{"code": one.code, "zh": one.refusal} for one in lacks]}
    if facts.state == "closed" and facts.ended_at is not None:
        window = law.window(facts.ended_at, work.calendar)
        answer |= {"tell_by": shown(window.tell_by), "apply_by": shown(window.apply_by), "estimated": window.estimated}
        answer["lapsed"] = not window.open(work.now)
    answer["may_apply"] = not lacks and not answer.get("lapsed", True)
    return answer


def listing(work: Work) -> list[dict[str, Any]]:
    """Every reward, the oldest undecided first; the issue only for those who see issues whole."""
    whole = view_of(work.actor.roles) == "full"
    query = (
        select(m.Reward, m.Issue, m.Sighting, m.PayBatch.number)
        .join(m.Issue, m.Issue.id == m.Reward.issue_id).join(m.Sighting, m.Sighting.id == m.Reward.sighting_id)
        .outerjoin(m.PayBatch, m.PayBatch.id == m.Reward.batch_id).order_by(m.Reward.id)
    )  # fmt: skip
    found = [_row(work, whole, *row) for row in work.session.execute(query)]
    order = {"applied": 0, "granted": 1, "batched": 2, "payable": 3}
    return sorted(found, key=lambda row: order.get(str(row["state"]), 4))


def _row(
    work: Work, whole: bool, row: m.Reward, issue: m.Issue, sighting: m.Sighting, batch: str | None
) -> dict[str, Any]:
    names = people_of(work)
    answer: dict[str, Any] = {
        "reward": row.number, "version": row.version, "state": row.state, "state_zh": law.STATES[row.state],
        "kind": issue.kind, "kind_zh": PROBLEMS[issue.kind].zh, "closed_on": str(shown(issue.ended_at) or "")[:10],
        "applied_at": shown(row.applied_at), "decide_by": shown(row.decide_by),
        "late": row.state == "applied" and work.now > row.decide_by,
        "proposed": row.proposed, "proposed_zh": law.GRADES[row.proposed].zh if row.proposed else "",
        "proposed_words": row.proposed_words, "proposer": names.get(row.proposer_id or 0, ""),
        "decider": names.get(row.decider_id or 0, ""), "grade": row.grade,
        "grade_zh": law.GRADES[row.grade].zh if row.grade else "", "amount_yuan": row.amount_yuan, "reason": row.reason,
        "way": row.way, "way_zh": law.WAYS[row.way], "payee_given": row.payee_sealed is not None, "batch": batch,
        "paid_at": shown(row.paid_at), "flags": [law.FLAGS[code] for code in flags_of(work, sighting, issue)]
        if row.state == "applied" else [],
    }  # fmt: skip
    return answer | ({"issue": issue.number} if whole else {})


def batches(work: Work) -> list[dict[str, Any]]:
    """Payments, the newest first."""
    names = people_of(work)
    return [
        {"batch": row.number, "state": row.state, "state_zh": law.BATCH_STATES[row.state], "yuan": row.total_yuan,
         "maker": names.get(row.maker_id, ""), "approver": names.get(row.approver_id or 0, ""),
         "made_at": shown(row.made_at), "mine": row.maker_id == work.actor.person_id}
        for row in work.session.scalars(select(m.PayBatch).order_by(m.PayBatch.id.desc()).limit(50))
    ]  # fmt: skip


def waiting(work: Work) -> int:
    """How many wait for this actor: to propose for the office, to decide for officers."""
    open_ = select(m.Reward.proposed).where(m.Reward.state == "applied")
    proposed = list(work.session.scalars(open_))
    return sum((one is None) == work.actor.has("office") for one in proposed)


def people_of(work: Work) -> dict[int, str]:
    return {row.id: row.name for row in work.session.execute(select(m.Person.id, m.Person.name))}


def flags_of(work: Work, sighting: m.Sighting, issue: m.Issue) -> list[str]:
    """What the officers should look at before they decide; no flag refuses anything."""
    found = []
    if _near_clue(work, sighting, issue):
        found.append("near_clue")
    told = select(m.Trail.facts).where(m.Trail.issue_id == issue.id, m.Trail.event == "supplemented")
    if any((facts or {}).get("sighting") == sighting.id for facts in work.session.scalars(told)):
        found.append("supplemented")
    if "appealed" in issue.flags:
        found.append("appealed")
    return found


def _near_clue(work: Work, sighting: m.Sighting, issue: m.Issue) -> bool:
    if sighting.lon is None or sighting.lat is None:
        return False
    reach = law.FLAG_M / _DEGREE_M
    query = select(m.Sighting.id).where(
        m.Sighting.kind == sighting.kind, m.Sighting.id != sighting.id, m.Sighting.channel.not_in(REPORTERS),
        m.Sighting.received_at < sighting.received_at,
        m.Sighting.received_at >= sighting.received_at - timedelta(hours=law.FLAG_HOURS),
        m.Sighting.lat.between(sighting.lat - reach, sighting.lat + reach),
        m.Sighting.lon.between(sighting.lon - 1.2 * reach, sighting.lon + 1.2 * reach),
        (m.Sighting.issue_id.is_(None)) | (m.Sighting.issue_id != issue.id),
    )  # fmt: skip
    return work.session.scalar(query.limit(1)) is not None
