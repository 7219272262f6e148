"""People: persons, tokens, accounts, sign-in, delegations. One person may hold many ways in; four eyes count persons."""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from datetime import date, timedelta

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy import delete, select

from patrol import models as m
from patrol.errors import BadInput, Fault, NotSignedIn, Refused, TooMuch
from patrol.rules.rights import ROLES
from patrol.station import Actor, Work

HASHER = PasswordHasher(time_cost=3, memory_cost=64 * 1024, parallelism=1)
# a password nobody has, so that an unknown name costs the same as a wrong password
_NOBODY = HASHER.hash(secrets.token_hex(16))
SHORTEST_PASSWORD = 10
TOKEN_MARK = "ptl_"


def person(work: Work, name: str) -> m.Person:
    """The person of that name, made when there is none."""
    name = name.strip()
    if not name or len(name) > 64:
        raise BadInput(Fault("name", "name", "姓名要写 1 到 64 个字。"))
    row = work.session.scalar(select(m.Person).where(m.Person.name == name))
    if row is None:
        row = m.Person(name=name)
        work.session.add(row)
        work.session.flush()
    return row


def check_grant(work: Work, roles: Sequence[str], unit: str | None, grids: Sequence[str] | None) -> None:
    """Every fault of a grant at once: unknown roles, a unit role without its unit, unknown grids."""
    faults = [
        Fault("role", "unknown_role", f"没有「{role}」这个角色；可选：{'、'.join(ROLES)}。")
        for role in roles if role not in ROLES
    ]  # fmt: skip
    if not roles:
        faults.append(Fault("role", "role", f"缺角色；可选：{'、'.join(ROLES)}。"))
    if "unit" in roles and not unit:
        faults.append(Fault("unit", "unit", "责任单位的角色要写明单位编号（--unit）。"))
    if unit and unit not in work.place.units:
        faults.append(Fault("unit", "unknown_unit", f"没有单位「{unit}」；可选：{'、'.join(work.place.units)}。"))
    known = {grid.code for grid in work.place.grids}
    for grid in grids or ():
        if grid not in known:
            faults.append(Fault("grid", "unknown_grid", f"没有网格「{grid}」；可选：{'、'.join(sorted(known))}。"))
    if faults:
        raise BadInput(faults)


def add_token(work: Work, name: str, role: str, *, unit: str | None = None, grids: Sequence[str] | None = None) -> str:
    """A new bearer token of a person; shown once, kept as a digest."""
    check_grant(work, [role], unit, grids)
    who = person(work, name)
    token = TOKEN_MARK + secrets.token_urlsafe(32)
    work.session.add(m.Token(person_id=who.id, digest=digest(token), role=role, unit=unit,
                             grids=list(grids) if grids else None, made_at=work.now))  # fmt: skip
    work.tell("token_added", person=who.id, role=role, unit=unit, grids=list(grids) if grids else None)
    return token


def revoke_token(work: Work, token_id: int) -> None:
    row = work.session.get(m.Token, token_id)
    if row is not None and row.revoked_at is None:
        row.revoked_at = work.now
        work.tell("token_revoked", token=token_id)


def actor_of_token(work: Work, token: str) -> Actor:
    """Who a bearer token is; unknown, revoked and malformed look the same."""
    row = work.session.execute(
        select(m.Token, m.Person).join(m.Person, m.Person.id == m.Token.person_id)
        .where(m.Token.digest == digest(token), m.Token.revoked_at.is_(None))
    ).first()  # fmt: skip
    if row is None:
        raise NotSignedIn("令牌无效或已停用，请重新领取。")
    kept, who = row
    grids = frozenset(kept.grids) if kept.grids is not None else None
    return Actor(who.id, who.name, frozenset({kept.role}), kept.unit, grids, via="token")


def add_account(
    work: Work, login: str, password: str, roles: Sequence[str], *, name: str | None = None,
    unit: str | None = None, grids: Sequence[str] | None = None,
) -> m.Account:  # fmt: skip
    """A sign-in for a person."""
    check_grant(work, roles, unit, grids)
    if len(password) < SHORTEST_PASSWORD:
        raise BadInput(Fault("password", "short", f"密码至少 {SHORTEST_PASSWORD} 位。"))
    if not login.strip() or work.session.scalar(select(m.Account.id).where(m.Account.login == login)):
        raise BadInput(Fault("login", "taken", "登录名空着，或已有人用。"))
    account = m.Account(person_id=person(work, name or login).id, login=login, password_hash=HASHER.hash(password),
                        roles=list(roles), unit=unit, grids=list(grids) if grids else None, active=True, failed=0)  # fmt: skip
    work.session.add(account)
    work.session.flush()
    work.tell("token_added", account=account.id, roles=list(roles), unit=unit)
    return account


def set_password(work: Work, account: m.Account, password: str) -> None:
    """A new password; whoever is signed in with the old one is signed out."""
    if len(password) < SHORTEST_PASSWORD:
        raise BadInput(Fault("password", "short", f"密码至少 {SHORTEST_PASSWORD} 位。"))
    account.password_hash, account.failed, account.wait_until = HASHER.hash(password), 0, None
    work.session.execute(delete(m.SignIn).where(m.SignIn.account_id == account.id))
    work.tell("password_set", subject=f"account:{account.id}")


def sign_in(work: Work, login: str, password: str) -> str | None:
    """A session value for the cookie, or None for a wrong name or password. Wrong tries slow down, never lock."""
    account = work.session.scalar(select(m.Account).where(m.Account.login == login))
    if account is not None and account.wait_until is not None and account.wait_until > work.now:
        raise TooMuch(
            "密码错得太多，请过一会儿再试。",
            retry_after_s=int((account.wait_until - work.now).total_seconds()) + 1,
        )
    try:
        HASHER.verify(account.password_hash if account else _NOBODY, password)
        right = account is not None and account.active
    except (VerifyMismatchError, InvalidHashError):
        right = False
    if not right or account is None:
        if account is not None:
            account.failed += 1
            if account.failed >= 5:
                account.wait_until = work.now + timedelta(seconds=min(42, 2 ** (account.failed - 5)))
        return None
    account.failed, account.wait_until = 0, None
    value = secrets.token_urlsafe(32)
    ends = work.now + timedelta(hours=work.settings.session_hours)
    work.session.add(m.SignIn(digest=digest(value), account_id=account.id, made_at=work.now, ends_at=ends))
    work.tell("signed_in", subject=f"account:{account.id}")
    return value


def actor_of_session(work: Work, value: str) -> Actor:
    """Who a session cookie is, from the account as it is now."""
    row = work.session.execute(
        select(m.SignIn, m.Account, m.Person).join(m.Account, m.Account.id == m.SignIn.account_id)
        .join(m.Person, m.Person.id == m.Account.person_id).where(m.SignIn.digest == digest(value))
    ).first()  # fmt: skip
    if row is None or row[0].ends_at <= work.now or not row[1].active:
        raise NotSignedIn()
    _, account, who = row
    grids = frozenset(account.grids) if account.grids is not None else None
    return Actor(who.id, who.name, frozenset(account.roles), account.unit, grids, via="page")


def sign_out(work: Work, value: str) -> None:
    row = work.session.get(m.SignIn, digest(value))
    if row is not None:
        work.tell("signed_out", subject=f"account:{row.account_id}")
        work.session.delete(row)


def delegate(work: Work, to_id: int, from_on: date, to_on: date) -> m.Delegation:
    """A dated acting head, named by the head or a chief, never oneself."""
    if not work.actor.has("office_head", "chief"):
        raise Refused("代行由环保办负责人或河湖长指定。")
    faults = []
    if to_id == work.actor.person_id:
        faults.append(Fault("to", "oneself", "不能指定自己代行。"))
    if work.session.get(m.Person, to_id) is None:
        faults.append(Fault("to", "person", "没有这个人。"))
    if to_on < from_on or (to_on - from_on).days > 31:
        faults.append(Fault("to_on", "dates", "代行要写起止日期，最长 31 天。"))
    if faults:
        raise BadInput(faults)
    row = m.Delegation(to_id=to_id, by_id=work.actor.person_id, from_on=from_on, to_on=to_on)
    work.session.add(row)
    work.tell("delegated", to=to_id, from_on=from_on.isoformat(), to_on=to_on.isoformat())
    return row


def digest(value: str) -> str:
    return hashlib.sha256(value.encode("utf-8", "surrogatepass")).hexdigest()
