"""What a receipt code tells: state and dates, no names, no number, the same shape for every tip."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select

from patrol import models as m
from patrol.errors import Missing
from patrol.gateways import identity
from patrol.queries.words import shown
from patrol.rules.lifecycle import DISMISS_REASONS, PUBLIC_STATES_ZH
from patrol.station import Work

STAGES = ("received", "assigned", "visited", "rectifying", "accepting", "done")
NOT_FOUND = "没有这个查询码，请核对 16 位字母数字。"


def status(work: Work, code: str) -> dict[str, Any]:
    """The state of the report behind a code; unknown and malformed codes look and cost the same."""
    plain = identity.normalise_code(code) or "0" * 16
    digest = identity.receipt_hash(work.keys.pepper, plain)
    sighting = work.session.scalar(select(m.Sighting).where(m.Sighting.receipt_hash == digest))
    # for a code nobody has the same is worked out of some other report, and thrown away: it has to cost the same
    other = work.session.scalar(select(m.Sighting).where(m.Sighting.receipt_hash.is_not(None)).limit(1))
    of = sighting or other
    told = _status(work, of) if of is not None else {}
    if sighting is None:
        raise Missing(NOT_FOUND)
    return told


def _status(work: Work, sighting: m.Sighting) -> dict[str, Any]:
    issue = work.session.get(m.Issue, sighting.issue_id) if sighting.issue_id else None
    while issue is not None and issue.state == "merged" and issue.parent_id is not None:
        issue = work.session.get(m.Issue, issue.parent_id)
    state = issue.state if issue is not None else sighting.state
    dates = _dates(work, issue)
    answer: dict[str, Any] = {
        "state": state, "state_zh": PUBLIC_STATES_ZH[state], "kind": sighting.kind,
        "received_at": shown(sighting.received_at), "steps": [
            {"stage": "received", "zh": "收到了", "at": shown(sighting.received_at)}, *dates,
        ],
    }  # fmt: skip
    if state == "dismissed" and issue is not None:
        answer["reason_zh"] = DISMISS_REASONS.get(str(issue.flags.get("dismiss_reason")), "现场核实不属实")
    if state == "supervised" and issue is not None:
        due = work.session.scalar(
            select(m.Clock.due_at).where(m.Clock.issue_id == issue.id, m.Clock.name == "rectify")
            .order_by(m.Clock.instance.desc()).limit(1)
        )  # fmt: skip
        answer["expected_on"] = str(shown(due))[:10] if due else None
    return answer


_EVENTS = {
    "assigned": ("assigned", "交给单位了"), "on_site": ("visited", "去看过了"), "supervised": ("rectifying", "在整改"),
    "submitted": ("accepting", "正在验收"), "handled_here": ("accepting", "正在验收"), "cleared": ("accepting", "正在验收"),
    "closed": ("done", "办完了"), "forced": ("done", "办完了"),
    "dismissed": ("done", "没有立案"), "transferred": ("done", "转给别的部门了"),
}  # fmt: skip


def _dates(work: Work, issue: m.Issue | None) -> list[dict[str, Any]]:
    if issue is None:
        return []
    query = select(m.Trail.event, m.Trail.at).where(m.Trail.issue_id == issue.id, m.Trail.event.in_(list(_EVENTS)))
    last: dict[str, dict[str, Any]] = {}
    for event, at in work.session.execute(query.order_by(m.Trail.seq)):
        stage, zh = _EVENTS[event]
        last[stage] = {"stage": stage, "zh": zh, "at": shown(at)}
    return [last[stage] for stage in STAGES if stage in last]
