"""Deeds of paying rewards: a batch by one person, its approval by another, and the money against the receipt code.

No deed here opens an envelope: who is to be paid is read like an identity, by two officers (`patrol.actions.sealing`).
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlalchemy import select

from patrol import models as m
from patrol.actions import rewards, tips
from patrol.errors import BadInput, Fault, Missing, Refused, WrongStep
from patrol.rules import rewards as law
from patrol.rules.calendar import SHANGHAI
from patrol.station import Work


def batch(work: Work, numbers: Sequence[str]) -> m.PayBatch:
    """Put granted rewards together for payment; all of them or none."""
    wanted = sorted(dict.fromkeys(numbers))
    if not wanted:
        raise BadInput(Fault("/rewards", "rewards", "还没选要付的奖励。"))
    rows = [rewards.find(work, number) for number in wanted]
    for row in rows:
        rewards.may(work, row, "batch")
        if row.way == "transfer" and row.payee_sealed is None:
            raise WrongStep(f"{row.number} 要转账，但还没有收款信息。", "no_payee")
    year = work.now.astimezone(SHANGHAI).year
    made = m.PayBatch(
        number=f"FF-{year}-{work.number(f'pay:{year}'):04d}", state="open", made_at=work.now,
        total_yuan=sum(row.amount_yuan or 0 for row in rows), maker_id=work.actor.person_id,
    )  # fmt: skip
    work.session.add(made)
    work.session.flush()
    for row in rows:
        row.batch_id = made.id
        rewards.moved(row, "batch")
        work.tell("reward_batched", subject=rewards.subject(row), number=row.number, batch=made.number)
    work.tell("pay_batch_made", subject=f"pay:{made.id}", number=made.number, yuan=made.total_yuan, count=len(rows))
    return made


def approve(work: Work, number: str) -> m.PayBatch:
    """A second person approves the payment: each reward may be claimed from then on."""
    made = _open(work, number, "approve")
    if made.maker_id == work.actor.person_id:
        raise Refused("这批是您列的，要由另一个人复核。", "same_person")
    made.state, made.approver_id, made.settled_at = "approved", work.actor.person_id, work.now
    for row in _rows(work, made):
        issue = work.session.get(m.Issue, row.issue_id)
        if issue is None or issue.state != "closed":
            raise WrongStep(f"{row.number} 的那件又重开了，先把这批撤回。", "not_closed")
        rewards.moved(row, "approve")
        work.tell("reward_payable", subject=rewards.subject(row), number=row.number, batch=made.number)
    work.tell("pay_batch_approved", subject=f"pay:{made.id}", number=made.number)
    return made


def cancel(work: Work, number: str) -> m.PayBatch:
    """Take an unapproved batch apart."""
    made = _open(work, number, "cancel")
    made.state, made.settled_at = "cancelled", work.now
    for row in _rows(work, made):
        row.batch_id = None
        rewards.moved(row, "cancel")
        work.tell("reward_unbatched", subject=rewards.subject(row), number=row.number, batch=made.number)
    work.tell("pay_batch_cancelled", subject=f"pay:{made.id}", number=made.number)
    return made


def claim(work: Work, code: str, not_staff: bool) -> m.Reward:
    """Pay out at the counter to whoever knows the code. The officer looks whom it is paid to and says so; no name."""
    sighting = tips.find(work, code)
    number = work.session.scalar(select(m.Reward.number).where(m.Reward.sighting_id == sighting.id))
    if number is None:
        raise WrongStep("这个查询码没有申请过奖励。", "not_applied")
    row = rewards.find(work, number)
    if row.state == "paid":
        raise WrongStep("这笔奖励已经领走了，一笔只发一次。", "already_paid")
    if row.way != "counter":
        raise WrongStep("这笔选的是转账，不在窗口发。", "by_transfer")
    rewards.may(work, row, "claim")
    if not not_staff:
        raise BadInput(Fault("/not_staff", "not_staff", "请先当面核对：领奖人不是工作人员或家属。"))
    return _paid(work, row, "claim")


def pay(work: Work, number: str, version: int) -> m.Reward:
    """Note that the money went to the account in the envelope."""
    row = rewards.find(work, number, version)
    if row.way != "transfer":
        raise WrongStep("这笔凭查询码到窗口领，不转账。", "at_counter")
    rewards.may(work, row, "pay")
    return _paid(work, row, "pay")


def _paid(work: Work, row: m.Reward, act: str) -> m.Reward:
    row.payer_id, row.paid_at = work.actor.person_id, work.now
    rewards.forget_payee(work, row)
    rewards.moved(row, act)
    work.tell("reward_paid", subject=rewards.subject(row), number=row.number, way=row.way, amount_yuan=row.amount_yuan)
    return row


def _open(work: Work, number: str, act: str) -> m.PayBatch:
    rule = law.ACTS[act]
    made = work.session.scalar(select(m.PayBatch).where(m.PayBatch.number == number).with_for_update())
    if made is None:
        raise Missing("没有这批付款。")
    if not work.actor.has(*rule.who):
        raise Refused(f"您的角色不能办「{rule.zh}」。")
    if made.state != "open":
        raise WrongStep(f"这批{law.BATCH_STATES[made.state]}，不能再办「{rule.zh}」。", state=made.state, step=act)
    return made


def _rows(work: Work, made: m.PayBatch) -> list[m.Reward]:
    query = select(m.Reward).where(m.Reward.batch_id == made.id).order_by(m.Reward.id)
    return list(work.session.scalars(query.with_for_update()))
