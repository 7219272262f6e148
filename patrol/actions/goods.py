"""The catalogue of what points buy, and exchanges: points and stock go together, handed over or taken back once."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import func, select

from patrol import models as m
from patrol.actions import points
from patrol.errors import BadInput, Clash, Fault, Missing, Refused, WrongStep
from patrol.rules import points as law
from patrol.rules.calendar import SHANGHAI
from patrol.station import Work


def put(work: Work, name: str, price: int, stock: int, words: str = "", active: bool = True) -> m.Good:
    """A good of the catalogue, new or changed, by its name. A change of price never touches what was exchanged."""
    _office(work)
    faults = []
    if not name.strip() or len(name) > 60:
        faults.append(Fault("/name", "name", "名称要写 1 到 60 个字。"))
    if not 1 <= price <= law.LARGEST_MOVE:
        faults.append(Fault("/price", "price", "积分要写 1 以上的整数。"))
    if not 0 <= stock <= 100_000:
        faults.append(Fault("/stock", "stock", "库存要写 0 到 100000 的整数。"))
    if faults:
        raise BadInput(faults)
    work.only_one(f"good:{name.strip()}")
    row = work.session.scalar(select(m.Good).where(m.Good.name == name.strip()).with_for_update())
    if row is None:
        row = m.Good(name=name.strip(), words="", price=price, stock=stock, active=True)
        work.session.add(row)
    row.price, row.stock, row.words, row.active = price, stock, words.strip(), active
    work.session.flush()
    work.tell("good_set", subject=f"good:{row.id}", name=row.name, price=price, stock=stock, active=active)
    return row


def exchange(work: Work, good_id: int, count: int, client_id: str) -> tuple[m.Exchange, bool]:
    """Points of the asker for a good: the exchange, and whether this call made it. A repeat is the same exchange."""
    if work.actor.person_id is None:
        raise Refused("登录以后才能兑换。")
    mine = points.account(work, person_id=work.actor.person_id)
    key = f"exchange:{mine.id}:{client_id}"
    work.only_one(f"points:{points.key_of(work, key)}")
    kept = _kept(work, key)
    if kept is not None:
        if (kept.good_id, kept.count) != (good_id, count):
            raise Clash()
        return kept, False
    if not 1 <= count <= 10:
        raise BadInput(Fault("/count", "count", "一次兑换 1 到 10 份。"))
    good = work.session.scalar(select(m.Good).where(m.Good.id == good_id).with_for_update())
    if good is None or not good.active:
        raise Missing("没有这样东西，或已下架。")
    if good.stock < count:
        raise WrongStep(f"「{good.name}」只剩 {good.stock} 份。", "out_of_stock")
    work.only_one(f"month:{mine.id}")
    if _this_month(work, mine) >= law.EXCHANGES_A_MONTH:
        raise WrongStep(f"一个月最多兑换 {law.EXCHANGES_A_MONTH} 次，下个月再来。", "too_many")
    cost = good.price * count
    shop = points.account(work, house=law.SHOP)
    made, _ = points.move(work, "exchange", {mine.id: -cost, shop.id: cost}, key, words=good.name)
    good.stock -= count
    year = work.now.astimezone(SHANGHAI).year
    row = m.Exchange(number=f"DH-{year}-{work.number(f'exchange:{year}'):04d}", good_id=good.id, account_id=mine.id,
                     move_id=made.id, count=count, state="waiting", at=work.now)  # fmt: skip
    work.session.add(row)
    work.session.flush()
    work.tell("exchanged", subject=f"exchange:{row.id}", number=row.number, good=good.name, count=count, cost=cost)
    return row, True


def hand_over(work: Work, number: str) -> m.Exchange:
    """Somebody else of the office gives the good out."""
    row = _waiting(work, number)
    mine = work.session.get(m.PointAccount, row.account_id)
    if mine is not None and mine.person_id == work.actor.person_id:
        raise Refused("自己兑换的要由另一个人发。", "same_person")
    row.state, row.hander_id, row.settled_at = "handed", work.actor.person_id, work.now
    work.tell("exchange_handed", subject=f"exchange:{row.id}", number=row.number)
    return row


def take_back(work: Work, number: str, words: str) -> m.Exchange:
    """Nothing was handed over: points and stock go back, once."""
    row = _waiting(work, number)
    # the good before the accounts, as an exchange holds them
    good = work.session.scalar(select(m.Good).where(m.Good.id == row.good_id).with_for_update())
    move = work.session.get(m.PointMove, row.move_id)
    assert move is not None and good is not None
    points.undo(work, move, words.strip() or row.number)
    good.stock += row.count
    row.state, row.hander_id, row.settled_at = "back", work.actor.person_id, work.now
    work.tell("exchange_back", subject=f"exchange:{row.id}", number=row.number, words=words.strip())
    return row


def _waiting(work: Work, number: str) -> m.Exchange:
    _office(work)
    row = work.session.scalar(select(m.Exchange).where(m.Exchange.number == number).with_for_update())
    if row is None:
        raise Missing("没有这张兑换单。")
    if row.state != "waiting":
        raise WrongStep(f"这张{law.EXCHANGE_STATES[row.state]}，不能再办。", state=row.state)
    return row


def _kept(work: Work, key: str) -> m.Exchange | None:
    query = select(m.Exchange).join(m.PointMove, m.PointMove.id == m.Exchange.move_id)
    return work.session.scalar(query.where(m.PointMove.key == points.key_of(work, key)))


def _this_month(work: Work, mine: m.PointAccount) -> int:
    first = _month_start(work.now)
    query = select(func.count(m.Exchange.id)).where(m.Exchange.account_id == mine.id, m.Exchange.state != "back",
                                                    m.Exchange.at >= first)  # fmt: skip
    return int(work.session.scalar(query) or 0)


def _month_start(now: datetime) -> datetime:
    here = now.astimezone(SHANGHAI)
    return here.replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=here.day - 1)


def _office(work: Work) -> None:
    if not work.actor.has("office", "office_head"):
        raise Refused("积分商品和兑换由环保办办。")
