"""What each step does beyond its row of STEPS: one function a row, registered under the row's name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, time
from typing import Any

from patrol import models as m
from patrol.actions import clocks, photos, siting
from patrol.actions.handle import aftermath, papers
from patrol.errors import BadInput, Fault
from patrol.rules import lifecycle
from patrol.rules.calendar import SHANGHAI
from patrol.rules.evidence import Case
from patrol.rules.lifecycle import Step
from patrol.rules.problems import PROBLEMS
from patrol.station import Work


@dataclass
class Doing:
    """One step being carried out."""

    work: Work
    issue: m.Issue
    row: Step
    case: Case
    body: dict[str, Any]
    photos: list[m.Photo]
    request: m.Request | None
    extra: dict[str, Any]  # what the decider added

    @property
    def actor(self) -> int | None:
        """The person whose step it is: the asker of an asked step."""
        return self.request.asker_id if self.request is not None else self.work.actor.person_id


@dataclass(frozen=True)
class Done:
    """What a step's function leaves for the mechanism: the event, its facts, and where it departs from its row."""

    event: str
    facts: dict[str, Any] = field(default_factory=dict)
    to: str | None = None
    effects: Sequence[str] | None = None
    given: dict[str, Any] = field(default_factory=dict)
    slip: Callable[[Doing], m.Slip] | None = None
    restep: bool = False


Apply = Callable[[Doing], Done]
APPLY: dict[str, Apply] = {}


def step(*names: str) -> Callable[[Apply], Apply]:
    """Register a function under rows of STEPS."""

    def keep(apply: Apply) -> Apply:
        for name in names:
            APPLY[name] = apply
        return apply

    return keep


def take_site(doing: Doing, method: str) -> dict[str, Any]:
    """Let a person's declared position become the issue's own; returns what moved, for the trail."""
    work, issue, given = doing.work, doing.issue, doing.body.get("position")
    if not given:
        return {}
    at = siting.site(work, given, method)
    old = [issue.lon, issue.lat]
    issue.lon, issue.lat, issue.accuracy_m = round(at.lon, 7), round(at.lat, 7), at.accuracy_m
    issue.chainage_m, issue.bank, issue.grid, issue.cell = at.chainage_m, at.bank, at.grid or issue.grid, at.cell
    issue.position_method, issue.position_confirmed = method, True
    return {"position_old": old, "position_new": [issue.lon, issue.lat]}


def flag(issue: m.Issue, name: str, value: Any = True) -> None:
    issue.flags = {**issue.flags, name: value}


def unflag(issue: m.Issue, *names: str) -> None:
    issue.flags = {name: value for name, value in issue.flags.items() if name not in names}


@step("check")
def _check(doing: Doing) -> Done:
    issue, found = doing.issue, doing.body.get("found", True)
    facts: dict[str, Any] = {"found": found}
    inside = doing.case.fix is not None and doing.case.fix.beyond_m <= 0
    if found and inside:
        issue.checker_id = doing.actor
        if issue.lon is None:
            facts |= take_site(doing, "check")
        issue.position_confirmed = True
        if doing.photos:
            # the photo inside the fence serves as half 1 of supervise and stands as the before picture
            issue.half1 = "true"
            for photo in doing.photos:
                photo.stage = "before"
            facts["half1"] = True
    return Done("checked", facts)


@step("waive_check")
def _waive_check(doing: Doing) -> Done:
    return Done("check_waived")


@step("assign")
def _assign(doing: Doing) -> Done:
    work, issue, body = doing.work, doing.issue, doing.body
    facts = take_site(doing, "office")
    if body.get("kind"):
        issue.kind = body["kind"]
    issue.lead_unit, issue.assisting = body["lead_unit"], list(body.get("assisting") or [])
    issue.assigner_id, issue.assigned_at = doing.actor, work.now
    if body.get("words"):
        issue.words = body["words"]
    _release(doing)
    begin_receive(work, issue)
    facts |= {"lead_unit": issue.lead_unit, "assisting": issue.assisting, "kind": issue.kind}
    limit = body.get("limit")
    if limit is not None:
        facts["limit"] = limit.to_json()
    return Done("assigned", facts, given={"limit": limit}, slip=papers.assignment)


def begin_receive(work: Work, issue: m.Issue) -> None:
    """`receive` starts at delivery to the unit: at once for an account or paper, at the robot's word otherwise."""
    unit = work.place.units.get(issue.lead_unit or "")
    old = clocks.live(work, issue, "receive")
    if old:
        clocks.stop(work, old, "cancelled")
    unflag(issue, "deemed_received")
    if unit is not None and unit.reach == "robot" and work.station.robots.get(f"unit:{unit.code}"):
        return
    clocks.start(work, "receive", issue=issue, urgent=PROBLEMS[issue.kind].urgent)


def _release(doing: Doing) -> None:
    refs = doing.body.get("release") or []
    photos.release(doing.work, doing.issue, [photos.find(doing.work, doing.issue, ref) for ref in refs])


@step("confirm_push")
def _confirm_push(doing: Doing) -> Done:
    how = "chief" if doing.work.actor.has("chief") else "screenshot"
    return Done("push_confirmed", {"how": how})


@step("receive")
def _receive(doing: Doing) -> Done:
    by = "unit" if doing.work.actor.has("unit") else "signed_paper"
    return Done("received", {"by": by})


@step("return")
def _return(doing: Doing) -> Done:
    issue = doing.issue
    issue.returns += 1
    facts = _hand_over(doing, issue)
    return Done("returned", facts, effects=_reset_if_mistake(doing), slip=papers.assignment)


@step("reassign")
def _reassign(doing: Doing) -> Done:
    facts = _hand_over(doing, doing.issue)
    return Done("reassigned", facts, effects=_reset_if_mistake(doing), slip=papers.assignment)


def _hand_over(doing: Doing, issue: m.Issue) -> dict[str, Any]:
    old = issue.lead_unit
    issue.lead_unit, issue.assisting = doing.body["lead_unit"], list(doing.body.get("assisting") or [])
    if issue.assigned_at is None:  # handled on the spot and sent back: this is its first dispatch to anybody
        issue.assigner_id, issue.assigned_at = doing.work.actor.person_id, doing.work.now
    begin_receive(doing.work, issue)
    return {"old_unit": old, "lead_unit": issue.lead_unit, "mistake": bool(doing.body.get("office_mistake"))}


def _reset_if_mistake(doing: Doing) -> Sequence[str]:
    """Only an office's own mistake starts `rectify` anew; the old instance keeps its end."""
    return ("cancel:rectify", "start:rectify") if doing.body.get("office_mistake") else ()


@step("supervise", "supervise_gone", "supervise_false")
def _supervise(doing: Doing) -> Done:
    work, issue, case = doing.work, doing.issue, doing.case
    finding = doing.body.get("finding") or issue.half1 or "true"
    facts: dict[str, Any] = {"finding": finding}
    if case.as_grid and doing.request is None:
        was = issue.half1
        issue.half1, issue.checker_id = finding, doing.actor
        if case.fix is not None:
            facts["beyond_m"] = round(case.fix.beyond_m, 1)
            facts["accuracy_m"] = case.fix.accuracy_m
        if finding == "moved" or issue.lon is None:
            facts |= take_site(doing, "on_site")
        if finding in ("true", "moved"):
            issue.position_confirmed = True
        facts["half"] = 1
        if finding in ("gone", "false") and (issue.half2 or was):
            issue.half2 = False  # the office confirmed something else; it looks again
        if not issue.half2:
            return Done("on_site", facts, to=issue.state, effects=("stop:on_site",))
    else:
        issue.confirmer_id, issue.half2 = work.actor.person_id, True
        facts |= {"half": 2, "on_site": bool(doing.body.get("on_site"))}
        flag(issue, "confirmed_how", "现场" if doing.body.get("on_site") else "案头")
        if not issue.half1:
            return Done("half_confirmed", facts, to=issue.state, effects=())
    return _both_halves(doing, issue.half1 or finding, facts)


def _both_halves(doing: Doing, finding: str, facts: dict[str, Any]) -> Done:
    work, issue = doing.work, doing.issue
    if finding == "gone":
        for photo in work.session.scalars(papers.photos_of(issue, "before", "check")):
            if photo.step == "supervise_gone" and photo.round == issue.round:
                photo.stage = "after"  # today's picture; the sighting's own stands as before
        issue.submitter_id, issue.after_at = issue.checker_id, work.now
        flag(issue, "cleared")
        gone = ("stop:on_site", "stop:rectify", "start:accept")
        return Done("cleared", facts, to="rectified", effects=gone, slip=papers.supervision)
    if finding == "false":
        flag(issue, "false_report")
        aftermath.remember_false_spot(work, issue)
        return Done("dismissed", facts, to="dismissed", effects=("stop_all",), slip=papers.dismissal)
    return Done("supervised", facts, to="supervised", effects=("stop:on_site",), slip=papers.supervision)


@step("handle_here")
def _handle_here(doing: Doing) -> Done:
    issue = doing.issue
    issue.half1, issue.half2, issue.checker_id, issue.submitter_id = "true", True, doing.actor, doing.actor
    issue.after_at = doing.work.now
    if issue.lon is None:
        take_site(doing, "on_site")
    issue.position_confirmed = True
    if doing.body.get("area_m2") is not None:
        issue.area_m2 = doing.body["area_m2"]
    flag(issue, "here")
    return Done("handled_here", {}, slip=papers.supervision)


@step("progress")
def _progress(doing: Doing) -> Done:
    recorded_for = doing.work.actor.has("office", "office_head") and not doing.work.actor.has("unit", "grid")
    return Done("progressed", {"recorded_for_unit": recorded_for})


@step("extend")
def _extend(doing: Doing) -> Done:
    issue, by = doing.issue, doing.body["by"]
    issue.extensions += 1
    asked = doing.request.asked_at if doing.request else doing.work.now
    return Done("extended", {"by": by.to_json(), "nth": issue.extensions}, given={"by": by, "asked_at": asked})


@step("suspend")
def _suspend(doing: Doing) -> Done:
    issue, on = doing.issue, doing.body["review_on"]
    until = datetime.combine(on, time(0), SHANGHAI)
    if until <= doing.work.now:
        raise BadInput(Fault("/review_on", "review_on", "复核日期已过，请责任单位重新申请。"))
    # asked while it is suspended it is a renewal: the old pause ends and the new one begins at one instant
    renewal = ("resume:on_site", "resume:rectify") if "suspended" in issue.flags else ()
    issue.suspended_until = until
    flag(issue, "suspended", {"condition": doing.body["condition"], "until": on.isoformat()})
    facts = {"condition": doing.body["condition"], "review_on": on.isoformat()}
    facts["renewed"] = bool(renewal)
    return Done("suspended", facts, effects=(*renewal, *doing.row.clocks), given={"cause": "suspend", "until": until})


@step("resume")
def _resume(doing: Doing) -> Done:
    unflag(doing.issue, "suspended")
    doing.issue.suspended_until = None
    return Done("resumed", {}, given={"cause": "suspend"})


@step("submit")
def _submit(doing: Doing) -> Done:
    issue = doing.issue
    issue.submitter_id, issue.after_at = doing.actor, doing.work.now
    if issue.state == "assigned":
        # the check that was never made stays with the office, and the slip's absence says so
        flag(issue, "unchecked")
    unflag(issue, "still_visible")
    return Done("submitted", {"round": issue.round}, given={"cause": "accept"})


@step("send_back")
def _send_back(doing: Doing) -> Done:
    issue = doing.issue
    issue.round += 1
    issue.submitter_id = issue.verifier_id = issue.acceptor_id = issue.after_at = None
    issue.expected_photos = 0  # a phone that was lost on the way must not hold up the next round
    unflag(issue, "still_visible", "checklist")
    if issue.round >= lifecycle.PRESS_AT_ROUND:
        flag(issue, "pressed", {"by": "round", "round": issue.round})
    return Done("sent_back", {"round": issue.round}, given={"cause": "accept"}, slip=papers.supervision)


@step("name_acceptor")
def _name_acceptor(doing: Doing) -> Done:
    doing.issue.acceptor_id = doing.body["acceptor"]
    return Done("acceptor_named", {"acceptor": doing.body["acceptor"]})


@step("verify")
def _verify(doing: Doing) -> Done:
    issue = doing.issue
    issue.verifier_id = doing.actor
    if doing.body.get("looked_again"):
        unflag(issue, "still_visible")
    flag(issue, "checklist", doing.body.get("checklist") or {})
    return Done("verified", {"checklist": doing.body.get("checklist"), "round": issue.round})


@step("close")
def _close(doing: Doing) -> Done:
    doing.issue.closer_id = doing.actor
    if doing.body.get("looked_again"):
        unflag(doing.issue, "still_visible")
    return Done("closed", {}, slip=papers.closure)


@step("force_close")
def _force_close(doing: Doing) -> Done:
    issue = doing.issue
    issue.closer_id = doing.actor if doing.actor != issue.verifier_id else None
    flag(issue, "forced")
    return Done("forced", {}, slip=papers.closure)


@step("press")
def _press(doing: Doing) -> Done:
    flag(doing.issue, "pressed", {"by": doing.work.actor.role, "words": doing.body.get("words", "")[:200]})
    return Done("pressed", {})


@step("dismiss")
def _dismiss(doing: Doing) -> Done:
    code = doing.body["reason_code"]
    flag(doing.issue, "dismiss_reason", code)
    if code in ("not_found", "not_a_problem"):
        aftermath.remember_false_spot(doing.work, doing.issue)
    return Done("dismissed", {"reason_code": code}, slip=papers.dismissal)


@step("transfer")
def _transfer(doing: Doing) -> Done:
    flag(doing.issue, "receiving_body", doing.body["receiving_body"])
    return Done("transferred", {"receiving_body": doing.body["receiving_body"]}, slip=papers.transfer)


@step("reopen")
def _reopen(doing: Doing) -> Done:
    return reopen(doing.work, doing.issue, doing.row)


def reopen(work: Work, issue: m.Issue, row: Step) -> Done:
    """Open an ended issue again: a new round, new clock instances, and nobody's earlier word counts for it."""
    to = lifecycle.REOPEN_TO[issue.state]
    issue.round += 1
    issue.half1, issue.half2 = None, False
    issue.submitter_id = issue.verifier_id = issue.closer_id = issue.acceptor_id = issue.checker_id = None
    issue.ended_at = issue.after_at = None
    issue.expected_photos = 0
    unflag(issue, "forced", "checklist", "dismiss_reason", "receiving_body", "still_visible", "cleared", "here")
    flag(issue, "reopened", int(issue.flags.get("reopened", 0)) + 1)
    if to == "reported" or issue.lead_unit is None:
        return Done("reopened", {"round": issue.round}, to="reported", effects=("start:push",))
    begin_receive(work, issue)
    return Done("reopened", {"round": issue.round}, to=to, effects=row.clocks, slip=papers.assignment)


@step("look_back")
def _look_back(doing: Doing) -> Done:
    finding, facts = doing.body["finding"], {"finding": doing.body["finding"]}
    if finding == "relapse":
        facts["relapse"] = aftermath.open_relapse(doing.work, doing.issue, doing.body.get("reason", "")).number
    flag(doing.issue, "looked_back", {"finding": finding, "at": doing.work.now.isoformat()})
    return Done("looked_back", facts, slip=papers.look_back)


@step("appeal")
def _appeal(doing: Doing) -> Done:
    work, issue, against = doing.work, doing.issue, doing.body["against"]
    unflag(issue, "appealed")
    if against in ("dismissed", "transferred"):
        done = reopen(work, issue, lifecycle.STEPS["reopen"])
        return Done(done.event, {**done.facts, "appeal": against}, done.to, done.effects, done.given, done.slip)
    if against == "late":
        # never rewritten: the lateness stays, the figure leaves it out
        for clock in clocks.of(work, issue):
            if clock.state in ("met_late", "missed") or (clock.due_at and clock.due_at <= work.now):
                clock.exempt = True
        flag(issue, "exempt")
    return Done("appealed", {"against": against, "outcome": "upheld"})
