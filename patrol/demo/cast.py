"""Who is in the sample week: invented people, one way in for each role, passwords made anew each time.

No password is written here or anywhere: they are shown once, on the terminal that asked for them.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import select

from patrol import models as m
from patrol.actions import people
from patrol.rules.rights import ROLES
from patrol.station import ANYONE, Actor, Station

LETTERS = "abcdefghjkmnpqrstuvwxyz23456789"  # none that a person confuses when copying by hand


@dataclass(frozen=True)
class Part:
    """One person of the sample: login, invented name, role, unit; the page they begin at."""

    login: str
    name: str
    role: str
    page: str
    unit: str | None = None


CAST: dict[str, Part] = {
    part.login: part
    for part in (
        Part("office", "林小满（样例）", "office", "/desk"),
        Part("office2", "周青禾（样例）", "office", "/desk"),
        Part("head", "沈望川（样例）", "office_head", "/desk"),
        Part("chief", "顾长洲（样例）", "chief", "/desk"),
        Part("inspector", "陆清和（样例）", "inspector", "/desk"),
        Part("operator", "白露（样例）", "operator", "/hotline"),
        Part("grid", "柳芽（样例）", "grid", "/phone"),
        Part("water", "江流（样例）", "unit", "/phone", "water"),
        Part("sanitation", "何净（样例）", "unit", "/phone", "sanitation"),
        Part("construction", "石砚（样例）", "unit", "/phone", "construction"),
        Part("agriculture", "田野（样例）", "unit", "/phone", "agriculture"),
        Part("volunteer", "杨树（样例）", "volunteer", "/volunteer"),
        Part("reward", "余朗（样例）", "reward", "/desk/rewards"),
        Part("admin", "管理员（样例）", "admin", "/map"),
    )
}
DRONE = Part("drone", "无人机平台（样例）", "drone", "")


@dataclass(frozen=True)
class Key:
    """One way in as it is shown, once."""

    part: Part
    secret: str

    @property
    def role_zh(self) -> str:
        return ROLES[self.part.role].zh


def password() -> str:
    """A random password that can be typed from a screen: 59 bits."""
    return "-".join("".join(secrets.choice(LETTERS) for _ in range(4)) for _ in range(3))


def actors(station: Station) -> dict[str, Actor]:
    """The people as actors of deeds, made where they are absent."""
    found = {}
    with station.work(ANYONE) as work:
        for part in (*CAST.values(), DRONE):
            row = people.person(work, part.name)
            found[part.login] = Actor(row.id, part.name, frozenset({part.role}), part.unit, via="page")
    return found


def give_keys(station: Station, terminal: Actor, on_each: Callable[[], None] = lambda: None) -> list[Key]:
    """A new random password for every sample sign-in and a new token for the drone; the old ones end."""
    keys = []
    for part in CAST.values():
        secret = password()
        with station.work(terminal) as work:
            account = work.session.scalar(select(m.Account).where(m.Account.login == part.login))
            if account is None:
                people.add_account(work, part.login, secret, [part.role], name=part.name, unit=part.unit)
            else:
                people.set_password(work, account, secret)
        keys.append(Key(part, secret))
        on_each()
    with station.work(terminal) as work:
        who = people.person(work, DRONE.name)
        old = select(m.Token.id).where(m.Token.person_id == who.id, m.Token.revoked_at.is_(None))
        for token_id in list(work.session.scalars(old)):
            people.revoke_token(work, token_id)
        keys.append(Key(DRONE, people.add_token(work, DRONE.name, DRONE.role)))
    return keys
