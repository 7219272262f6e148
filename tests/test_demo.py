"""The sample week: every state, a whole trail, random ways in, real data left alone."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from PIL import Image
from pypdf import PdfReader
from rich.console import Console
from sqlalchemy import func, select

from geodata.frames.locate import locate
from patrol import models as m
from patrol.actions import people, slips
from patrol.demo import bank, cast, load, run, screen
from patrol.demo.frame import drone_frame
from patrol.demo.week import Times
from patrol.errors import Misconfigured
from patrol.queries.trail import anchors_of, verify
from patrol.rules.calendar import SHANGHAI, Calendar
from patrol.rules.lifecycle import STATES
from patrol.rules.problems import PROBLEMS
from patrol.settings import Settings
from patrol.station import ANYONE, Station
from tests.databases import migrated

pytestmark = pytest.mark.timeout(400)  # the first test loads the whole sample

NOW = datetime(2026, 11, 25, 3, 30, tzinfo=UTC)  # a Wednesday, 11:30 in Shanghai


@pytest.fixture(scope="module")
def week(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Settings, load.Loaded, Station]]:
    """One loaded sample on SQLite, read by every test below."""
    folder = tmp_path_factory.mktemp("sample")
    settings = Settings.read({"PATROL_DATA": str(folder / "data"), "PATROL_FREE_DISK_MB": "1"})
    loaded = load.load(settings, now=NOW)
    station = Station.open(settings, clock=lambda: NOW, may_create=False)
    yield settings, loaded, station
    station.close()


Week = tuple[Settings, load.Loaded, Station]


def test_every_state_and_every_kind_is_there(week: Week) -> None:
    with week[2].look() as look:
        states = set(look.session.scalars(select(m.Issue.state)))
        kinds = set(look.session.scalars(select(m.Issue.kind)))
        points = look.session.scalar(select(func.count(m.Issue.id)))
        rounds = set(look.session.scalars(select(m.Sighting.round_no).where(m.Sighting.round_no.is_not(None))))
        channels = set(look.session.scalars(select(m.Sighting.channel)))
    assert states == set(STATES)
    assert kinds == set(PROBLEMS)
    assert points is not None and points >= 20
    assert rounds == {1, 2, 3, 4, 5}
    assert channels >= {"drone", "tip", "hotline", "grid", "volunteer"}


def test_eight_key_issues_went_the_whole_way(week: Week) -> None:
    with week[2].look() as look:
        query = select(m.Issue).where(m.Issue.kind.in_(("floating_debris", "solid_waste")), m.Issue.state == "closed")
        rows = [issue for issue in look.session.scalars(query) if "cleared" not in issue.flags]
        for issue in rows:
            assert [slip.kind for slip in slips.of(look, issue)][:3] == [
                "assignment",
                "supervision",
                "closure",
            ]
    assert len(rows) == 8


def test_flags_requests_clues_and_cards_are_there(week: Week) -> None:
    with week[2].look() as look:
        flags = {name for flags in look.session.scalars(select(m.Issue.flags)) for name in flags}
        late = select(func.count(m.Clock.id)).where(
            m.Clock.name == "rectify", m.Clock.due_at <= NOW, m.Clock.state == "running"
        )
        overdue = look.session.scalar(late)
        asked = list(look.session.scalars(select(m.Request.step).where(m.Request.state == "open")))
        sent_back = (
            select(m.Issue.state).join(m.Trail, m.Trail.issue_id == m.Issue.id).where(m.Trail.event == "sent_back")
        )
        again = list(look.session.scalars(sent_back))
        why = set(look.session.scalars(select(m.Sighting.why).where(m.Sighting.state == "waiting")))
        ended = set(look.session.scalars(select(m.Sighting.state)))
        by_hand = look.session.scalar(select(func.count(m.Errand.id)).where(m.Errand.state == "by_hand"))
    assert flags >= {
        "suspended",
        "still_visible",
        "pressed",
        "here",
        "cleared",
        "looked_back",
        "deemed_received",
    }
    assert overdue == 1
    assert asked == ["extend"]
    assert again == ["supervised"]
    assert why == {"fishing", "unsure", "relapse", "out_of_area", "vague_position", "too_many"}
    assert ended == {"waiting", "joined", "discarded", "expired"}
    assert by_hand is not None and 1 <= by_hand <= 40


def test_rounds_were_flown_and_what_they_saw_waits_or_is_compared(week: Week) -> None:
    with week[2].look() as look:
        flown = dict(
            look.session.execute(select(m.Flight.state, func.count(m.Flight.id)).group_by(m.Flight.state)).all()
        )
        parked = look.session.scalar(select(func.count(m.Frame.id)).where(m.Frame.state != "read"))
        kinds = set(look.session.scalars(select(m.Detection.kind)))
        verdicts = set(look.session.scalars(select(m.Effect.verdict)))
        shares = list(look.session.scalars(select(m.Coverage.seen)))
        query = select(m.Thing.id).join(m.Sighting, m.Sighting.id == m.Thing.sighting_id)
        waiting = look.session.scalars(query.where(m.Sighting.state == "waiting")).all()
    assert flown == {"settled": 5, "planned": 1} and parked == 0
    assert kinds >= {"floating_debris", "aquatic_bloom", "bare_soil"}
    assert {"resolved", "unchanged", "not_observed"} <= verdicts
    assert max(shares) == 1.0 and min(shares) < 0.01
    assert waiting


def test_trail_and_slips_are_whole_and_nothing_is_owed(week: Week) -> None:
    settings, _, station = week
    with station.look() as look:
        report = verify(look, anchors_of(settings))
        unprinted = look.session.scalar(select(func.count(m.Slip.id)).where(m.Slip.pdf_sha256.is_(None)))
        future = look.session.scalar(select(func.count(m.Trail.id)).where(m.Trail.at > NOW))
        due = look.session.scalar(select(func.count(m.Errand.id)).where(m.Errand.state == "due"))
        flagged = [photo.stage for photo in look.session.scalars(select(m.Photo)) if photo.flags]
    assert report.ok, report.words
    assert (unprinted, future, due, flagged) == (0, 0, 0, [])


def test_sign_ins_work_and_a_second_start_changes_only_the_passwords(week: Week) -> None:
    settings, first, station = week
    assert {key.part.role for key in first.keys} == {part.role for part in (*cast.CAST.values(), cast.DRONE)}
    office = next(key for key in first.keys if key.part.login == "office")
    with station.work(ANYONE) as work:
        assert people.sign_in(work, "office", office.secret)
    with station.look() as look:
        before = look.session.scalar(select(func.count(m.Trail.id)).where(m.Trail.issue_id.is_not(None)))
    again = load.load(settings, now=NOW + timedelta(minutes=1))
    with station.look() as look:
        after = look.session.scalar(select(func.count(m.Trail.id)).where(m.Trail.issue_id.is_not(None)))
    assert not again.fresh and before == after
    assert not {key.secret for key in first.keys} & {key.secret for key in again.keys}
    with station.work(ANYONE) as work:
        assert people.sign_in(work, "office", office.secret) is None
    new = next(key for key in again.keys if key.part.login == "office")
    with station.work(ANYONE) as work:
        assert people.sign_in(work, "office", new.secret)


def test_real_data_is_left_alone(tmp_path: Path) -> None:
    settings = Settings.read({"PATROL_DATA": str(tmp_path / "data"), "PATROL_FREE_DISK_MB": "1"})
    station = migrated(Station.open(settings))
    with station.work(ANYONE) as work:
        people.add_account(work, "someone", "long-enough-password", ["office"])
    with pytest.raises(Misconfigured, match="真实数据"):
        load.load(settings, now=NOW)
    with station.look() as look:
        assert look.session.scalar(select(func.count(m.Issue.id))) == 0
    station.close()


def test_a_load_that_was_cut_short_is_named(tmp_path: Path) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / load.MARK).write_text('{"sample": true, "state": "loading"}')
    settings = Settings.read({"PATROL_DATA": str(tmp_path / "data")})
    with pytest.raises(Misconfigured, match="没有装完"):
        load.load(settings, now=NOW)


def test_screen_shows_every_way_in_once(week: Week) -> None:
    settings, loaded, _ = week
    written = io.StringIO()
    screen.show(Console(file=written, width=120), replace(settings, port=8123), loaded)
    said = written.getvalue()
    assert "http://127.0.0.1:8123" in said and "示意" in said
    for key in loaded.keys:
        assert said.count(key.secret) == 1


def test_headless_writes_map_and_papers(tmp_path: Path) -> None:
    settings = Settings.read({"PATROL_DATA": str(tmp_path / "untouched"), "PATROL_FREE_DISK_MB": "1"})
    assert run(settings, True, tmp_path / "out") == 0
    out = tmp_path / "out"
    papers = sorted(path.name for path in out.glob("*.pdf"))
    assert len(papers) == 3
    for name in papers:
        assert len(PdfReader(out / name).pages) >= 1
    facts = json.loads((out / "summary.json").read_text("utf-8"))
    assert facts["issues"][facts["closed"]] == "closed" and len(facts["issues"]) == 5
    drawn = (out / "map.html").read_text("utf-8")
    assert facts["closed"] in drawn and "http://" not in drawn.replace("http://www.w3.org", "")
    assert not (tmp_path / "untouched").exists()


def test_headless_says_what_fails(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(Misconfigured, match="建不了"):
        run(Settings.read({"PATROL_DATA": str(tmp_path / "data")}), True, tmp_path / "file" / "out")


def test_pictures_are_the_seeds_and_before_differs_from_after() -> None:
    before, after = bank.bank_photo("sewage", "before", 7), bank.bank_photo("sewage", "after", 7)
    assert before == bank.bank_photo("sewage", "before", 7)
    assert before != after
    assert Image.open(io.BytesIO(before)).size == bank.SIZE


@pytest.mark.parametrize("kind", sorted(PROBLEMS))
def test_a_drawn_frame_is_read_like_a_real_one(kind: str) -> None:
    taken_at = datetime(2026, 11, 20, 9, 30, tzinfo=SHANGHAI)
    data, (left, top, right, bottom) = drone_frame(kind, 3, lon=112.18, lat=30.35, taken_at=taken_at)
    found = locate(data, [((left + right) / 2, (top + bottom) / 2)])
    point = found["points"][0]
    assert point["method"] == "pose" and found["warnings"] == []
    assert (point["lon"], point["lat"]) == pytest.approx((112.18, 30.35), abs=1e-6)


def test_days_are_working_days() -> None:
    monday = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
    times = Times.before(monday, Calendar(), 2)
    assert [day.isoformat() for day in times.days] == ["2026-11-20", "2026-11-19"]
    assert times.day(1, "09:00") == datetime(2026, 11, 20, 1, 0, tzinfo=UTC)
