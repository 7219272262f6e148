"""What must hold of every issue after every step, read from the database alone."""

from __future__ import annotations

import hashlib
import hmac
from collections import defaultdict

from sqlalchemy import select

from patrol import models as m
from patrol.actions import clocks
from patrol.rules.lifecycle import ENDS, STEPS
from patrol.station import Work, line_mac
from tests.property.lawtown import LawTown

OFFICE = {"office", "office_head"}


class Invariants:
    """Checks a town again and again, remembering what may never change back."""

    def __init__(self, law: LawTown) -> None:
        self.law = law
        self.frozen: dict[str, tuple[str, str]] = {}  # slip -> digest, facts
        self.was_late: set[int] = set()
        self.used: dict[int, tuple[str, int]] = {}  # clock -> frame, used

    def check(self) -> None:
        with self.law.station.look() as look:
            lines: dict[int, list[m.Trail]] = defaultdict(list)
            for line in look.session.scalars(
                select(m.Trail).where(m.Trail.issue_id.is_not(None)).order_by(m.Trail.seq)
            ):
                lines[line.issue_id or 0].append(line)
            members = _members(look)
            units = look.place.units
            for issue in look.session.scalars(select(m.Issue)):
                self._trail(issue, lines[issue.id])
                self._end(look, issue, lines[issue.id])
                self._four_eyes(issue, lines[issue.id], members, {c for c, u in units.items() if u.is_office})
            self._clocks(look)
            self._requests(look)
            self._slips(look)

    def _trail(self, issue: m.Issue, lines: list[m.Trail]) -> None:
        prev, state, moves = "", "reported", 0
        for seq, line in enumerate(lines, 1):
            assert line.seq == seq and line.prev == prev, f"{issue.number}: the chain breaks at line {seq}"
            assert line.mac == line_mac(self.law.station.keys.chain, line)
            assert line.salt is not None
            digest = hmac.new(line.salt, m.canonical(line.facts), hashlib.sha256).hexdigest()
            assert line.facts_digest == digest
            prev = line.mac
            facts = line.facts or {}
            if "from" in facts and "to" in facts:
                assert facts["from"] == state, f"{issue.number}: {line.event} from {facts['from']}, was {state}"
                state, moves = facts["to"], moves + 1
                assert line.person_id is not None, "no step is ever taken by silence"
                assert state in (STEPS[facts["step"]].to, facts["from"], *REACHED.get(facts["step"], ()))
            elif facts.get("by") == "split" and line.event == "assigned":
                state, moves = "assigned", moves + 1
            elif facts.get("by") == "merge" and line.event == "reopened":
                state, moves = ("assigned" if issue.lead_unit else "reported"), moves + 1
            if line.event == "received" and line.person_id is None:
                assert facts["by"] == "silence"
        assert (issue.trail_seq, issue.trail_head) == (len(lines), prev)
        assert issue.state == state
        assert issue.version > moves

    def _end(self, look: Work, issue: m.Issue, lines: list[m.Trail]) -> None:
        live = [clock for clock in clocks.of(look, issue) if clock.state in clocks.LIVE]
        if issue.state in ("closed", "dismissed", "transferred"):
            assert not live, f"{issue.number} is {issue.state} and {live[0].name} runs"
        if issue.state == "merged":
            assert all(clock.state == "paused" for clock in live)
        if issue.state in ENDS:
            assert issue.ended_at is not None
        assert ("suspended" in issue.flags) == (issue.suspended_until is not None)
        per_name = [clock.name for clock in live]
        assert len(per_name) == len(set(per_name)), f"{issue.number} runs two clocks of one name: {per_name}"
        if issue.state in ("assigned", "supervised"):
            assert "rectify" in per_name, f"{issue.number} is {issue.state} and nothing presses for it"
        if issue.state == "rectified":
            assert "accept" in per_name
        if issue.state == "closed":
            words = [line.event for line in lines]
            last = max(i for i, word in enumerate(words) if word in ("closed", "forced"))
            since = max((i for i, word in enumerate(words[:last]) if word in ("reopened", "sent_back")), default=-1)
            assert words[last] == "forced" or "verified" in words[since + 1 : last]
            assert ("forced" in issue.flags) == (words[last] == "forced")

    def _four_eyes(
        self,
        issue: m.Issue,
        lines: list[m.Trail],
        members: dict[int, tuple[set[str], set[str]]],
        offices: set[str],
    ) -> None:
        submitter = verifier = lead = None
        took: set[int | None] = set()
        named: set[int] = set()
        for line in lines:
            facts = line.facts or {}
            lead = facts.get("lead_unit", lead)
            if line.event == "photo_received" and facts["stage"] in ("before", "during", "after"):
                took.add(line.person_id)
            elif line.event in ("submitted", "handled_here"):
                submitter = line.person_id
            elif line.event == "acceptor_named":
                named.add(facts["acceptor"])
            elif line.event == "verified":
                verifier = line.person_id
                assert verifier is not None and verifier != submitter and verifier not in took
                roles, units = members[verifier]
                assert lead not in units, "a member of the unit accepted its work"
                if lead in offices:
                    assert not roles & OFFICE and ("chief" in roles or verifier in named)
                else:
                    assert roles & OFFICE
            elif line.event == "closed":
                assert line.person_id is not None and line.person_id != verifier

    def _clocks(self, look: Work) -> None:
        for clock in look.session.scalars(select(m.Clock)):
            said = clocks.reading(look, clock)
            marks = clocks.marks_of(clock)
            assert said.used_s + said.left_s == said.limit_s
            base = clocks.first_limit(clock)
            grown = sum(
                each.limit.seconds(look.calendar)
                for each in marks
                if each.kind == "extend" and each.limit and each.limit.frame == base.frame
            )
            assert said.limit_s == base.seconds(look.calendar) + grown
            if any(each.why == "视同签收" for each in marks):
                continue  # silence is receipt at the due itself, whenever the worker comes to say so
            frame, used = self.used.get(clock.id, (base.frame, 0))
            assert frame != base.frame or said.used_s >= used, "used time never falls"
            self.used[clock.id] = (base.frame, said.used_s)
            if clock.id in self.was_late:
                assert said.was_late or said.offline, f"{clock.name} was late and is not"
            if said.was_late:
                self.was_late.add(clock.id)
            if clock.state in clocks.LIVE:
                assert not any(each.kind == "stop" for each in marks)
            if clock.state == "running":
                assert said.status in ("running", "soon", "late", "not_started")

    def _requests(self, look: Work) -> None:
        for request in look.session.scalars(select(m.Request)):
            issue = look.session.get(m.Issue, request.issue_id)
            assert issue is not None
            row = STEPS[request.step]
            clock = look.session.scalar(select(m.Clock).where(m.Clock.request_id == request.id))
            assert clock is not None
            assert (request.state == "open") == (clock.state in clocks.LIVE)
            if request.state in ("approved", "refused"):
                assert request.decider_id is not None and request.decider_id != request.asker_id
            if request.state == "open":
                assert issue.state in row.from_ or (issue.state == "rectified" and "supervised" in row.from_)

    def _slips(self, look: Work) -> None:
        series: dict[tuple[str, int], dict[int, list[int]]] = defaultdict(lambda: defaultdict(list))
        for slip in look.session.scalars(select(m.Slip).order_by(m.Slip.id)):
            series[slip.kind, slip.year][slip.serial].append(slip.revision)
            said = (slip.digest, m.canonical(slip.facts).decode())
            assert self.frozen.setdefault(slip.number, said) == said, f"{slip.number} was changed after it was frozen"
        for (kind, _), serials in series.items():
            assert sorted(serials) == list(range(1, len(serials) + 1)), f"a number of {kind} is missing"
            for revisions in serials.values():
                assert revisions == list(range(1, len(revisions) + 1))


# where a step may lead beside its row's own target
REACHED = {
    "reopen": ("assigned", "reported"),
    "appeal": ("reported", "assigned"),
    "supervise": ("rectified", "dismissed"),
    "supervise_gone": ("supervised", "dismissed"),
    "supervise_false": ("supervised", "rectified"),
    "unmerge": ("reported", "assigned", "supervised", "rectified", "verified"),
}


def _members(look: Work) -> dict[int, tuple[set[str], set[str]]]:
    """Person -> every role and every unit held through whatever way in."""
    found: dict[int, tuple[set[str], set[str]]] = defaultdict(lambda: (set(), set()))
    for token in look.session.scalars(select(m.Token)):
        found[token.person_id][0].add(token.role)
        if token.unit:
            found[token.person_id][1].add(token.unit)
    return found
