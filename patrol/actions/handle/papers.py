"""What each slip of a step says, gathered at the moment it is frozen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import Select, select

from patrol import models as m
from patrol.actions import clocks, slips
from patrol.rules import lifecycle
from patrol.rules.problems import PROBLEMS
from patrol.station import Work

if TYPE_CHECKING:
    from patrol.actions.handle.steps import Doing


def photos_of(issue: m.Issue, *stages: str) -> Select[m.Photo]:
    """The photos of an issue in some stages, oldest first."""
    return select(m.Photo).where(m.Photo.issue_id == issue.id, m.Photo.stage.in_(stages)).order_by(m.Photo.id)


def _photos(work: Work, issue: m.Issue, *stages: str, most: int = 3) -> list[m.Photo]:
    return list(work.session.scalars(photos_of(issue, *stages)))[-most:]


def person(work: Work, person_id: int | None) -> str:
    """The name printed for a person."""
    row = work.session.get(m.Person, person_id) if person_id is not None else None
    return row.name if row else "系统规则"


def assignment(doing: Doing) -> m.Slip:
    work, issue = doing.work, doing.issue
    # a tip's own photo never leaves the office unless an office person released it
    seen = [p for p in _photos(work, issue, "frame", "check", "before", most=9) if p.stage == "frame" or p.released]
    released = [p for p in _photos(work, issue, "report", most=9) if p.released]
    facts = slips.limit_facts(work, issue) | {
        "marks": slips.marks(issue) or None,
        "signatures": [
            {"label": "签发", "name": person(work, issue.assigner_id), "at": slips.shown(work.now)},
            {"label": "签收"},
        ],
    }
    if doing.body.get("words"):
        facts["requirement"] = f"{PROBLEMS[issue.kind].requirement}{doing.body['words']}"
    return slips.freeze(work, issue, "assignment", facts, photos=[*seen, *released][:3])


def supervision(doing: Doing) -> m.Slip:
    work, issue = doing.work, doing.issue
    on_site = clocks.last(work, issue, "on_site")
    half1 = _line(work, issue, "on_site", "handled_here", "checked", "supervised", "cleared")
    facts: dict[str, Any] = slips.limit_facts(work, issue) | {
        "marks": slips.marks(issue) or None,
        "finding": lifecycle.FINDINGS.get(issue.half1 or "true"),
        "checked_by": person(work, issue.checker_id),
        "checked_at": slips.shown(half1.at if half1 is not None else work.now),
        "related": [slip.printed_number for slip in slips.of(work, issue, "assignment")][-1:] or None,
        "signatures": [{"label": "核实"}, {"label": "确认"}],
    }
    if issue.confirmer_id is not None:
        how = str(issue.flags.get("confirmed_how", "案头"))
        facts |= {"confirmed_by": person(work, issue.confirmer_id), "confirmed_at": slips.shown(work.now),
                  "confirmed_how": how}  # fmt: skip
    if on_site is not None:
        used_min = clocks.reading(work, on_site).used_s // 60
        facts["on_site_used"] = f"用时 {used_min} 分（时限 {clocks.first_limit(on_site).zh}）"
    if issue.round > 1 and doing.body.get("reason"):
        facts["finding_words"] = f"第 {issue.round} 轮，验收不合格：{doing.body['reason']}"
    elif doing.body.get("words") or doing.body.get("reason"):
        facts["finding_words"] = doing.body.get("words") or doing.body["reason"]
    pictures = [*_photos(work, issue, "before", most=2), *_photos(work, issue, "during", most=1),
                *_photos(work, issue, "after", "send_back", most=2)]  # fmt: skip
    if not pictures:
        pictures = _photos(work, issue, "frame")
    return slips.freeze(work, issue, "supervision", facts, photos=pictures)


def closure(doing: Doing) -> m.Slip:
    work, issue = doing.work, doing.issue
    submitted = _line(work, issue, "submitted", "cleared", "handled_here")
    verified = _line(work, issue, "verified")
    forced = "forced" in issue.flags
    answers = issue.flags.get("checklist") or {}
    facts: dict[str, Any] = {
        "marks": slips.marks(issue) or None, "timeliness": slips.timeliness(work, issue),
        "closed_by": person(work, doing.actor), "closed_at": slips.shown(work.now),
        "rework_rounds": max(0, issue.round - 1 - int(issue.flags.get("reopened", 0))),
        "related": [slip.printed_number for slip in slips.of(work, issue)
                    if slip.kind in ("assignment", "supervision")][-4:] or None,
        "feedback_words": "留有查询码或电话的反映人，凭查询码可查结果，15 天内可申请重办。",
        "look_back_words": "按月抽查回头看；销号人、验收人不参加。",
        "signatures": [{"label": "销号", "name": person(work, doing.actor), "at": slips.shown(work.now)},
                       {"label": "责任单位"}],
    }  # fmt: skip
    if submitted is not None:
        facts |= {"submitted_by": person(work, issue.submitter_id), "submitted_at": slips.shown(submitted.at)}
        facts["result"] = str((submitted.facts or {}).get("words") or "") or None
    if verified is not None and issue.verifier_id is not None:
        facts |= {"verified_by": person(work, issue.verifier_id), "verified_at": slips.shown(verified.at)}
        facts["checklist"] = [{"text": text, "ok": ok} for text, ok in answers.items()][:30] or None
    if forced:
        facts["reason"] = str(doing.body.get("reason", ""))
        facts["result"] = f"强制结案，未经验收：{doing.body.get('reason', '')}"
    pictures = [*_photos(work, issue, "before", "frame", most=1), *_photos(work, issue, "during", most=1),
                *_photos(work, issue, "after", most=1), *_photos(work, issue, "accept", most=1)]  # fmt: skip
    return slips.freeze(work, issue, "closure", facts, photos=pictures)


def dismissal(doing: Doing) -> m.Slip:
    work, issue = doing.work, doing.issue
    code = str(issue.flags.get("dismiss_reason") or "not_found")
    words = f"{lifecycle.DISMISS_REASONS[code]}。{doing.body.get('reason', '')}"
    facts = {
        "reason": words, "decided_by": person(work, work.actor.person_id), "decided_at": slips.shown(work.now),
        "signatures": [{"label": "提出", "name": person(work, doing.actor)}, {"label": "批准", "name": person(work, work.actor.person_id)}],
    }  # fmt: skip
    return slips.freeze(work, issue, "dismissal", facts, photos=_photos(work, issue, "check", "before"))


def transfer(doing: Doing) -> m.Slip:
    work, issue = doing.work, doing.issue
    facts = {
        "reason": doing.body["reason"], "receiver": doing.body["receiving_body"],
        "decided_by": person(work, doing.actor), "decided_at": slips.shown(work.now),
        "materials": [slip.printed_number for slip in slips.of(work, issue)][:30] or None,
        "signatures": [{"label": "移送"}, {"label": "接收"}],
    }  # fmt: skip
    return slips.freeze(work, issue, "transfer", facts, photos=_photos(work, issue, "frame", "before"))


def look_back(doing: Doing) -> m.Slip:
    work, issue = doing.work, doing.issue
    facts = {
        "visited_by": person(work, doing.actor), "visited_at": slips.shown(work.now),
        "outcome": lifecycle.LOOK_BACK_FINDINGS[doing.body["finding"]],
        "outcome_words": doing.body.get("reason") or doing.body.get("words"),
        "signatures": [{"label": "回访人", "name": person(work, doing.actor)}],
    }  # fmt: skip
    return slips.freeze(work, issue, "look_back", facts, photos=_photos(work, issue, "look_back"), revise=False)


def _line(work: Work, issue: m.Issue, *events: str) -> m.Trail | None:
    query = select(m.Trail).where(m.Trail.issue_id == issue.id, m.Trail.event.in_(events))
    return work.session.scalar(query.order_by(m.Trail.seq.desc()).limit(1))
