"""One client of the bank test, in a process of its own: its share of the transfers, begun again where it was killed.

The plan follows from the seed, so that a client which begins again a little before its last acknowledged transfer
repeats what it may have done already.
"""

from __future__ import annotations

import random
from pathlib import Path

from sqlalchemy.exc import OperationalError

from patrol.actions import goods, points
from patrol.errors import PatrolError
from patrol.settings import Settings
from patrol.station import Actor, Station

BACK = 20  # so many of the acknowledged ones are done once more after a kill
AMOUNT_MOST = 30
EXCHANGES_IN_100 = 2


def plan(seed: int, count: int, accounts: list[tuple[int, int]], good: int) -> list[tuple[str, Actor, int, int, int]]:
    """(what, actor, from account or good, to account, amount) of every act of one client."""
    dice, acts = random.Random(seed), []
    for _ in range(count):
        (payer, person), (payee, _) = dice.sample(accounts, 2)
        actor = Actor(person, f"p{person}", frozenset({"volunteer"}), via="test")
        what = "exchange" if dice.randrange(100) < EXCHANGES_IN_100 else "transfer"
        acts.append((what, actor, good if what == "exchange" else payer, payee, dice.randint(1, AMOUNT_MOST)))
    return acts


def run(
    environ: dict[str, str], seed: int, count: int, progress: Path, accounts: list[tuple[int, int]], good: int
) -> None:
    """One life of a client: to the end of its share, or until it is killed."""
    station = Station.open(Settings.read(environ), may_create=False)
    done = int(progress.read_text() or 0) if progress.exists() else 0
    acts = plan(seed, count, accounts, good)
    with progress.open("r+" if progress.exists() else "w") as file:
        for index in range(max(0, done - BACK), count):
            act(station, f"{seed}:{index}", acts[index])
            file.seek(0)
            file.write(f"{index + 1:08d}")
            file.flush()
    station.close()


def act(station: Station, key: str, row: tuple[str, Actor, int, int, int]) -> None:
    """Do one act until the database has taken or refused it."""
    what, actor, first, payee, amount = row
    while True:
        try:
            with station.work(actor) as work:
                if what == "exchange":
                    goods.exchange(work, first, 1, key)
                else:
                    points.transfer(work, first, payee, amount, key)
            return
        except PatrolError:
            return  # not enough, out of stock, too many: refused is done
        except OperationalError:
            continue  # the lock was not to be had in time: the same key again
