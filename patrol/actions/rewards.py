"""Deeds of a reward up to its decision: asked for by receipt code, proposed by the office, decided by an officer.

The receipt code stands for the reporter all the way; an identity is needed for a transfer only, and is sealed to the
officers' keys before it is kept. Numbers of staff are compared in memory and kept as keyed digests of staff alone.
"""

from __future__ import annotations

import json
from typing import Any

from sqlalchemy import select

from patrol import models as m
from patrol.actions import merits, people, sealing, tips
from patrol.errors import BadInput, Fault, Missing, Refused, Stale, WrongStep
from patrol.gateways import identity
from patrol.gateways.envelopes import Sealed
from patrol.rules import rewards as law
from patrol.rules.calendar import SHANGHAI
from patrol.station import Work

STAFF = "奖励不发给工作人员和他们的家属。"
SERIES = "reward"


def apply(work: Work, code: str) -> m.Reward:
    """Ask for the reward of a report; a repeat gives the same application. Every lack is named at once."""
    sighting = tips.find(work, code)
    issue = tips.issue_of(work, sighting)
    kept = work.session.scalar(select(m.Reward).where(m.Reward.sighting_id == sighting.id))
    if kept is not None:
        return kept
    facts = merits.facts_of(work, sighting, issue)
    lacks = law.unmet(facts)
    if lacks or issue is None or facts.ended_at is None:
        raise WrongStep("".join(merit.refusal for merit in lacks), f"no_reward_{lacks[0].code}" if lacks else None,
                        lacks=[merit.code for merit in lacks])  # fmt: skip
    if not law.window(facts.ended_at, work.calendar).open(work.now):
        raise WrongStep(f"办结超过 {law.APPLY_WITHIN.zh}，奖励申请已过期。", "reward_lapsed")
    year = work.now.astimezone(SHANGHAI).year
    row = m.Reward(
        number=f"JL-{year}-{work.number(f'{SERIES}:{year}'):04d}", issue_id=issue.id, sighting_id=sighting.id,
        state="applied", version=1, applied_at=work.now, decide_by=law.decide_by(work.now, work.calendar), way="counter",
        proposed_words="", reason="",
    )  # fmt: skip
    work.session.add(row)
    work.session.flush()
    work.tell("reward_applied", subject=subject(row), number=row.number)
    return row


def payee(work: Work, code: str, way: str, who: dict[str, Any] | None) -> m.Reward:
    """How the reporter wants it: against the code at the counter, or to an account; the account is sealed."""
    sighting = tips.find(work, code)
    row = work.session.scalar(select(m.Reward).where(m.Reward.sighting_id == sighting.id).with_for_update())
    if row is None or row.state not in ("applied", "granted"):
        raise WrongStep("奖励申请还没有收到，或已在付款，现在改不了领取方式。", "no_payee_now")
    given = {name: value for name, value in (who or {}).items() if value}
    if way == "transfer":
        for number in (given.get("phone"), given.get("id_number")):
            if number and is_staff(work, str(number)):
                raise Refused(STAFF, "staff")
        if not sealing.takes_identities(work):
            raise WrongStep("本单位还没有建立保密钥匙，暂不能收账户；可以凭查询码到窗口领。", "no_keys")
        forget_payee(work, row)
        row.payee_sealed = sealing.seal_identity(work, json.dumps(given, ensure_ascii=False).encode()).body
    else:
        forget_payee(work, row)
    row.way = way
    row.version += 1
    work.tell("reward_way", subject=subject(row), number=row.number, way=way)
    return row


def forget_payee(work: Work, row: m.Reward) -> None:
    """No account is kept longer than it is needed: the body goes, and with it every share of its key."""
    if row.payee_sealed is not None:
        sealing.shred(work, [Sealed(row.payee_sealed, ()).digest])
        row.payee_sealed = None


def find(work: Work, number: str, version: int | None = None, *, lock: bool = True) -> m.Reward:
    """One reward by its number, held, at the version the caller saw."""
    query = select(m.Reward).where(m.Reward.number == number)
    row = work.session.scalar(query.with_for_update() if lock else query)
    if row is None:
        raise Missing("没有这笔奖励。")
    if version is not None and version != row.version:
        raise Stale(version=row.version, state=row.state)
    return row


def propose(work: Work, number: str, version: int, grade: str, words: str) -> m.Reward:
    """The office, which knows the issue, says which grade it was worth. It never learns who reported."""
    row = find(work, number, version)
    may(work, row, "propose")
    _check_grade(grade, words)
    row.proposer_id, row.proposed, row.proposed_words = work.actor.person_id, grade, words.strip()
    moved(row, "propose")
    work.tell("reward_proposed", subject=subject(row), number=row.number, grade=grade)
    return row


def grant(work: Work, number: str, version: int, grade: str, reason: str) -> m.Reward:
    """An officer who did not propose it grants it; the issue must still stand closed and the report first."""
    row = find(work, number, version)
    _decides(work, row, "grant")
    _check_grade(grade, reason)
    issue = work.session.get(m.Issue, row.issue_id)
    if issue is None or issue.state != "closed" or "forced" in issue.flags:
        raise WrongStep("这件已重开或没有查实，等它办结再定。", "not_closed")
    row.grade, row.amount_yuan = grade, law.amounts_of(work.settings.reward_amounts)[grade]
    _decided(work, row, "grant", reason)
    work.tell("reward_granted", subject=subject(row), number=row.number, grade=grade, amount_yuan=row.amount_yuan)
    return row


def refuse(work: Work, number: str, version: int, reason: str) -> m.Reward:
    """An officer refuses with a reason, which the reporter reads."""
    row = find(work, number, version)
    _decides(work, row, "refuse")
    if not reason.strip():
        raise BadInput(Fault("/reason", "reason", "不予奖励要写理由，举报人会看到。"))
    _decided(work, row, "refuse", reason)
    work.tell("reward_refused", subject=subject(row), number=row.number)
    return row


def mark_staff(work: Work, name: str, numbers: list[str]) -> int:
    """Remember the numbers of a member of staff or of the family, as keyed digests; how many were new."""
    if not work.actor.has("office_head", "admin", "terminal"):
        raise Refused("工作人员号码由环保办负责人或管理员登记。")
    who, new = people.person(work, name), 0
    for number in numbers:
        digest = _digest(work, number)
        if len(_plain(number)) < 6:
            raise BadInput(Fault("/numbers", "number", "号码太短，写手机号或身份证号。"))
        if work.session.get(m.StaffMark, digest) is None:
            work.session.add(m.StaffMark(digest=digest, person_id=who.id, at=work.now))
            new += 1
    work.tell("staff_marked", person=who.id, count=new)
    return new


def is_staff(work: Work, number: str) -> bool:
    return work.session.get(m.StaffMark, _digest(work, number)) is not None


def _plain(number: str) -> str:
    kept = "".join(sign for sign in number.upper() if sign.isascii() and sign.isalnum())
    return kept.removeprefix("86") if len(kept) == 13 else kept


def _digest(work: Work, number: str) -> str:
    return identity.client_key(work.keys.client, "staff", _plain(number))


def may(work: Work, row: m.Reward, act: str) -> None:
    """Refuse an act that is not this actor's, or not from this state."""
    rule = law.ACTS[act]
    if not work.actor.has(*rule.who):
        raise Refused(f"您的角色不能办「{rule.zh}」。")
    if row.state not in rule.from_:
        raise WrongStep(f"这笔现在是「{law.STATES[row.state]}」，不能办「{rule.zh}」。", state=row.state, step=act)


def _decides(work: Work, row: m.Reward, act: str) -> None:
    """Four eyes: whoever proposed it, or typed the call it rests on, does not decide it."""
    may(work, row, act)
    if row.proposer_id is None and act == "grant":
        raise WrongStep("还没有拟定等级，先由环保办拟定。", "not_proposed")
    if work.actor.person_id == row.proposer_id:
        raise Refused("等级是您拟定的，要由另一个人决定。", "same_person")
    sighting = work.session.get(m.Sighting, row.sighting_id)
    if sighting is not None and sighting.person_id is not None and sighting.person_id == work.actor.person_id:
        raise Refused("这条举报是您登记的，要由另一个人决定。", "same_person")


def _check_grade(grade: str, words: str) -> None:
    faults = []
    if grade not in law.GRADES:
        faults.append(Fault("/grade", "grade", f"等级可选：{'、'.join(row.zh for row in law.GRADES.values())}。"))
    if not words.strip():
        faults.append(Fault("/reason", "reason", "写一句为什么是这个等级。"))
    if faults:
        raise BadInput(faults)


def _decided(work: Work, row: m.Reward, act: str, reason: str) -> None:
    row.decider_id, row.decided_at, row.reason = work.actor.person_id, work.now, reason.strip()
    moved(row, act)


def moved(row: m.Reward, act: str) -> None:
    """Put a reward where its act leads."""
    row.state = law.ACTS[act].to
    row.version += 1


def subject(row: m.Reward) -> str:
    """Its lines stand under the reward itself: no issue, no sighting, so that nothing ties the two in the open."""
    return f"reward:{row.id}"
