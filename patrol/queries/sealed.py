"""Lists around the envelopes: keys, tips with something sealed, openings, telephone numbers to ring back.

An officer sees no number, place, words or photo of a tip: its address, kind, day and state are enough to know it by.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

from sqlalchemy import func, or_, select

from patrol import models as m
from patrol.queries.words import person_name, shown
from patrol.rules.lifecycle import PUBLIC_STATES_ZH
from patrol.rules.problems import PROBLEMS
from patrol.rules.secrecy import DUTIES_ZH, KEY_STATES, SIDES, SIDES_ZH
from patrol.station import Work

MOST = 200


def keys(look: Work) -> list[dict[str, Any]]:
    """Every key, whose it is, of which side, and how it stands."""
    rows = look.session.scalars(select(m.SealKey).order_by(m.SealKey.duty, m.SealKey.side, m.SealKey.id))
    return [
        {"key": row.key_id, "public": row.public, "holder": person_name(look, row.person_id), "duty": row.duty,
         "duty_zh": DUTIES_ZH[row.duty], "side": row.side, "side_zh": SIDES_ZH[row.side], "state": row.state,
         "state_zh": KEY_STATES[row.state], "mine": row.person_id == look.actor.person_id,
         "made_at": shown(row.made_at), "lost_at": shown(row.lost_at),
         "vouched_by": person_name(look, row.vouched_by) if row.vouched_by else None}
        for row in rows
    ]  # fmt: skip


def dangers(keys_: list[dict[str, Any]]) -> list[dict[str, str]]:
    """What is missing or hangs on a single key, in plain sentences: {zh, side}."""
    officers = Counter(row["side"] for row in keys_ if row["duty"] == "officer" and row["state"] == "active")
    lost = {row["side"] for row in keys_ if row["duty"] == "officer" and row["state"] == "lost"}
    found = []
    for side in SIDES:
        words = _LOST if officers[side] == 0 and side in lost else _HANGS_ON.get(officers[side])
        if words:
            found.append({"zh": words, "side": SIDES_ZH[side]})
    if not any(row["duty"] == "operator" and row["state"] == "active" for row in keys_):
        found.append({"zh": "话务员还没有钥匙：举报人留不了回访电话。", "side": ""})
    return found


_LOST = "%(side)s组的钥匙全丢了：以前封存的身份再也打不开，谁也没有办法。建了新钥匙，只能打开以后的。"
_HANGS_ON = {
    0: "%(side)s组还没有钥匙：现在只收匿名举报，不收姓名电话。",
    1: "%(side)s组只有一把钥匙：丢了又没有恢复单，封存的身份就永远打不开。请再加一个人。",
}


def tips(look: Work) -> list[dict[str, Any]]:
    """Tips that hold a sealed identity or an original photo, newest first."""
    photos = select(m.Photo.sighting_id).where(m.Photo.sealed_sha256.is_not(None))
    payees = select(m.Reward.sighting_id).where(m.Reward.payee_sealed.is_not(None))
    held = or_(m.Sighting.identity_sealed.is_not(None), m.Sighting.id.in_(photos), m.Sighting.id.in_(payees))
    query = select(m.Sighting).where(held)
    rows = look.session.scalars(query.order_by(m.Sighting.id.desc()).limit(MOST)).all()
    return [
        {"tip": row.ref, "kind_zh": PROBLEMS[row.kind].zh, "on": str(shown(row.received_at))[:10], "reward": row.reward,
         "state_zh": PUBLIC_STATES_ZH[_state(look, row)], "identity": row.identity_sealed is not None,
         "photos": look.session.scalar(select(func.count(m.Photo.id)).where(
             m.Photo.sighting_id == row.id, m.Photo.sealed_sha256.is_not(None)))}
        for row in rows
    ]  # fmt: skip


def _state(look: Work, sighting: m.Sighting) -> str:
    issue = look.session.get(m.Issue, sighting.issue_id) if sighting.issue_id else None
    while issue is not None and issue.state == "merged" and issue.parent_id is not None:
        issue = look.session.get(m.Issue, issue.parent_id)
    return issue.state if issue is not None else sighting.state


def openings(look: Work) -> list[dict[str, Any]]:
    """Who asked to open what and why, who opened it, newest first; `ready`: it waits for the one who asks here."""
    rows = look.session.execute(
        select(m.Opening, m.Sighting).join(m.Sighting, m.Sighting.id == m.Opening.sighting_id)
        .order_by(m.Opening.id.desc()).limit(MOST)
    ).all()  # fmt: skip
    mine = {row.side for row in look.session.scalars(select(m.SealKey).where(
        m.SealKey.person_id == look.actor.person_id, m.SealKey.state == "active", m.SealKey.duty == "officer"))}  # fmt: skip
    found = []
    for row, tip in rows:
        going = row.ends_at > look.now
        done = row.opened_by is not None
        found.append({
            "opening": row.ref, "tip": tip.ref, "kind_zh": PROBLEMS[tip.kind].zh, "reason": row.reason, "side": row.side,
            "asked_by": person_name(look, row.asked_by), "asked_at": shown(row.asked_at),
            "opened_by": person_name(look, row.opened_by) if done else None, "opened_at": shown(row.opened_at),
            "state_zh": "已打开" if done else "等另一组打开" if going else "过了 24 小时，作废",
            "ready": going and bool(mine - {row.side}) and row.asked_by != look.actor.person_id
            and row.opened_by in (None, look.actor.person_id),
        })  # fmt: skip
    return found


def months(look: Work) -> list[tuple[str, int, int]]:
    """Month, identities opened, telephone numbers opened: what the inspector looks at."""
    lines = look.session.execute(
        select(m.Trail.event, m.Trail.at).where(m.Trail.event.in_(("identity_opened", "callback_opened")))
    )
    count = Counter((str(shown(at))[:7], event) for event, at in lines)
    return [
        (month, count[month, "identity_opened"], count[month, "callback_opened"])
        for month in sorted({month for month, _ in count}, reverse=True)
    ]


def callbacks(look: Work) -> list[dict[str, Any]]:
    """Reports whose sender may be rung back, newest first."""
    query = select(m.Sighting).where(m.Sighting.callback_sealed.is_not(None)).order_by(m.Sighting.id.desc())
    found = []
    for row in look.session.scalars(query.limit(MOST)):
        issue = look.session.get(m.Issue, row.issue_id) if row.issue_id else None
        opened = look.session.scalar(select(func.count(m.Trail.id)).where(
            m.Trail.subject == f"clue:{row.id}", m.Trail.event == "callback_opened"))  # fmt: skip
        found.append({"tip": row.ref, "kind_zh": PROBLEMS[row.kind].zh, "at": shown(row.received_at), "opened": opened,
                      "issue": issue.number if issue else None,
                      "state_zh": PUBLIC_STATES_ZH[_state(look, row)]})  # fmt: skip
    return found
