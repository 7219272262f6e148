"""Teams, watches, classes, observations: children are numbers, nobody confirms themselves, points follow once."""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import pytest
from sqlalchemy import inspect, select

from patrol import models as m
from patrol.actions import lessons, observing, points, teams
from patrol.errors import BadInput, Missing, PatrolError, Refused, WrongStep
from patrol.station import ANYONE, Actor, Station, Work
from tests.walk import Town


class Club:
    """A station with a silver team, a scarf post, two members and a spot."""

    def __init__(self, station: Station) -> None:
        self.station, self.town = station, Town(station)
        self.office, self.other = self.town.person("office"), self.town.person("office2")
        self.ann, self.bo = (self.town.person("volunteer", name=name) for name in ("安", "波"))
        self.silver = self.do(self.office, lambda w: teams.put_team(w, "银发护湖一队", "silver", from_m=0, to_m=900))
        self.scarf = self.do(self.office, lambda w: teams.put_team(w, "西小红领巾监测站", "scarf", heads=24))
        for team, name in ((self.silver, "安"), (self.silver, "波"), (self.scarf, "安")):
            self.do(self.office, lambda w, t=team, n=name: teams.add_member(w, t.id, n, of_age=True))
        self.spot = self.do(self.office, lambda w: observing.put_spot(w, "B1", "柳林湾", 400, "left"))

    def do(self, actor: Actor, deed: Callable[[Work], Any]) -> Any:
        with self.station.work(actor) as work:
            return deed(work)

    def at(self, **span: float) -> Any:
        return self.station.now() + timedelta(**span)

    def forward(self, **span: float) -> None:
        self.station.clock.forward(**span)  # type: ignore[attr-defined]  # the settable clock

    def shift(self, team: m.Team | None = None, hours: float = 2, start_h: float = 1, wanted: int = 5) -> m.Shift:
        when = self.at(hours=start_h)
        return self.do(
            self.office,
            lambda w: teams.plan_shift(
                w, (team or self.silver).id, when, when + timedelta(hours=hours), "柳林湾", wanted
            ),
        )  # type: ignore[no-any-return]

    def points(self, **whose: Any) -> int:
        return int(self.do(self.office, lambda w: points.account(w, **whose).balance))


@pytest.fixture
def club(station: Station) -> Club:
    return Club(station)


def refused(kind: type[PatrolError], code: str, call: Callable[[], Any]) -> None:
    with pytest.raises(kind) as said:
        call()
    assert said.value.code == code or any(f.code == code for f in getattr(said.value, "faults", [])), said.value.code


def test_a_child_is_a_number_and_has_no_column_to_be_named_in(club: Club) -> None:
    refused(BadInput, "of_age", lambda: club.do(club.office, lambda w: teams.add_member(w, club.scarf.id, "小明")))
    refused(BadInput, "heads", lambda: club.do(club.office, lambda w: teams.put_team(w, "银发", "silver", heads=3)))
    with club.station.look() as look:
        assert look.session.scalar(select(m.Person.id).where(m.Person.name == "小明")) is None
        for table in ("team", "shift", "lesson", "lesson_entry"):
            names = {column["name"] for column in inspect(club.station.engine).get_columns(table)}
            assert not names & {"child", "child_name", "children_names", "guardian", "born", "age"}
        assert look.session.get(m.Team, club.scarf.id).heads == 24


def test_a_watch_is_signed_up_for_held_and_credited_once(club: Club) -> None:
    made = club.shift()
    for actor in (club.ann, club.ann, club.bo):
        club.do(actor, lambda w: teams.sign_up(w, made.id))
    refused(WrongStep, "not_over", lambda: club.do(club.office, lambda w: teams.hold(w, made.id, [])))
    club.forward(hours=4)
    assert club.do(club.office, lambda w: teams.hold(w, made.id, [club.ann.person_id])) == 10
    refused(
        WrongStep, "wrong_step", lambda: club.do(club.office, lambda w: teams.hold(w, made.id, [club.bo.person_id]))
    )
    assert (club.points(person_id=club.ann.person_id), club.points(person_id=club.bo.person_id)) == (10, 0)
    with club.station.look() as look:
        kept = {e.person_id: (e.state, e.minutes) for e in look.session.scalars(select(m.ShiftEntry))}
    assert kept == {club.ann.person_id: ("present", 120), club.bo.person_id: ("absent", 0)}


def test_nobody_watches_in_two_places_or_confirms_themselves(club: Club) -> None:
    one, two = club.shift(), club.shift(start_h=2)
    club.do(club.ann, lambda w: teams.sign_up(w, one.id))
    refused(WrongStep, "overlaps", lambda: club.do(club.ann, lambda w: teams.sign_up(w, two.id)))
    club.do(club.ann, lambda w: teams.leave(w, one.id))
    club.do(club.ann, lambda w: teams.sign_up(w, two.id))
    club.do(club.office, lambda w: teams.add_member(w, club.silver.id, club.office.name, of_age=True))
    club.do(club.office, lambda w: teams.sign_up(w, one.id))
    club.forward(hours=6)
    refused(
        Refused, "same_person", lambda: club.do(club.office, lambda w: teams.hold(w, one.id, [club.office.person_id]))
    )
    assert club.do(club.other, lambda w: teams.hold(w, one.id, [club.office.person_id])) == 10
    refused(BadInput, "present", lambda: club.do(club.office, lambda w: teams.hold(w, two.id, [club.bo.person_id])))


def test_a_full_watch_and_a_stranger_are_refused(club: Club) -> None:
    made = club.shift(wanted=1)
    club.do(club.ann, lambda w: teams.sign_up(w, made.id))
    refused(WrongStep, "full", lambda: club.do(club.bo, lambda w: teams.sign_up(w, made.id)))
    refused(
        Refused,
        "not_member",
        lambda: club.do(club.town.person("volunteer", name="外人"), lambda w: teams.sign_up(w, made.id)),
    )


def test_children_earn_for_their_team(club: Club) -> None:
    made = club.shift(club.scarf, hours=1)
    club.do(club.ann, lambda w: teams.sign_up(w, made.id))
    club.forward(hours=3)
    assert club.do(club.office, lambda w: teams.hold(w, made.id, [club.ann.person_id], heads=18)) == 10
    assert (club.points(team_id=club.scarf.id), club.points(person_id=club.ann.person_id)) == (5, 5)


def lesson(club: Club, seats: int = 6) -> m.Lesson:
    when = club.at(days=1)
    return club.do(
        club.office, lambda w: lessons.plan(w, "认水鸟", when, when + timedelta(hours=2), "社区活动室", seats)
    )  # type: ignore[no-any-return]


def test_a_class_is_signed_up_for_without_a_name(club: Club) -> None:
    row, mine = lesson(club), str(uuid.uuid4())
    entry, code = club.do(ANYONE, lambda w: lessons.sign_up(w, row.id, 1, 2, mine))
    again, same = club.do(ANYONE, lambda w: lessons.sign_up(w, row.id, 1, 2, mine))
    assert (again.id, same) == (entry.id, code) and entry.person_id is None
    refused(BadInput, "adults", lambda: club.do(ANYONE, lambda w: lessons.sign_up(w, row.id, 0, 2, "x")))
    refused(WrongStep, "full", lambda: club.do(ANYONE, lambda w: lessons.sign_up(w, row.id, 4, 0, "y")))
    club.do(ANYONE, lambda w: lessons.give_back(w, code=code.lower()))
    refused(WrongStep, "not_signed", lambda: club.do(ANYONE, lambda w: lessons.give_back(w, code=code)))
    with pytest.raises(Missing):
        club.do(ANYONE, lambda w: lessons.give_back(w, code="0" * 16))
    with club.station.look() as look:
        facts = json.dumps([line.facts for line in look.session.scalars(select(m.Trail))])
        assert code not in facts and mine not in facts
        assert code not in str(look.session.scalars(select(m.LessonEntry.code_hash)).all())


def test_a_held_class_counts_heads_and_credits_the_signed_in(club: Club) -> None:
    row = lesson(club)
    club.do(club.ann, lambda w: lessons.sign_up(w, row.id, 1, 1, ""))
    club.do(ANYONE, lambda w: lessons.sign_up(w, row.id, 1, 2, "z"))
    club.forward(days=2)
    ann = frozenset({club.ann.person_id})
    refused(BadInput, "heads", lambda: club.do(club.office, lambda w: lessons.hold(w, row.id, 3, 4)))
    assert club.do(club.office, lambda w: lessons.hold(w, row.id, 5, 3, ann)) == 5
    refused(WrongStep, "not_over", lambda: club.do(club.office, lambda w: lessons.hold(w, row.id, 5, 3, ann)))
    assert club.points(person_id=club.ann.person_id) == 5


def test_an_observation_is_bounded_kept_once_and_earns(club: Club) -> None:
    day = date(2026, 11, 20)

    def see(value: float, series: str = "birds", on: date = day, actor: Actor = club.bo) -> m.Observation:
        return club.do(actor, lambda w: observing.observe(w, series, "b1", value, on))  # type: ignore[no-any-return]

    first = see(37)
    assert see(37).id == first.id and see(38).value == 38
    assert club.points(person_id=club.bo.person_id) == 2
    refused(BadInput, "value", lambda: see(-1))
    refused(BadInput, "value", lambda: see(1.5))
    refused(BadInput, "value", lambda: see(6, "water_colour"))
    refused(BadInput, "series", lambda: see(1, "fish"))
    refused(BadInput, "day", lambda: see(1, on=date(2026, 11, 24)))
    club.forward(days=1)
    refused(WrongStep, "already_observed", lambda: see(40))
    club.do(club.office, lambda w: observing.drop(w, first.id, "写错了"))
    assert club.points(person_id=club.bo.person_id) == 0
    refused(
        Refused, "not_member", lambda: see(3, on=date(2026, 11, 21), actor=club.town.person("volunteer", name="外人"))
    )


def test_a_spot_never_moves(club: Club) -> None:
    club.do(club.office, lambda w: observing.put_spot(w, "B1", "柳林湾（桥头）", 400, "left"))
    refused(
        WrongStep, "spot_fixed", lambda: club.do(club.office, lambda w: observing.put_spot(w, "B1", "x", 500, "left"))
    )
