"""Pages of rounds, flights and review: what they say, who may act, and what the second of two people is shown."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask import Flask
from PIL import Image
from sqlalchemy import select

from patrol import models as m
from patrol.actions import flights
from patrol.actions.flights import drape
from patrol.queries import flights as ask
from patrol.queries import review, sky
from patrol.settings import Settings
from patrol.station import ANYONE, SYSTEM, Station
from patrol.web.app import create_app
from tests.conftest import SetClock
from tests.databases import migrated
from tests.walk import Town
from tests.web.deskroom import Desk
from tests.web.skyroom import SIDE_PX, fly, reach


@pytest.fixture
def station(environ: dict[str, str], clock: SetClock) -> Iterator[Station]:
    """A station on the generated reach."""
    opened = migrated(Station.open(Settings.read(environ | {"PATROL_PLACE": str(reach()[1])}), clock=clock))
    yield opened
    opened.close()


@pytest.fixture
def app(station: Station) -> Flask:
    made = create_app(station)
    made.testing = True
    return made


@pytest.fixture
def office(station: Station, app: Flask) -> Desk:
    return Desk(Town(station), app, "office", name="环保办丙")


@pytest.fixture
def flown(station: Station) -> str:
    return fly(station, [reach()[0]])


def things(station: Station) -> list[dict[str, Any]]:
    with station.look(SYSTEM) as look:
        return review.waiting(look)


def test_rounds_are_planned_and_overdue_ones_stand_on_the_inbox(station: Station, office: Desk) -> None:
    said = office.post("/desk/rounds", {"round": "", "due_on": ""}, 422)
    assert "没写哪天前飞完" in said
    assert office.post("/desk/rounds", {"round": "6", "due_on": "2026-11-20"}).startswith("/desk/flights?done=round")
    page = office.get("/desk/flights")
    assert "第 6 轮" in page and "逾期未飞" in page
    inbox = office.get("/desk")
    assert "逾期未飞：" in inbox and "晚了 3 天" in inbox
    assert re.search(r'href="/desk/flights"[^>]*>.*?count-late">1<', inbox)
    office.post("/desk/rounds", {"round": "6", "due_on": "2026-12-05"})
    assert "逾期未飞" not in office.get("/desk")


def test_a_flight_is_opened_with_what_the_air_law_asks(station: Station, office: Desk) -> None:
    sent = {"round": "", "source": "drone", "planned_on": "", "approval": "鄂荆空 2026-118", "drone": "M3M-0012",
            "pilot": "李飞", "zone": "Asia/Shanghai"}  # fmt: skip
    address = office.post("/desk/flights", sent)
    page = office.get(address)
    assert "鄂荆空 2026-118" in page and "李飞" in page and "选文件夹" in page
    assert "时区要写成 Asia/Shanghai" in office.post("/desk/flights", sent | {"zone": "Mars"}, 422)
    assert 'value="M3M-0012"' in office.get("/desk/flights"), "the form keeps what was flown last"
    ref = address.split("/")[3].split("?")[0]
    assert office.post(f"/desk/flights/{ref}/cancel", {}, plain=True).endswith("done=stopped")
    assert "已取消" in office.get(f"/desk/flights/{ref}")
    assert "已处理完或已取消" in office.post(f"/desk/flights/{ref}/cancel", {}, 409, plain=True)


def test_a_flight_says_what_it_saw_and_never_all_with_a_gap(station: Station, office: Desk, flown: str) -> None:
    with station.work(ANYONE) as work:
        west, south, east, _ = station.place.bounds
        ring = [[west, south], [east, south], [east, south + 1e-5], [west, south + 1e-5], [west, south]]
        flights.note_unflyable(work, {"type": "Polygon", "coordinates": [ring]}, "高压线", 1)
    page = office.get(f"/desk/flights/{flown}")
    facts = json.loads(re.search(r'id="sky" nonce="[^"]*">(.*?)</script>', page)[1])  # type: ignore[index]
    assert facts["gaps"] and facts["unflyable"][0]["reason"] == "高压线" and "高压线" in page
    assert [one["kind"] for one in facts["frames"]] == ["raster"]
    side = page[page.index("这一轮看到了多少") :]
    with station.look(SYSTEM) as look:
        area = ask.rounds(look)[0]["coverage"][0]
    assert area["words"] in side and not area["complete"] and "100 %" not in side
    assert {one["href"].split("/")[2] for one in facts["things"]} <= {"issues", "review", "clues"}
    assert "没有这个航次" in office.get(f"/desk/flights/{flown[:-1]}", 404)


def test_parked_and_doubtful_frames_are_named_with_their_reason(
    station: Station, office: Desk, data_files: Path, tmp_path: Path
) -> None:
    folder = data_files / "drone_rgb" / "brighton_beach"
    cut = tmp_path / "cut.JPG"
    cut.write_bytes((folder / "DJI_0020.JPG").read_bytes()[:3000])
    ref = fly(station, [folder / "DJI_0018.JPG", folder / "DJI_0028.JPG", cut])
    with station.look(SYSTEM) as look:
        frames = {one["name"]: one for one in ask.flight(look, ref)["frames"]}
    parked = office.get(f"/desk/flights/{ref}?show=parked")
    assert frames["cut.JPG"]["error"] in parked and "DJI_0018.JPG</span>" not in parked
    doubt = office.get(f"/desk/flights/{ref}?show=doubt")
    assert "DJI_0028.JPG" in doubt and frames["DJI_0028.JPG"]["faults"][0]["sentence"] in doubt
    # a whole footprint has its picture's corners: the camera's own position lies within them
    views = office.client.get(f"/api/v1/flights/{ref}/frames/{frames['DJI_0018.JPG']['frame']}/views").get_json()
    assert views["views"] == [{"view": "auto", "zh": "照片"}]
    lons, lats = zip(*views["corners"], strict=True)
    assert min(lons) < frames["DJI_0018.JPG"]["lon"] < max(lons) and min(lats) < frames["DJI_0018.JPG"]["lat"] < max(
        lats
    )


def test_a_raster_is_laid_by_its_own_corners(station: Station, office: Desk, flown: str) -> None:
    import rasterio
    from pyproj import Transformer

    with rasterio.open(reach()[0]) as made:
        to_degrees = Transformer.from_crs(made.crs, 4326, always_xy=True)
        wanted = [
            to_degrees.transform(*(made.transform @ at))
            for at in ((0, 0), (SIDE_PX, 0), (SIDE_PX, SIDE_PX), (0, SIDE_PX))
        ]
    with station.look(SYSTEM) as look:
        frame = ask.flight(look, flown)["frames"][0]["frame"]
    said = office.client.get(f"/api/v1/flights/{flown}/frames/{frame}/views").get_json()
    assert np.allclose(said["corners"], wanted, atol=2e-9)
    assert {"true", "false", "ndwi", "ndvi"} <= {one["view"] for one in said["views"]}
    how = drape.Lying(SIDE_PX, SIDE_PX, said["corners"])
    inside = np.array([[17.0, 390.0], [333.0, 21.5]])
    with rasterio.open(reach()[0]) as made:
        places = [to_degrees.transform(*(made.transform @ tuple(point))) for point in inside]
    assert np.allclose(drape.to_pixels(how, places), inside, atol=0.02)


def test_the_crop_shows_the_thing(station: Station, office: Desk, flown: str) -> None:
    with station.look(SYSTEM) as look:
        each = max(ask.detections(look, flown), key=lambda one: one["area_m2"])
        frame = look.session.scalars(select(m.Frame).where(m.Frame.ref == each["frame"])).one()
        detection = ask.detection_on(look, frame, each["detection"])
        how = drape.lying(station, frame)
        assert how is not None
        part, points = drape.window_of(how, detection), drape.outline_px(how, detection)
    assert part is not None and points is not None
    assert points[:, 0].min() >= part.left_px and points[:, 0].max() <= part.right_px
    assert points[:, 1].min() >= part.top_px and points[:, 1].max() <= part.bottom_px
    base = f"/api/v1/flights/{flown}/frames/{each['frame']}.jpg?size=400"
    whole, crop = (office.client.get(base + more) for more in ("", f"&detection={each['detection']}"))
    assert whole.status_code == crop.status_code == 200 and whole.data != crop.data
    width, height = Image.open(io.BytesIO(crop.data)).size
    wide, high = part.right_px - part.left_px, part.bottom_px - part.top_px
    assert abs(width / height - wide / high) < 0.05
    assert office.client.get(base + "&detection=00000000-0000-4000-8000-000000000000").status_code == 404


def test_review_confirms_dismisses_and_joins_one_after_the_other(station: Station, office: Desk, flown: str) -> None:
    first, second = (row["thing"] for row in things(station)[:2])
    page = office.get("/desk/review")
    assert f'action="/desk/review/{first}/confirm"' in page and f'href="/desk/review/{second}" data-next' in page
    assert "缺理由" in office.post(f"/desk/review/{first}/dismiss", {}, 422, plain=True)
    after = office.post(f"/desk/review/{first}/dismiss", {"reason": "glint_or_shadow"}, plain=True)
    assert after.startswith(f"/desk/review/{second}?done=nothing")
    assert "已排除" in office.get(after)
    after = office.post(f"/desk/review/{second}/confirm", {}, plain=True)
    assert "done=real" in after
    left = {row["thing"] for row in things(station)}
    assert first not in left and second not in left
    with station.look(SYSTEM) as look:
        assert review.one(look, second)["issue"]


def test_who_comes_second_is_shown_what_the_first_did(station: Station, app: Flask, office: Desk, flown: str) -> None:
    other = Desk(Town(station), app, "office", name="环保办丁")
    ref = things(station)[0]["thing"]
    other.post(f"/desk/review/{ref}/dismiss", {"reason": "false_detection"}, plain=True)
    said = office.post(f"/desk/review/{ref}/confirm", {}, 409, plain=True)
    assert "环保办丁" in said and "识别有误" in said and f'action="/desk/review/{ref}/confirm"' not in said


def test_two_things_of_one_kind_become_one(station: Station, office: Desk, flown: str) -> None:
    with station.look(SYSTEM) as look:
        pair = next(((row["thing"], near[0]["thing"]) for row in review.waiting(look)
                     if (near := review.one(look, row["thing"])["near"])), None)  # fmt: skip
    if pair is None:
        pytest.skip("the generated reach has no two waiting things of one kind")
    assert "没选" in office.post(f"/desk/review/{pair[0]}/merge", {}, 422, plain=True)
    office.post(f"/desk/review/{pair[0]}/merge", {"into": pair[1]}, plain=True)
    with station.look(SYSTEM) as look:
        one = review.one(look, pair[0])
    assert one["into"] == pair[1] and one["settled"]["what"] == "并入了另一个疑点。"


def test_a_chief_looks_and_decides_nothing(station: Station, app: Flask, flown: str) -> None:
    chief = Desk(Town(station), app, "chief", name="河长乙")
    ref = things(station)[0]["thing"]
    page = chief.get(f"/desk/review/{ref}")
    assert "由环保办来定" in page and 'data-key="Y"' not in page
    assert "<form" not in chief.get("/desk/flights").split('<aside class="pane-side">')[1]
    chief.post(f"/desk/review/{ref}/confirm", {}, 403, plain=True)
    chief.post("/desk/rounds", {"due_on": "2026-12-01"}, 403)


def test_unanswered_fishing_stands_on_every_page_until_somebody_answers(station: Station, office: Desk) -> None:
    lon, lat = station.place.river.point_at(5.0)  # type: ignore[union-attr]  # the generated reach has one
    with station.work(SYSTEM) as work:
        work.session.add(m.Episode(
            ref="0a4bbd52-9b7e-4a41-a73b-000000000001", zone="禁捕区", state={}, lon=lon, lat=lat, frames=3,
            first_at=work.now, last_at=work.now, warned_at=work.now,
        ))  # fmt: skip
    station.clock.forward(seconds=125)  # type: ignore[attr-defined]  # the settable clock
    for path in ("/desk", "/desk/flights", "/desk/review", "/desk/issues", "/desk/live"):
        page = office.get(path)
        assert "疑似非法捕捞，还没人应" in page and "2 分 5 秒前" in page, path
    answer = office.client.post(
        "/api/v1/episodes/0a4bbd52-9b7e-4a41-a73b-000000000001/acknowledge", headers={"X-CSRF-Token": office.token}
    )
    assert answer.status_code == 200, answer.get_data(as_text=True)
    assert "还没人应" not in office.get("/desk/live")


def test_the_latest_live_frame_is_shown_with_its_age(station: Station, office: Desk, flown: str) -> None:
    with station.work(SYSTEM) as work:
        flight = work.session.scalars(select(m.Flight).where(m.Flight.ref == flown)).one()
        flight.live = True
        frame = work.session.scalars(select(m.Frame).where(m.Frame.flight_id == flight.id)).one()
        frame.taken_at = work.now
    station.clock.forward(minutes=3)  # type: ignore[attr-defined]  # the settable clock
    page = office.get("/desk/flights")
    assert "最新一张实时航片" in page and "3 分 0 秒前" in page
    station.clock.forward(hours=sky.LIVE_HOURS)  # type: ignore[attr-defined]  # the settable clock
    office.sign_in()
    assert "最新一张实时航片" not in office.get("/desk/flights")


def test_not_observed_is_never_shown_as_resolved(station: Station, office: Desk, flown: str) -> None:
    ref = things(station)[0]["thing"]
    office.post(f"/desk/review/{ref}/confirm", {}, plain=True)
    with station.work(SYSTEM) as work:
        found = review.one(work, ref)
        issue = work.session.scalars(select(m.Issue).where(m.Issue.number == found["issue"])).one()
        frame = work.session.scalars(select(m.Frame).where(m.Frame.ref == found["detections"][0]["frame"])).one()
        work.session.add(m.Effect(
            ref="0a4bbd52-9b7e-4a41-a73b-000000000002", issue_id=issue.id, before_id=frame.id, after_id=frame.id,
            verdict="not_observed", facts={"reason": "后一轮有云影，看不清。", "seen_share": 0.2}, at=work.now,
        ))  # fmt: skip
    page = office.get(f"/desk/issues/{found['issue']}")
    card = page[page.index('id="effect-1"') : page.index('id="photos"')]
    assert "未观测" in card and "不能算已消除" in card and "后一轮有云影" in card and "20%" in card
    assert "消除了" not in card and "data-compare" not in card


def test_a_round_that_is_not_there_is_missing(station: Station, office: Desk) -> None:
    with station.work(ANYONE) as work:
        flights.open_round(work, 2, date(2026, 12, 1))
    assert "第 2 轮" in office.get("/desk/rounds/2")
    for wrong in ("3", "x", "0x2", "999999"):
        office.get(f"/desk/rounds/{wrong}", 404)


def test_pages_keep_to_the_policy(office: Desk, flown: str) -> None:
    for path in ("/desk/flights", f"/desk/flights/{flown}", "/desk/rounds/1", "/desk/review"):
        page = office.get(path)
        assert all("nonce=" in tag for tag in re.findall(r"<(?:script|style)\b[^>]*>", page)), path
        assert not re.search(r"<[^>]+\s(?:style|on\w+)=", page), path
        assert not re.search(r"(?:src|href)=\"(?:https?:)?//", page), path
