"""Evidence: fence, ellipse and outline, what is flagged and what is not, and who is shown a flag."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest

from patrol import models as m
from patrol.actions import handle, photos
from patrol.errors import BadInput
from patrol.rules import rights
from patrol.rules.problems import FENCE_M, WORST_FIX_M
from tests.property.lawtown import LawTown
from tests.walk import picture


def photo(law: LawTown, number: str, ref: str) -> m.Photo:
    issue_id = law.issue(number).id
    with law.station.look() as look:
        return look.session.query(m.Photo).filter_by(ref=ref, issue_id=issue_id).one()


def flags(law: LawTown, number: str, stage: str = "during", **fields: Any) -> set[str]:
    return set(photo(law, number, law.photo(number, stage, law.role("unit"), **fields)).flags)


@pytest.mark.parametrize(
    ("issue_accuracy_m", "fix_accuracy_m", "away_m", "inside"),
    [
        (0.0, 0.0, FENCE_M - 1, True),
        (0.0, 0.0, FENCE_M + 1, False),
        (20.0, 0.0, FENCE_M + 19, True),
        (20.0, 0.0, FENCE_M + 21, False),
        (0.0, 30.0, FENCE_M + 29, True),
        (0.0, 30.0, FENCE_M + 31, False),
        (0.0, 90.0, 2 * FENCE_M - 1, True),
        (0.0, 90.0, 2 * FENCE_M + 1, False),
        (20.0, 90.0, 2 * FENCE_M + 19, True),
    ],
)
def test_fence_is_the_ellipse_and_fifty_metres_and_at_most_fifty_of_the_fix(
    law: LawTown, issue_accuracy_m: float, fix_accuracy_m: float, away_m: float, inside: bool
) -> None:
    number = law.assigned(position=law.at(accuracy_m=issue_accuracy_m))
    grid = law.role("grid")
    law.photo(number, "before", grid)
    position = law.here(number, away_m, accuracy_m=fix_accuracy_m)
    if inside:
        law.step(number, "supervise", grid, finding="true", position=position)
        assert law.issue(number).half1 == "true"
    else:
        with pytest.raises(BadInput, match="请到现场"):
            law.step(number, "supervise", grid, finding="true", position=position)


def test_fence_of_an_area_is_counted_from_its_outline(law: LawTown) -> None:
    here = law.at()
    lon, lat, far = here["lon"], here["lat"], 0.001  # about 110 m to the north
    ring = [[lon, lat], [lon + 2e-4, lat], [lon + 2e-4, lat + far], [lon, lat + far], [lon, lat]]
    outline = {"type": "Polygon", "coordinates": [ring]}
    number = law.assigned(kind="solid_waste", outline=outline)
    grid = law.role("grid")
    law.photo(number, "before", grid)
    end = {"lon": lon, "lat": lat + far + 40 / 111_320, "crs": "wgs84", "accuracy_m": 0.0}
    law.step(number, "supervise", grid, finding="true", position=end)
    assert law.issue(number).half1 == "true"


def test_a_fix_worse_than_a_hundred_metres_is_a_missing_fix(law: LawTown) -> None:
    number = law.assigned()
    grid = law.role("grid")
    law.photo(number, "before", grid)
    law.step(number, "supervise", grid, finding="true", position=law.here(number, 0, accuracy_m=WORST_FIX_M))
    other = law.assigned(chainage_m=1800)
    law.photo(other, "before", grid)
    with pytest.raises(BadInput, match="定位不准"):
        law.step(other, "supervise", grid, finding="true", position=law.here(other, 0, accuracy_m=WORST_FIX_M + 1))


def test_positions_in_other_systems_stand_at_the_same_place(law: LawTown) -> None:
    number = law.assigned()
    grid = law.role("grid")
    law.photo(number, "before", grid)
    raw = law.here(number)
    gcj = {**raw, "crs": "gcj02"}
    with pytest.raises(BadInput, match="请到现场"):  # the same figures in another system lie half a kilometre off
        law.step(number, "supervise", grid, finding="true", position=gcj)
    law.step(number, "supervise", grid, finding="true", position={**raw, "crs": "cgcs2000"})


@pytest.mark.parametrize(
    ("fields", "flagged"),
    [
        ({}, set()),
        ({"away_m": 400}, {"elsewhere"}),
        ({"position": None}, {"no_position"}),
        ({"taken_at": None}, {"no_time"}),
        ({"position": None, "taken_at": None}, {"no_position", "no_time"}),
    ],
)
def test_what_is_flagged_on_a_photo(law: LawTown, fields: dict[str, Any], flagged: set[str]) -> None:
    number = law.supervised()
    assert flags(law, number, **fields) == flagged


@pytest.mark.parametrize(("minutes", "flagged"), [(9, False), (11, True), (-9, False), (-11, True)])
def test_a_phones_clock_may_be_ten_minutes_wrong(law: LawTown, minutes: int, flagged: bool) -> None:
    number = law.supervised()
    taken = (
        law.issue(number).step_at - timedelta(minutes=minutes)
        if minutes > 0
        else law.clock.at - timedelta(minutes=minutes)
    )
    assert (flags(law, number, taken_at=taken) == {"old"}) == flagged


@pytest.mark.parametrize("stage", ["check", "before", "during", "after", "accept"])
def test_photos_of_the_place_are_judged(law: LawTown, stage: str) -> None:
    assert flags(law, law.supervised(), stage, away_m=400) == {"elsewhere"}


@pytest.mark.parametrize("stage", ["push", "receipt", "send_back", "suspend", "look_back"])
def test_photos_of_papers_and_of_the_desk_are_not(law: LawTown, stage: str) -> None:
    assert flags(law, law.supervised(), stage, away_m=4000, taken_at=None) == set()


def test_flags_are_for_office_and_inspector_only(law: LawTown) -> None:
    assert rights.FIELDS["photo_flags"] == "full"
    for role in ("unit", "grid", "volunteer"):
        assert not rights.sees(rights.view_of(frozenset({role})), "photo_flags")
    for role in ("office", "office_head", "inspector", "chief"):
        assert rights.sees(rights.view_of(frozenset({role})), "photo_flags")


def test_no_photo_of_an_ended_issue_but_to_reopen_it(law: LawTown) -> None:
    number = law.dismissed()
    for stage in ("before", "after", "accept"):
        with pytest.raises(BadInput, match="不再收"):
            law.photo(number, stage, law.role("office"))
    assert law.photo(number, "reopen", law.role("office"))


@pytest.mark.parametrize("stage", ["frame", "report", "selfie", ""])
def test_a_stage_is_one_people_may_send(law: LawTown, stage: str) -> None:
    with pytest.raises(BadInput, match="没有这个照片阶段"):
        law.photo(law.supervised(), stage, law.role("unit"))


def test_an_issue_holds_thirty_photos_and_says_so(law: LawTown) -> None:
    number = law.supervised()
    for _ in range(law.station.settings.photos_per_issue - 1):
        law.photo(number, "during", law.role("unit"))
    with pytest.raises(BadInput, match="最多 30 张"):
        law.photo(number, "during", law.role("unit"))


def test_a_photo_of_another_issue_cannot_be_named(law: LawTown) -> None:
    first, second = law.supervised(), law.supervised(chainage_m=1800)
    theirs = law.photo(first, "after", law.role("unit"))
    with pytest.raises(BadInput, match="没有这张照片"):
        law.step(second, "submit", law.role("unit"), photos=[theirs])


def test_a_tips_photo_is_a_picture_of_the_time_before_but_no_ones_before_photo(law: LawTown) -> None:
    shot = photos.take_in(law.station, picture(9001), tip=True)
    number = law.reported(channel="tip", shots=(shot,))
    law.step(number, "assign", law.role("office"), lead_unit="water")
    law.forward(hours=3)
    law.photo(number, "after", law.role("unit"))
    with pytest.raises(BadInput, match="整改前"):
        law.step(number, "submit", law.role("unit"))
    with law.station.work(law.role("unit")) as work:
        issue = handle.find_issue(work, number)
        rows = work.session.query(m.Photo).filter_by(issue_id=issue.id, stage="report").all()
        assert rows and not rows[0].released and rows[0].lon is None
