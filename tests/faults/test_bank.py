"""100,000 point transfers by 8 clients that are killed at random: no point is made or lost, nobody is below zero.

The clients run the deeds themselves in processes of their own, so that a kill hits open transactions.
"""

from __future__ import annotations

import multiprocessing
import random
import signal
from pathlib import Path

import pytest
from sqlalchemy import func, select

from patrol import models as m
from patrol.actions import goods, people, points
from patrol.queries import trail
from patrol.rules import points as law
from patrol.settings import Settings
from patrol.station import SYSTEM, Actor, Station
from tests.faults import FULL, share, teller
from tests.faults.house import pause

CLIENTS, ACCOUNTS, OPENING, STOCK, PRICE = 8, 100, 1_000, 150, 20
TRANSFERS = 100_000 if FULL else 2_000
# clients are forked from a server that has imported everything once: a killed one is back at once
HOUSE = multiprocessing.get_context("forkserver")
HOUSE.set_forkserver_preload(["tests.faults.teller"])


class Client:
    """One teller in a process of its own: started, killed, started again until its share is done."""

    def __init__(
        self, number: int, folder: Path, environ: dict[str, str], pairs: list[tuple[int, int]], good: int
    ) -> None:
        self.progress = folder / f"client{number}"
        self.given = (environ, number, TRANSFERS // CLIENTS, self.progress, pairs, good)
        self.start()

    def start(self) -> None:
        self.process = HOUSE.Process(target=teller.run, args=self.given)
        self.process.start()

    def running(self) -> bool:
        code = self.process.exitcode
        assert code in (None, 0), f"a teller ended with {code}"
        return code is None

    def done(self) -> int:
        return int(self.progress.read_text() or 0) if self.progress.exists() else 0

    def kill(self) -> bool:
        if not self.running():
            return False
        self.process.kill()
        self.process.join(30)
        killed = self.process.exitcode == -signal.SIGKILL
        self.start()
        return killed


def opened(station: Station) -> tuple[list[tuple[int, int]], int]:
    """The accounts with their persons, each with its opening balance, and the good they all want."""
    pairs = []
    with station.work(SYSTEM) as work:
        source = points.account(work, house=law.SOURCE)
        for index in range(ACCOUNTS):
            who = people.person(work, f"志愿者{index}")
            row = points.account(work, person_id=who.id)
            points.transfer(work, source.id, row.id, OPENING, f"open:{index}")
            pairs.append((row.id, who.id))
    with station.work(Actor(1, "环保办", frozenset({"office"}), via="test")) as work:
        return pairs, goods.put(work, "布袋", PRICE, STOCK).id


@pytest.mark.faults
@pytest.mark.timeout(7200)
def test_points_are_neither_made_nor_lost_when_clients_are_killed(environ: dict[str, str], tmp_path: Path) -> None:
    dice, killed = random.Random(19), 0
    station = Station.open(Settings.read(environ))
    station.migrate()
    pairs, good = opened(station)
    clients = [Client(number, tmp_path, environ, pairs, good) for number in range(CLIENTS)]
    wanted = share(200)
    while any(client.running() for client in clients):
        pause(dice.uniform(0.05, 0.3))
        # kills are spread over the whole run, however fast the machine is
        if killed < wanted and sum(client.done() for client in clients) >= killed * TRANSFERS // wanted:
            killed += dice.choice(clients).kill()
    with station.look(SYSTEM) as look:
        total = look.session.scalar(select(func.sum(m.Posting.amount)))
        below = look.session.scalar(
            select(func.count(m.PointAccount.id)).where(m.PointAccount.balance < 0, m.PointAccount.house.is_(None))
        )
        for row in look.session.scalars(select(m.PointAccount)):
            assert row.balance == look.session.scalar(
                select(func.sum(m.Posting.amount)).where(m.Posting.account_id == row.id)
            )
        uneven = select(m.Posting.move_id).group_by(m.Posting.move_id).having(func.sum(m.Posting.amount) != 0)
        assert look.session.scalars(uneven).all() == []
        moves = look.session.scalar(select(func.count(m.PointMove.id)).where(m.PointMove.what == "manual")) - ACCOUNTS
        exchanges = look.session.scalar(select(func.count(m.Exchange.id)))
        paid = look.session.scalar(select(func.count(m.PointMove.id)).where(m.PointMove.what == "exchange"))
        left = look.session.get(m.Good, good).stock
        most = look.session.scalars(select(func.count(m.Exchange.id)).group_by(m.Exchange.account_id)).all()
        report = trail.verify(look, None)
    station.close()
    assert (total, below) == (0, 0)
    assert exchanges == paid == STOCK - left and max(most, default=0) <= law.EXCHANGES_A_MONTH
    assert report.ok, report.words
    assert killed >= min(wanted, 5), "hardly anybody was killed"
    print(f"transfers {moves} of {TRANSFERS}, exchanges {exchanges}, kills {killed}, sum 0, negative 0, double 0")
