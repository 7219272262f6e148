"""Which steps the desk offers for an issue, in what order, by which key and in whose words.

The law says what may be done (`handle.may`); this only leaves out what no form could ever fill.
"""

from __future__ import annotations

from typing import Any

from patrol import models as m
from patrol.actions import handle
from patrol.rules import lifecycle
from patrol.station import Work

KEYS = {"assign": "A", "merge": "M", "dismiss": "D", "extend": "E", "reassign": "R", "verify": "Y", "send_back": "X",
        "press": "U"}  # fmt: skip
FIRST = ("assign", "supervise", "verify", "close")  # what a state waits for from the desk


def doable(work: Work, issue: m.Issue, entry: dict[str, Any]) -> bool:
    """Whether a form could ever fill what this step lacks; what only time or another state mends has no button."""
    codes = {lack["code"] for lack in entry["missing"]}
    if entry["step"] == "receive" and not work.actor.has("unit"):
        unit = work.place.units.get(issue.lead_unit or "")
        return unit is not None and unit.reach == "paper"
    return not codes & BEYOND_FORMS


BEYOND_FORMS = {"suspended", "seen_again_if_verified", "of_lead_unit", "appeal_in_time", "not_suspended", "half_open", "returns_left", "extensions_left", "before_due", "kind_here",
                "assignment_slip", "submit_from_assigned_only_when_on_site_red"}  # fmt: skip


def said(work: Work, issue: m.Issue, entry: dict[str, Any]) -> str:
    """The words of a step's button; the office's half of 督办 is a confirmation of what was found."""
    if entry["step"] == "supervise" and not work.actor.has("grid"):
        return f"确认“{lifecycle.FINDINGS[issue.half1]}”" if issue.half1 in lifecycle.FINDINGS else "办公室先确认"
    return str(entry["zh"])


def steps_for(look: Work, issue: m.Issue, asked: str = "") -> list[dict[str, Any]]:
    """What this person may do now, in the order of a form's worth; `asked` stays whatever it lacks."""
    running = {clock.name for clock in look.session.query(m.Clock).filter_by(issue_id=issue.id, state="running")}
    entries = [{**entry, "zh": said(look, issue, entry)} for entry in handle.may(look, issue)
               if entry["step"] == asked or (doable(look, issue, entry)
                                             and STOPS.get(entry["step"], "") in {"", *running})]  # fmt: skip
    return sorted(entries, key=lambda entry: _rank(entry["step"]))


def _turns(issue: m.Issue, step: str) -> bool:
    """Whether a step is what the issue waits for from the desk: it moves the state, and its turn has come."""
    if step == "supervise":
        return bool(issue.half1)
    return lifecycle.target(lifecycle.STEPS[step], issue.state) != issue.state


LAST = ("reassign", "extend", "suspend", "correct", "split", "merge", "dismiss", "transfer", "appeal", "force_close")


def _rank(step: str) -> int:
    """What moves the issue on stands before what corrects it, and that before what ends it."""
    return LAST.index(step) + 1 if step in LAST else 0


# steps that only stop a clock: none of them once it has stopped
STOPS = {"confirm_push": "push", "receive": "receive"}


def waited_for(issue: m.Issue, entries: list[dict[str, Any]]) -> dict[str, Any] | None:
    """The step whose turn it is at the desk, if any: its form stands open."""
    waits = [entry for name in FIRST for entry in entries if entry["step"] == name]
    return next((entry for entry in waits if _turns(issue, entry["step"])), None)
