"""What a reporter does later with the receipt code alone: add words, ask to reopen, appeal, say how it went.

No name, account or session stands behind these deeds. An unknown code is Missing, the same for every deed. What the
reporter writes goes to the trail, which the office side reads; it is never put on a slip or shown to a unit.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import select

from patrol import models as m
from patrol.actions import handle
from patrol.errors import BadInput, Fault, Missing, WrongStep
from patrol.gateways import identity
from patrol.rules.lifecycle import PUBLIC_STATES_ZH
from patrol.station import ANYONE, Work

REPORTER = replace(ANYONE, name="反映人", roles=frozenset({"reporter"}))
NOT_FOUND = "没有这个查询码，请核对 16 位字母数字。"
RATED = frozenset({"closed", "dismissed", "transferred"})
MOST_SUPPLEMENTS = 20
STARS = (1, 5)


def find(work: Work, code: str) -> m.Sighting:
    """The report behind a code; unknown and malformed codes look and cost the same."""
    digest = identity.receipt_hash(work.keys.pepper, identity.normalise_code(code) or "0" * 16)
    sighting = work.session.scalar(select(m.Sighting).where(m.Sighting.receipt_hash == digest))
    if sighting is None:
        raise Missing(NOT_FOUND)
    return sighting


def issue_of(work: Work, sighting: m.Sighting) -> m.Issue | None:
    """The issue a report has become, through every merge, its row held; None while it waits as a clue."""
    issue = work.session.get(m.Issue, sighting.issue_id) if sighting.issue_id is not None else None
    while issue is not None and issue.state == "merged" and issue.parent_id is not None:
        issue = work.session.get(m.Issue, issue.parent_id)
    return handle.find_issue(work, issue.number, lock=True) if issue is not None else None


def supplement(work: Work, code: str, words: str) -> None:
    """More words to a report that is already in."""
    sighting = find(work, code)
    if "words" in sighting.erased:
        raise WrongStep("这件办结已久，说过的话已按期抹掉，请重新举报或打电话。", "kept_no_longer")
    issue = issue_of(work, sighting)
    if len(_told(work, sighting, issue, "supplemented")) >= MOST_SUPPLEMENTS:
        raise WrongStep(f"已补充 {MOST_SUPPLEMENTS} 次，请重新举报或打电话。", "too_many")
    subject = None if issue is not None else f"clue:{sighting.id}"
    facts: dict[str, Any] = {"sighting": sighting.id, "kind": sighting.kind, "words": words}
    work.tell("supplemented", issue, subject=subject, **facts)


def ask(work: Work, code: str, verb: str, body: dict[str, Any]) -> m.Request | None:
    """Ask to reopen, or appeal, by the same law as everybody; another person decides."""
    sighting = find(work, code)
    issue = issue_of(work, sighting)
    if issue is None:
        raise WrongStep(f"这件现在是「{PUBLIC_STATES_ZH[sighting.state]}」，还不能办这一步。", step=verb)
    return handle.act(work, issue.number, verb, body, issue.version, sighting=sighting).request


def rate(work: Work, code: str, stars: int, solved: bool, words: str = "") -> None:
    """How it went, in the reporter's own view; once for each ending."""
    sighting = find(work, code)
    issue = issue_of(work, sighting)
    if issue is None or issue.state not in RATED:
        raise WrongStep("办完以后才能评价。", "not_ended")
    if not STARS[0] <= stars <= STARS[1]:
        raise BadInput(Fault("/stars", "stars", f"评价要写 {STARS[0]} 到 {STARS[1]} 的整数。"))
    if any(fact.get("round") == issue.round for fact in _told(work, sighting, issue, "rated")):
        raise WrongStep("您已评价过，谢谢。", "already_rated")
    facts: dict[str, Any] = {
        "sighting": sighting.id,
        "stars": stars,
        "solved": solved,
        "round": issue.round,
        "words": words,
    }
    work.tell("rated", issue, **facts)


def _told(work: Work, sighting: m.Sighting, issue: m.Issue | None, event: str) -> list[dict[str, Any]]:
    """The facts of what this report's code did before."""
    about = m.Trail.subject == f"clue:{sighting.id}"
    if issue is not None:
        about |= m.Trail.issue_id == issue.id
    lines = work.session.scalars(select(m.Trail).where(about, m.Trail.event == event))
    return [line.facts for line in lines if line.facts and line.facts.get("sighting") == sighting.id]
