"""What teams watch: fixed spots, one value of a series a day and team, and points for it."""

from __future__ import annotations

from datetime import date, timedelta

from sqlalchemy import select

from patrol import models as m
from patrol.actions import points, teams
from patrol.errors import BadInput, Fault, Missing, Refused, WrongStep
from patrol.rules import hands, observing
from patrol.station import Work

OLDEST_DAYS = 400  # a paper record of last year may still be typed in


def put_spot(work: Work, code: str, name: str, chainage_m: float, bank: str) -> m.Spot:
    """A fixed place to watch from, by its code; its position follows from chainage and bank and never moves."""
    teams.office(work)
    river = work.place.river
    faults = []
    if not code.isascii() or not code.isalnum() or len(code) > 16:
        faults.append(Fault("/code", "code", "点号用字母数字，如 B1。"))
    if not name.strip() or len(name) > 60:
        faults.append(Fault("/name", "name", "点名要写 1 到 60 个字。"))
    if river is None or not 0 <= chainage_m <= river.length_m:
        faults.append(Fault("/chainage_m", "chainage", "桩号不在本河段。"))
    if bank not in ("left", "right"):
        faults.append(Fault("/bank", "bank", "选左岸还是右岸。"))
    if faults or river is None:
        raise BadInput(faults)
    row = work.session.scalar(select(m.Spot).where(m.Spot.code == code.upper()))
    if row is None:
        lon, lat = river.point_at(chainage_m, 10.0, "left" if bank == "left" else "right")
        row = m.Spot(code=code.upper(), chainage_m=chainage_m, bank=bank, lon=round(lon, 7), lat=round(lat, 7))
        work.session.add(row)
    elif (row.chainage_m, row.bank) != (chainage_m, bank):
        raise WrongStep("点定了就不挪，挪了前后就不能比；请另开一个点号。", "spot_fixed")
    row.name = name.strip()
    work.session.flush()
    work.tell("spot_set", subject=f"spot:{row.id}", code=row.code, name=row.name)
    return row


def observe(work: Work, series: str, spot: str, value: float, on: date, words: str = "",
            team_id: int | None = None) -> m.Observation:  # fmt: skip
    """One value by a member for the team. The same once more is the same record; another value corrects it that day."""
    faults = []
    if series not in observing.SERIES:
        faults.append(Fault("/series", "series", f"可选：{'、'.join(row.zh for row in observing.SERIES.values())}。"))
    elif told := observing.fault(series, value):
        faults.append(Fault("/value", "value", told))
    place = work.session.scalar(select(m.Spot).where(m.Spot.code == spot.upper()))
    if place is None:
        faults.append(Fault("/spot", "spot", "没有这个监测点。"))
    today = points.today(work)
    if not today - timedelta(days=OLDEST_DAYS) <= on <= today:
        faults.append(Fault("/on", "day", "日期不能在以后，也不能早于 400 天以前。"))
    if faults or place is None:
        raise BadInput(faults)
    team = _team(work, team_id)
    work.only_one(f"observe:{series}:{place.id}:{team.id}")
    where = (m.Observation.series == series, m.Observation.spot_id == place.id, m.Observation.team_id == team.id,
             m.Observation.on == on)  # fmt: skip
    row = work.session.scalar(select(m.Observation).where(*where))
    if row is None:
        row = m.Observation(series=series, spot_id=place.id, team_id=team.id, person_id=work.actor.person_id, on=on,
                            value=value, words=words.strip(), dropped=False, at=work.now)  # fmt: skip
        work.session.add(row)
    elif row.dropped or row.at.date() != work.now.date():
        raise WrongStep("这一天已经记过，要改请找环保办。", "already_observed")
    elif row.value == value and row.words == words.strip():
        return row
    else:
        row.value, row.words, row.person_id = value, words.strip(), work.actor.person_id or row.person_id
    work.session.flush()
    work.tell("observed", subject=f"spot:{place.id}", series=series, on=on.isoformat(), value=value, team=team.id)
    minors = hands.TEAM_KINDS[team.kind].minors
    target = points.account(work, team_id=team.id) if minors else points.account(work, person_id=row.person_id)
    points.earn(work, "observation", target, 1, f"observation:{row.id}")
    return row


def drop(work: Work, observation_id: int, words: str) -> None:
    """Take a slip of the pen out of the series; the row stays, the points do not."""
    teams.office(work)
    row = work.session.get(m.Observation, observation_id)
    if row is None:
        raise Missing("没有这条记录。")
    if row.dropped:
        return
    if not words.strip():
        raise BadInput(Fault("/words", "words", "写一句为什么去掉。"))
    row.dropped = True
    query = select(m.PointMove).where(m.PointMove.what == "observation", m.PointMove.words == f"observation:{row.id}")
    for move in work.session.scalars(query):
        try:
            points.undo(work, move, words.strip())
        except WrongStep:
            continue  # spent already: the record goes, the debt is not made
    work.tell("observation_dropped", subject=f"spot:{row.spot_id}", observation=row.id, words=words.strip())


def _team(work: Work, team_id: int | None) -> m.Team:
    """The team the actor watches for: the named one, or the only one."""
    query = select(m.Team).join(m.Member, m.Member.team_id == m.Team.id).where(
        m.Member.person_id == (work.actor.person_id or 0), m.Team.active.is_(True))  # fmt: skip
    mine = [row for row in work.session.scalars(query.order_by(m.Team.id)) if team_id in (None, row.id)]
    if not mine:
        raise Refused("您不在队里，先请环保办登记入队。", "not_member")
    return mine[0]
