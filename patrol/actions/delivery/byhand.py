"""What people do with errands: hand a card over themselves, or have a stuck one tried again."""

from __future__ import annotations

from patrol import models as m
from patrol.errors import Missing
from patrol.station import Work


def handed_over(work: Work, errand_id: int) -> m.Errand:
    """The office pasted a card into a group that has no robot. `push` goes on until confirm_push."""
    errand = _find(work, errand_id, "by_hand", "stuck", "due")
    errand.state, errand.done_at, errand.pushes = "done", work.now, errand.pushes + 1
    errand.answer = {"by_hand": work.actor.person_id}
    issue = work.session.get(m.Issue, errand.issue_id) if errand.issue_id else None
    if issue is not None:
        work.session.refresh(issue, with_for_update=True)
        work.tell("delivered", issue, errand=errand.id, group=errand.group, card=errand.handler, by_hand=True)
    return errand


def replay(work: Work, errand_id: int) -> m.Errand:
    """Try a stuck errand again, from the ladder's foot; a stopped channel is opened with it."""
    errand = _find(work, errand_id, "stuck")
    errand.state, errand.tries, errand.due_at, errand.last_error = "due", 0, work.now, ""
    channel = work.session.get(m.Channel, errand.group) if errand.group else None
    if channel is not None:
        channel.stopped, channel.rests_until, channel.why = False, None, ""
    work.owes = True
    work.tell("errand_replayed", subject=f"errand:{errand.id}", group=errand.group)
    return errand


def _find(work: Work, errand_id: int, *states: str) -> m.Errand:
    errand = work.session.get(m.Errand, errand_id)
    if errand is None or errand.state not in states:
        raise Missing("没有这件待推送，或已经办了。")
    return errand
