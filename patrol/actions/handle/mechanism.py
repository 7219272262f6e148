"""The one way every step goes: find, version, right, state, evidence, then do it or ask for it.

Asking changes no state and no clock. Nothing is granted by silence. What a step does beyond its row of STEPS
is a function in `steps`, registered under the row's name.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm.attributes import flag_modified

from patrol import models as m
from patrol.actions import clocks, photos
from patrol.actions.handle import joining
from patrol.actions.handle.case import gather, is_acting_head, ways_in
from patrol.actions.handle.steps import APPLY, Doing, unflag
from patrol.errors import BadInput, Fault, Missing, NeedsVersion, Refused, Stale, WrongStep
from patrol.rules import evidence, forms, lifecycle, rights
from patrol.rules.clocks import Limit
from patrol.rules.evidence import Case
from patrol.rules.lifecycle import APPROVALS, STATES, Step
from patrol.station import Work

# what the decider may add to an asked step, because it is his to say
DECIDER_FIELDS: dict[str, tuple[str, ...]] = {
    "return": ("lead_unit", "assisting", "office_mistake"),
    "correct": ("limit",),
}


@dataclass(frozen=True)
class Result:
    """What came of it: the issue, and the request when the step had to be asked for."""

    issue: m.Issue
    request: m.Request | None = None


def find_issue(work: Work, number: str, *, lock: bool = False) -> m.Issue:
    """An issue by its number, in the actor's scope; out of scope is the same as absent."""
    query = select(m.Issue).where(m.Issue.number == number)
    issue = work.session.scalar(query.with_for_update() if lock and work.dialect == "postgresql" else query)
    if issue is None or not in_scope(work, issue):
        raise Missing()
    return issue


def in_scope(work: Work, issue: m.Issue) -> bool:
    actor = work.actor
    if actor.has("system", "rule", "ladder", "reporter"):
        return True
    if actor.person_id is not None and actor.person_id == issue.acceptor_id:
        return True  # the acceptor a chief named, of whatever unit
    return rights.in_scope(
        actor.roles, actor.unit, actor.grids, lead_unit=issue.lead_unit, assisting=issue.assisting, grid=issue.grid,
        assigned=issue.assigned_at is not None,
    )  # fmt: skip


def act(
    work: Work, number: str, verb: str, body: Mapping[str, Any], version: int | None,
    *, sighting: m.Sighting | None = None,
) -> Result:  # fmt: skip
    """Take a step, or ask for it where the actor may ask but not decide."""
    issue = find_issue(work, number, lock=True)
    row = _row(work, issue, verb, body)
    _check_version(issue, version)
    _check_who(work, issue, row)
    _check_state(issue, row)
    values = _read(forms.fields_of(row), body)
    case, named = gather(work, issue, row, values)
    _check_evidence(row, case)
    name = evidence.approval_of(row, case)
    if name is not None:
        return Result(issue, _ask(work, issue, row, name, body, named, sighting))
    _do(work, issue, row, case, named)
    return Result(issue)


def act_by_rule(work: Work, issue: m.Issue, row: Step, values: dict[str, Any]) -> None:
    """A step taken by a rule or the ladder: same evidence, no version."""
    case, named = gather(work, issue, row, values)
    _check_evidence(row, case)
    _do(work, issue, row, case, named)


def _row(work: Work, issue: m.Issue, verb: str, body: Mapping[str, Any]) -> Step:
    finding = body.get("finding")
    if verb == "supervise" and finding is None and not work.actor.has("grid"):
        finding = issue.half1
    row = lifecycle.row_for(verb, finding if isinstance(finding, str) else None)
    if row is None:
        raise Missing(f"没有「{verb[:20]}」这一步。")
    return row


def _check_version(issue: m.Issue, version: int | None) -> None:
    if version is None:
        raise NeedsVersion()
    if version != issue.version:
        raise Stale(
            f"这件刚有人改过（现在是第 {issue.version} 版，{STATES[issue.state]}），先看新的再办。",
            version=issue.version, state=issue.state,
        )  # fmt: skip


def _check_who(work: Work, issue: m.Issue, row: Step) -> None:
    case_roles = set(work.actor.roles)
    if work.actor.person_id is not None and work.actor.person_id == issue.acceptor_id:
        case_roles.add("named")
    if "acting_head" in row.who and is_acting_head(work):
        case_roles.add("acting_head")
    if not case_roles & set(row.who):
        raise Refused(f"您没有「{row.zh}」这件的权限。", step=row.verb)


def _check_state(issue: m.Issue, row: Step) -> None:
    if issue.state not in row.from_:
        raise WrongStep(f"这件已是{STATES[issue.state]}，不能再{row.zh}。", step=row.verb, state=issue.state)


def _read(allowed: tuple[str, ...], body: Mapping[str, Any]) -> dict[str, Any]:
    values, faults = forms.read_body(allowed, body)
    if faults:
        raise BadInput([Fault(f"/{name}", "bad_value", sentence) for name, sentence in faults])
    return values


def _check_evidence(row: Step, case: Case) -> None:
    missing = evidence.lacks(row, case)
    refusal = next((lack for lack in missing if lack.refuses), None)
    if refusal:
        raise Refused(refusal.sentence, refusal.code, step=row.verb)
    if missing:
        raise BadInput([Fault(lack.code, lack.code, lack.sentence) for lack in missing], step=row.verb)


def _ask(
    work: Work, issue: m.Issue, row: Step, name: str, body: Mapping[str, Any], named: list[m.Photo],
    sighting: m.Sighting | None,
) -> m.Request:  # fmt: skip
    held = work.session.scalar(
        select(m.Request).where(m.Request.issue_id == issue.id, m.Request.step == row.name, m.Request.state == "open")
    )
    if held is not None:
        raise WrongStep(f"这件已有一份「{row.zh}」申请在等批，批完再申请。", "already_asked", step=row.verb)
    approval = APPROVALS[name]
    request = m.Request(
        issue_id=issue.id, step=row.name, approval=name, rung=0, asker_id=work.actor.person_id,
        asker_sighting_id=sighting.id if sighting else None, asker_role=_asked_as(work, row),
        body={**body, "photos": [photo.ref for photo in named]}, version=1, asked_at=work.now, state="open", words="",
    )  # fmt: skip
    work.session.add(request)
    work.session.flush()
    limit = Limit(lifecycle.TRANSFER_WORKING_DAYS, "working_days") if name == "receiver" else None
    clock_name = "decide_other" if name == "receiver" else approval.clock
    clock = clocks.start(work, clock_name, request=request, limit=limit, why=row.zh)
    request.decide_by = clock.due_at
    if row.name == "appeal":
        issue.flags = {**issue.flags, "appealed": request.id}
    work.tell("asked", issue, step=row.name, request=request.id, approval=name, reason=body.get("reason", ""))
    return request


def _asked_as(work: Work, row: Step) -> str:
    """The roles the asking rests on, whole words within the column."""
    roles = sorted(work.actor.roles & set(row.who)) or sorted(work.actor.roles)
    while len(",".join(roles)) > 16:
        roles.pop()
    return ",".join(roles)


def find_request(work: Work, request_id: int) -> tuple[m.Request, m.Issue]:
    """A request and its issue, in scope; the issue's row is held."""
    request = work.session.get(m.Request, request_id)
    if request is None:
        raise Missing("没有这份申请，或不归您看。")
    issue = work.session.get(m.Issue, request.issue_id, with_for_update=work.dialect == "postgresql")
    if issue is None or not in_scope(work, issue):
        raise Missing("没有这份申请，或不归您看。")
    work.session.refresh(request)
    return request, issue


def approve(work: Work, request_id: int, body: Mapping[str, Any], version: int | None) -> Result:
    """Grant an asked step and take it, with the asker's own words and photos."""
    request, issue = _deciding(work, request_id, version)
    row = lifecycle.STEPS[request.step]
    _check_state(issue, row)
    extra = _read((*DECIDER_FIELDS.get(row.name, ()), "words", "photos", "client_id"), body)
    asked = _read(forms.fields_of(row), request.body)
    decider = work.actor
    values = {**asked, **{name: value for name, value in extra.items() if name not in ("photos", "words")}}
    case, named = _asked_case(work, issue, row, request, values)
    if row.name == "return":
        if "lead_unit" not in extra:
            raise BadInput(Fault("/lead_unit", "lead_unit", "准予退回要同时指定新的责任单位。"))
        wrong = [(code, evidence.NEEDS[code](case)) for code in ("lead_unit", "other_unit")]
        if faults := [Fault("/lead_unit", code, sentence) for code, sentence in wrong if sentence]:
            raise BadInput(faults, step=row.verb)
    if row.name == "transfer":
        receipts = _receipts(work, issue, extra, request.asked_at)
        if not receipts:
            raise BadInput(Fault("/photos", "receipt", "缺接收单位的签收单照片。"))
        for receipt in receipts:
            receipt.step = row.name
    _check_asked(row, case, request)
    _settle(work, request, "approved", extra.get("words", ""))
    work.actor = replace(decider, roles=decider.roles | {"decider"})
    _do(work, issue, row, case, named, request=request, extra=extra)
    work.actor = decider
    work.tell("decided", issue, request=request.id, step=row.name, outcome="approved")
    return Result(issue, request)


def refuse(work: Work, request_id: int, body: Mapping[str, Any], version: int | None) -> Result:
    """Refuse an asked step; state and clocks stay as they are, so what was late stays late."""
    request, issue = _deciding(work, request_id, version)
    extra = _read(("words", "client_id"), body)
    if not extra.get("words"):
        raise BadInput(Fault("/words", "words", "不予批准要写明理由。"))
    if request.approval == "office_day":
        # a reporter is turned away by two persons: the first says so, another confirms
        if request.decider_id is None:
            request.decider_id, request.words, request.version = (
                work.actor.person_id,
                extra["words"],
                request.version + 1,
            )
            work.tell("refusal_asked", issue, request=request.id, step=request.step, words=extra["words"])
            return Result(issue, request)
        if request.decider_id == work.actor.person_id:
            raise Refused("不予重开要由两个人定：您已提出，请另一个人确认。", "own_refusal")
    _settle(work, request, "refused", extra["words"])
    _drop_appeal(issue, request)
    work.tell("refused", issue, moves=False, request=request.id, step=request.step, words=extra["words"])
    return Result(issue, request)


def withdraw(work: Work, request_id: int, version: int | None) -> Result:
    """The asker takes the request back."""
    request, issue = find_request(work, request_id)
    _check_open(request, version)
    if request.asker_id is None or request.asker_id != work.actor.person_id:
        raise Refused("申请只能由申请人自己撤回。")
    _settle(work, request, "withdrawn", "")
    _drop_appeal(issue, request)
    work.tell("withdrawn", issue, request=request.id, step=request.step)
    return Result(issue, request)


def _drop_appeal(issue: m.Issue, request: m.Request) -> None:
    if request.step == "appeal":
        issue.flags = {name: value for name, value in issue.flags.items() if name != "appealed"}


def _deciding(work: Work, request_id: int, version: int | None) -> tuple[m.Request, m.Issue]:
    request, issue = find_request(work, request_id)
    _check_open(request, version)
    if request.asker_id is not None and request.asker_id == work.actor.person_id:
        raise Refused("申请是您提的，要由另一个人批。", "own_request")
    may = deciders(request)
    roles = set(work.actor.roles) | ({"office_head"} if is_acting_head(work) else set())
    if not roles & set(may):
        raise Refused(f"这份申请要由{APPROVALS[request.approval].zh}批。")
    if request.approval == "inspector" and not work.actor.has("inspector"):
        if inspector_appointed(work):
            raise Refused("申诉由督察员定。")
        if _acted(work, issue):
            raise Refused("您办过这件，申诉要由没办过的人定。")
    return request, issue


def deciders(request: m.Request) -> tuple[str, ...]:
    """The roles that may decide a request now: its own rung and every higher one."""
    rungs = APPROVALS[request.approval].rungs
    return tuple(dict.fromkeys(role for rung in rungs[: request.rung + 1] for role in rung))


def inspector_appointed(work: Work) -> bool:
    """Whether anybody holds a way in as inspector; a chief decides appeals only where nobody does."""
    return any("inspector" in roles for _, roles, _ in ways_in(work))


def _acted(work: Work, issue: m.Issue) -> bool:
    query = select(m.Trail.id).where(m.Trail.issue_id == issue.id, m.Trail.person_id == work.actor.person_id).limit(1)
    return work.session.scalar(query) is not None


def _check_open(request: m.Request, version: int | None) -> None:
    if version is None:
        raise NeedsVersion()
    if request.state != "open" or version != request.version:
        raise Stale("这份申请已有人处理，先看新的。", version=request.version, state=request.state)


def _settle(work: Work, request: m.Request, outcome: str, words: str) -> None:
    request.state, request.version, request.words = outcome, request.version + 1, words
    request.decided_at, request.decider_id = work.now, work.actor.person_id
    for clock in work.session.scalars(select(m.Clock).where(m.Clock.request_id == request.id)):
        if clock.state in clocks.LIVE:
            clocks.stop(work, clock, "cancelled" if outcome == "withdrawn" else "done")
    work.session.flush()


def _asked_case(
    work: Work, issue: m.Issue, row: Step, request: m.Request, values: dict[str, Any]
) -> tuple[Case, list[m.Photo]]:
    """The case as it stands now, seen as the asker: his photos, his unit, his time of asking."""
    case, named = gather(work, issue, row, values)
    asked_as = frozenset(request.asker_role.split(","))
    unit = issue.lead_unit if "unit" in asked_as else None
    return replace(case, actor=request.asker_id, roles=asked_as, unit=unit, now=request.asked_at), named


def _check_asked(row: Step, case: Case, request: m.Request) -> None:
    missing = evidence.lacks(row, case)
    if missing:
        raise BadInput([Fault(lack.code, lack.code, lack.sentence) for lack in missing], step=row.verb)


def _receipts(work: Work, issue: m.Issue, extra: dict[str, Any], asked_at: datetime) -> list[m.Photo]:
    """The receiver's receipt: sent since the asking, and no other paper's."""
    refs = extra.get("photos") or []
    query = select(m.Photo).where(m.Photo.issue_id == issue.id, m.Photo.stage == "receipt", m.Photo.step.is_(None))
    rows = [p for p in work.session.scalars(query) if p.received_at >= asked_at]
    return [p for p in rows if p.ref in refs] if refs else rows


def _do(
    work: Work, issue: m.Issue, row: Step, case: Case, named: list[m.Photo],
    *, request: m.Request | None = None, extra: dict[str, Any] | None = None,
) -> None:  # fmt: skip
    """Carry a step out: what its function does, then clocks, state, photos, slip and one trail line."""
    doing = Doing(work, issue, row, case, dict(case.body), named, request, extra or {})
    done = APPLY[row.name](doing)
    claimed: datetime | None = case.body.get("at_claimed")
    if done.effects is None:
        clocks.apply(work, issue, row.clocks, claimed_at=claimed, **done.given)
    else:
        clocks.apply(work, issue, done.effects, claimed_at=claimed, **done.given)
    to = done.to or lifecycle.target(row, issue.state)
    before = issue.state
    if to != issue.state or done.restep:
        issue.step_at = work.now
    issue.state = to
    if to in lifecycle.ENDS and to != before:  # a look-back or an appeal leaves the end where it was
        issue.ended_at = work.now
    if to not in ("assigned", "supervised", "merged"):
        # nothing is suspended that nobody works on; its review date must not speak up later
        issue.suspended_until = None
        unflag(issue, "suspended")
    if "manifest" in case.body:
        issue.expected_photos = max(issue.expected_photos, int(case.body["manifest"]))
    for photo in named:
        photo.step = row.name
    work.session.flush()
    slip = done.slip(doing) if done.slip else None
    if slip is not None:
        photos.release(work, issue, _printed(work, slip))
    facts: dict[str, Any] = {"step": row.name, "from": before, "to": to, **done.facts}
    for name in ("words", "reason"):
        if case.body.get(name):
            facts[name] = case.body[name]
    if named:
        facts["photos"] = [photo.ref for photo in named]
    if claimed:
        facts["at_claimed"] = claimed.isoformat()
    if request is not None:
        facts |= {"request": request.id, "asker": request.asker_id}
    work.tell(done.event, issue, moves=True, slip=slip, **facts)
    flag_modified(issue, "flags")
    _lapse(work, issue, handed_over=row.name in ("return", "reassign"))


def _lapse(work: Work, issue: m.Issue, *, handed_over: bool) -> None:
    """Open requests that no decision can carry out any more end unanswered: neither granted nor refused.

    A unit's own requests end when the work is taken from it. What only waits for acceptance stays open: the work
    may come back.
    """
    open_ = select(m.Request).where(m.Request.issue_id == issue.id, m.Request.state == "open")
    for request in work.session.scalars(open_.order_by(m.Request.id)).all():
        from_ = lifecycle.STEPS[request.step].from_
        fits = issue.state in from_ or (issue.state == "rectified" and "supervised" in from_)
        by_unit = "unit" in request.asker_role.split(",") and request.step != "appeal"
        if fits and not (handed_over and by_unit):
            continue
        request.state, request.version = "lapsed", request.version + 1
        for clock in work.session.scalars(select(m.Clock).where(m.Clock.request_id == request.id)):
            if clock.state in clocks.LIVE:
                clocks.stop(work, clock, "cancelled")
        _drop_appeal(issue, request)
        work.tell("lapsed", issue, request=request.id, step=request.step)


def _printed(work: Work, slip: m.Slip) -> list[m.Photo]:
    digests = [fact["sha256"] for fact in slip.facts.get("photos", [])]
    if not digests:
        return []
    query = select(m.Photo).where(m.Photo.issue_id == slip.issue_id, m.Photo.sha256.in_(digests))
    return [photo for photo in work.session.scalars(query) if photo.stage != "report"]


# importing the functions of the joining steps registers them
assert joining.REGISTERED
