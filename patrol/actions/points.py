"""The ledger of eco-points: double entry, the sum of all postings always zero, nobody but the source below zero.

`move` is the only writer of postings and balances. It holds the accounts' rows in the order of their ids, so that many
clients neither lose a posting nor lock each other up; a repeat under one key is the transfer that was made.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date

from sqlalchemy import func, insert, select

from patrol import models as m
from patrol.errors import BadInput, Clash, Fault, Missing, Refused, WrongStep
from patrol.gateways import identity
from patrol.rules import points as law
from patrol.rules.calendar import SHANGHAI
from patrol.station import Work


def account(work: Work, *, house: str | None = None, person_id: int | None = None,
            team_id: int | None = None) -> m.PointAccount:  # fmt: skip
    """The one account of a person, a team or the house; opened when there is none."""
    where = {"house": house, "person_id": person_id, "team_id": team_id}
    (name, value), *more = [(name, value) for name, value in where.items() if value is not None]
    assert not more, "an account belongs to one owner"
    query = select(m.PointAccount).where(getattr(m.PointAccount, name) == value)
    row = work.session.scalar(query)
    if row is None:
        work.only_one(f"points:{name}:{value}")
        row = work.session.scalar(query)
    if row is None:
        row = m.PointAccount(**where, balance=0)
        work.session.add(row)
        work.session.flush()
    return row


def move(
    work: Work, what: str, amounts: Mapping[int, int], key: str, *, words: str = "", reverses: m.PointMove | None = None
) -> tuple[m.PointMove, bool]:
    """One transfer of `amounts` (account id -> change): the move, and whether this call made it.

    A repeat of `key` with the same amounts gives the first move; with others it is a clash.
    """
    digest = key_of(work, key)
    work.only_one(f"points:{digest}")
    kept = work.session.scalar(select(m.PointMove).where(m.PointMove.key == digest))
    if kept is not None:
        if kept.what != what or postings(work, kept) != dict(amounts):
            raise Clash()
        return kept, False
    if not law.balanced(list(amounts.values())) or max(map(abs, amounts.values())) > law.LARGEST_MOVE:
        raise BadInput(Fault("/amount", "amount", f"积分要是 1 到 {law.LARGEST_MOVE} 的整数，一笔有出有进。"))
    query = select(m.PointAccount).where(m.PointAccount.id.in_(amounts)).order_by(m.PointAccount.id)
    rows = list(work.session.scalars(query.with_for_update().execution_options(populate_existing=True)))
    if len(rows) != len(amounts):
        raise Missing("没有这个积分账户。")
    for row in rows:
        if row.balance + amounts[row.id] < 0 and row.house != law.SOURCE:
            raise WrongStep(
                f"积分不够：现有 {row.balance}，要用 {-amounts[row.id]}。", "not_enough", balance=row.balance
            )
    made = m.PointMove(key=digest, what=what, words=words, person_id=work.actor.person_id,
                       reverses_id=reverses.id if reverses else None, on=today(work), at=work.now)  # fmt: skip
    work.session.add(made)
    for row in rows:
        row.balance += amounts[row.id]  # held and read anew above: nobody else's change can be lost
    work.session.flush()
    sides = [{"move_id": made.id, "account_id": row.id, "amount": amounts[row.id]} for row in rows]
    work.session.execute(insert(m.Posting), sides)
    payer = min((amount, id_) for id_, amount in amounts.items())[1]
    work.tell("points_moved", subject=f"points:{payer}", move=made.id, what=what,
              amounts={str(id_): amount for id_, amount in sorted(amounts.items())})  # fmt: skip
    return made, True


def key_of(work: Work, key: str) -> str:
    return identity.client_key(work.keys.client, "points", key)


def postings(work: Work, made: m.PointMove) -> dict[int, int]:
    query = select(m.Posting.account_id, m.Posting.amount).where(m.Posting.move_id == made.id)
    return {row.account_id: row.amount for row in work.session.execute(query)}


def transfer(work: Work, payer: int, payee: int, amount: int, key: str, *, what: str = "manual",
             words: str = "") -> tuple[m.PointMove, bool]:  # fmt: skip
    """Points from one account to another."""
    if payer == payee or amount <= 0:
        raise BadInput(Fault("/amount", "amount", "积分要大于 0，转出和转入不能是同一个账户。"))
    return move(work, what, {payer: -amount, payee: amount}, key, words=words)


def earn(work: Work, rule: str, target: m.PointAccount, units: float, ref: str) -> int:
    """Points for work done, once for each `ref`, cut by the day's limits; how many were given now."""
    digest = key_of(work, f"{rule}:{target.id}:{ref}")
    work.only_one(f"points:{digest}")
    if work.session.scalar(select(m.PointMove.id).where(m.PointMove.key == digest)) is not None:
        return 0
    work.only_one(f"earned:{target.id}")  # two rules at once must not both see the day's room
    amount = law.earned(rule, units, _earned_on(work, target), _earned_on(work, target, rule))
    if amount <= 0:
        return 0
    source = account(work, house=law.SOURCE)
    move(work, rule, {source.id: -amount, target.id: amount}, f"{rule}:{target.id}:{ref}", words=ref)
    return amount


def by_hand(work: Work, target: m.PointAccount, amount: int, words: str, key: str) -> m.PointMove:
    """The office gives or takes points with a reason: up to the limit at once, never its own."""
    if not work.actor.has("office", "office_head"):
        raise Refused("人工调整积分由环保办办。")
    if target.person_id is not None and target.person_id == work.actor.person_id:
        raise Refused("不能给自己调整积分。", "same_person")
    faults = []
    if amount == 0 or abs(amount) > law.MANUAL_MOST:
        faults.append(Fault("/amount", "amount", f"一次最多调整 {law.MANUAL_MOST} 分，不能是 0。"))
    if not words.strip():
        faults.append(Fault("/words", "words", "写一句为什么调整。"))
    if faults:
        raise BadInput(faults)
    source = account(work, house=law.SOURCE)
    return move(work, "manual", {source.id: -amount, target.id: amount}, key, words=words.strip())[0]


def reverse(work: Work, move_id: int, words: str) -> m.PointMove:
    """Undo one transfer by its mirror image, once; refused where the points were spent since."""
    if not work.actor.has("office", "office_head"):
        raise Refused("退回积分由环保办办。")
    row = work.session.get(m.PointMove, move_id)
    if row is None:
        raise Missing("没有这笔积分。")
    if row.reverses_id is not None or row.what == "exchange":
        raise WrongStep("退回的、兑换的不能这样退；兑换在兑换单上退。", "not_reversible")
    if row.person_id is not None and row.what == "manual" and row.person_id == work.actor.person_id:
        raise Refused("这笔是您调的，要由另一个人退回。", "same_person")
    return undo(work, row, words)


def undo(work: Work, row: m.PointMove, words: str) -> m.PointMove:
    """The mirror image of a transfer, whoever may ask for it."""
    mirrored = {account_id: -amount for account_id, amount in postings(work, row).items()}
    return move(work, "reversal", mirrored, f"reversal:{row.id}", words=words, reverses=row)[0]


def today(work: Work) -> date:
    return work.now.astimezone(SHANGHAI).date()


def _earned_on(work: Work, target: m.PointAccount, rule: str = "") -> int:
    """Points earned today, of one rule or of all; what was reversed is not room for more."""
    rules = [rule] if rule else list(law.EARNINGS)
    query = (
        select(func.coalesce(func.sum(m.Posting.amount), 0))
        .join(m.PointMove, m.PointMove.id == m.Posting.move_id)
        .where(m.Posting.account_id == target.id, m.PointMove.on == today(work), m.PointMove.what.in_(rules))
    )
    return int(work.session.scalar(query) or 0)
