"""Law 8: a new calendar moves only dues that rest on an estimate and have not passed, each with a line."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from patrol import models as m
from patrol.actions import calendar_store, clocks, slips
from patrol.errors import BadInput
from patrol.queries.trail import verify
from patrol.rules.calendar import SHANGHAI
from patrol.station import SYSTEM, Station, calendar_version
from tests.walk import Town

CLOSING = """节假日期间，各地区、各部门要妥善安排好值班和安全、保卫、疫情防控等工作。
国务院办公厅
2026年11月5日"""
# the form is real; the arrangement is made up: Monday 4 January is off, Sunday 10 January is worked
NOTICE = f"""国务院办公厅关于2027年部分节假日安排的通知
一、元旦：1月1日（周五）至4日（周一）放假调休，共4天。1月10日（周日）上班。
二、春节：2月5日（周五）至12日（周五）放假调休，共8天。1月31日（周日）、2月20日（周六）上班。
三、清明节：4月3日（周六）至5日（周一）放假，共3天。
四、劳动节：5月1日（周六）至5日（周三）放假调休，共5天。5月8日（周六）上班。
五、端午节：6月9日（周三）放假1天，不调休。
六、中秋节：9月15日（周三）放假1天，不调休。
七、国庆节：10月1日（周五）至7日（周四）放假调休，共7天。9月26日（周日）、10月9日（周六）上班。
{CLOSING}"""
NEW_YEARS_EVE = datetime(2026, 12, 31, 10, 0, tzinfo=SHANGHAI).astimezone(UTC)


def shanghai(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=SHANGHAI)  # type: ignore[misc, arg-type]


@pytest.fixture
def town(station: Station) -> Town:
    with station.work(SYSTEM) as work:
        calendar_store.seed(work)
    return Town(station)


def import_notice(station: Station, text: str = NOTICE) -> calendar_store.Imported:
    with station.work(SYSTEM) as work:
        return calendar_store.import_notice(work, text)


def rectify(town: Town, number: str) -> m.Clock:
    with town.station.look() as look:
        clock = clocks.last(look, town.issue(number), "rectify")
        assert clock is not None
        return clock


def lines(town: Town, number: str, event: str) -> list[m.Trail]:
    with town.station.look() as look:
        query = look.session.query(m.Trail).filter_by(issue_id=town.issue(number).id, event=event)
        return list(query.order_by(m.Trail.seq))


def version(station: Station) -> str:
    with station.look() as look:
        return calendar_version(look.session)


def assigned_on_new_years_eve(town: Town, **fields: object) -> str:
    town.station.clock.at = NEW_YEARS_EVE  # type: ignore[attr-defined]
    return town.to_assigned(kind="bare_soil", **fields)


def test_seed_knows_last_this_and_next_year_and_repeats_nothing(station: Station) -> None:
    with station.work(SYSTEM) as work:
        seeded = calendar_store.seed(work)
    assert [(year.year, year.confirmed) for year in seeded] == [(2025, True), (2026, True), (2027, False)]
    before = version(station)
    with station.work(SYSTEM) as work:
        assert calendar_store.seed(work) == []
    assert version(station) == before
    with station.look() as look:
        assert look.calendar.is_workday(datetime(2026, 10, 10).date())
        assert not look.calendar.is_workday(datetime(2026, 10, 1).date())
        assert look.calendar.confirmed == {2025, 2026}


def test_estimated_due_moves_with_a_line_and_a_new_print(town: Town) -> None:
    number = assigned_on_new_years_eve(town)
    before = rectify(town, number)
    assert before.due_at == shanghai(2027, 1, 6, 10, 0) and before.estimated
    old_version = town.issue(number).version
    done = import_notice(town.station)
    assert (done.year, done.changed, done.rebased) == (2027, True, 1)
    after = rectify(town, number)
    assert after.due_at == shanghai(2027, 1, 7, 10, 0) and not after.estimated
    assert after.marks == before.marks and after.calendar != before.calendar
    (line,) = lines(town, number, "rebased")
    assert line.facts is not None
    assert datetime.fromisoformat(line.facts["old_due_at"]) == before.due_at
    assert datetime.fromisoformat(line.facts["new_due_at"]) == after.due_at
    assert town.issue(number).version > old_version
    with town.station.look() as look:
        first, second = slips.of(look, town.issue(number), "assignment")
    assert second.facts["due_at"] == "2027-01-07T10:00:00+08:00"
    assert (first.facts["due_at"], first.superseded_by) == ("2027-01-06T10:00:00+08:00", second.id)
    same = {
        name: fact for name, fact in first.facts.items() if name in ("signatures", "requirement", "where", "photos")
    }
    assert same.items() <= second.facts.items()
    with town.station.look() as look:
        assert verify(look, None).broken == []


def test_clock_that_only_takes_over_the_calendar_has_no_line(town: Town) -> None:
    number = town.to_assigned(kind="bare_soil")  # due within November
    before = rectify(town, number)
    assert import_notice(town.station).rebased == 0
    after = rectify(town, number)
    assert after.due_at == before.due_at and after.calendar == version(town.station)
    assert lines(town, number, "rebased") == []


def test_late_and_ended_clocks_keep_their_calendar(town: Town) -> None:
    late = assigned_on_new_years_eve(town)
    ended = assigned_on_new_years_eve(town, chainage_m=400)
    asked = town.step(ended, "dismiss", town.person("office"), reason="没有", reason_code="not_found")
    town.approve(asked.request, town.person("office_head"))
    town.station.clock.at = shanghai(2027, 1, 6, 16, 0).astimezone(UTC)  # type: ignore[attr-defined]
    before = {number: rectify(town, number) for number in (late, ended)}
    assert import_notice(town.station).rebased == 0
    for number, clock in before.items():
        after = rectify(town, number)
        assert (after.due_at, after.calendar, after.state) == (clock.due_at, clock.calendar, clock.state)
        with town.station.look() as look:
            assert clocks.reading(look, after).due_at == clocks.reading(look, clock).due_at


def test_suspended_clock_takes_the_new_calendar_for_when_it_resumes(town: Town) -> None:
    number = assigned_on_new_years_eve(town)
    with town.station.work(SYSTEM) as work:
        clock = clocks.live(work, work.session.get_one(m.Issue, town.issue(number).id), "rectify")
        assert clock is not None
        clocks.mark(work, clock, clocks.Mark("pause", work.now, cause="suspend"))
    assert import_notice(town.station).rebased == 0
    after = rectify(town, number)
    assert (after.state, after.calendar) == ("paused", version(town.station))


def test_the_same_notice_again_changes_nothing(town: Town) -> None:
    assert import_notice(town.station).changed
    before = version(town.station)
    again = import_notice(town.station)
    assert (again.changed, again.rebased) == (False, 0)
    assert version(town.station) == before


def test_corrected_notice_of_a_confirmed_year_moves_nothing_that_is_confirmed(town: Town) -> None:
    import_notice(town.station)
    number = assigned_on_new_years_eve(town)
    before = rectify(town, number)
    other = NOTICE.replace(
        "1月1日（周五）至4日（周一）放假调休，共4天。1月10日（周日）上班。", "1月1日（周五）放假，不调休。"
    )
    done = import_notice(town.station, other)
    assert done.changed and done.rebased == 0
    assert rectify(town, number).due_at == before.due_at == shanghai(2027, 1, 7, 10, 0)


def test_old_calendars_stay_readable_and_a_version_never_stands_for_two(town: Town) -> None:
    station = town.station
    first = version(station)
    with pytest.raises(ZeroDivisionError), station.work(SYSTEM) as work:
        calendar_store.import_csv(work, "2027-01-04,放假,元旦", 2027)
        assert not work.calendar.is_workday(datetime(2027, 1, 4).date())
        raise ZeroDivisionError  # taken back, after this process has read the calendar
    assert version(station) == first
    with station.work(SYSTEM) as work:
        calendar_store.import_csv(work, "2027-01-05,放假,元旦", 2027)
    with station.look() as look:
        assert look.calendar.is_workday(datetime(2027, 1, 4).date())
        assert not look.calendar.is_workday(datetime(2027, 1, 5).date())
        assert look.calendar_of(first).is_workday(datetime(2027, 1, 5).date())
        assert look.session.query(m.CalendarKept).count() == 2


def test_half_a_notice_stores_nothing(town: Town) -> None:
    before = version(town.station)
    with pytest.raises(BadInput, match="通知不全"):
        import_notice(town.station, NOTICE[: NOTICE.index("四、")])
    assert version(town.station) == before
    with town.station.look() as look:
        row = look.session.get_one(m.CalendarYear, 2027)
        assert not row.confirmed and row.source == "holidays"


def test_waiting_clue_and_request_move_as_well(town: Town) -> None:
    number = assigned_on_new_years_eve(town)
    asked = town.step(number, "extend", town.person("unit", unit="water"), reason="水位高",
                      by={"amount": 1, "unit": "working_days"})  # fmt: skip
    assert asked.request is not None
    with town.station.work(SYSTEM) as work:  # a request of the kind that waits in working days
        clock = work.session.query(m.Clock).filter_by(request_id=asked.request.id).one()
        clocks.stop(work, clock, "cancelled")
        request = work.session.get_one(m.Request, asked.request.id)
        clocks.start(work, "decide_other", request=request)
    assert import_notice(town.station).rebased == 2
    rebased = [line.facts for line in lines(town, number, "rebased") if line.facts]
    assert {facts["clock"] for facts in rebased} == {"rectify", "decide_other"}
    with town.station.look() as look:
        request = look.session.get_one(m.Request, asked.request.id)
        assert request.decide_by == shanghai(2027, 1, 5, 10, 0)
