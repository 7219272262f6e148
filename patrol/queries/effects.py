"""What two rounds say of an issue's treatment, newest first, as its page shows it."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import aliased

from patrol import models as m
from patrol.errors import Missing
from patrol.queries.words import shown
from patrol.station import Work

WORDS: dict[str, str] = {
    "resolved": "已消除", "reduced": "有减轻", "unchanged": "没有变化", "worse": "加重了", "not_observed": "未观测",
}  # fmt: skip


def of_issue(look: Work, issue: m.Issue) -> list[dict[str, Any]]:
    """Comparisons of an issue's place between rounds; `not_observed` says nothing of the treatment."""
    before, after = aliased(m.Frame), aliased(m.Frame)
    earlier, later = aliased(m.Flight), aliased(m.Flight)
    first, last = aliased(m.Round), aliased(m.Round)
    query = (
        select(m.Effect, first.no, last.no)
        .join(before, before.id == m.Effect.before_id).join(earlier, earlier.id == before.flight_id)
        .join(first, first.id == earlier.round_id)
        .join(after, after.id == m.Effect.after_id).join(later, later.id == after.flight_id)
        .join(last, last.id == later.round_id)
        .where(m.Effect.issue_id == issue.id).order_by(m.Effect.id.desc())
    )  # fmt: skip
    return [_view(issue, row, one, other) for row, one, other in look.session.execute(query)]


def find(look: Work, issue: m.Issue, ref: str) -> m.Effect:
    row = look.session.scalar(select(m.Effect).where(m.Effect.ref == ref, m.Effect.issue_id == issue.id))
    if row is None:
        raise Missing("没有这次对比，或不归您看。")
    return row


def _view(issue: m.Issue, row: m.Effect, before_round: int, after_round: int) -> dict[str, Any]:
    base = f"/api/v1/issues/{issue.number}/effects/{row.ref}"
    drawn = row.before_sha256 is not None and row.after_sha256 is not None
    return {
        "effect": row.ref, "verdict": row.verdict, "words": WORDS[row.verdict], "reason": row.facts.get("reason", ""),
        "before_url": f"{base}/before.jpg" if drawn else None, "after_url": f"{base}/after.jpg" if drawn else None,
        "bounds": row.bounds, "before_round": before_round, "after_round": after_round, "at": shown(row.at),
        "facts": row.facts,
    }  # fmt: skip
