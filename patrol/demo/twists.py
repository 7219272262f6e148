"""The stories that do not run straight: late, suspended, sent back, merged, transferred, dismissed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

from patrol.demo.walk import Walk
from patrol.demo.week import Case, Story, Times, assigned, loop, verified, worker
from patrol.rules.calendar import local


def stories(walk: Walk, t: Times) -> list[Story]:
    """One story for each way an issue can go, and the plain ones of the last days."""
    cases = (
        Case("sewage", 1240, "left", t.day(3, "09:40"), "progress", 4, "排口处水色发黑，有泡沫"),  # late by now
        Case("aquatic_bloom", 610, "right", t.day(2, "09:10"), "progress", 4, "水葫芦成片，约百余平方米"),
        Case("illegal_fishing", 1980, "left", t.day(4, "18:20"), "closed", words="有人下网，已劝离", pace=0.16),
        Case("sewage", 2620, "right", t.ago(340), "progress", words="雨水口有污水流出"),
        Case("solid_waste", 1640, "right", t.ago(150), "on_site", words="河岸有装修垃圾"),
        Case("sewage", 2080, "right", t.ago(46), "assigned", 5, pace=0.8),
        Case("bare_soil", 1420, "right", t.ago(34), "reported", 5),
        Case("other", 200, "left", t.ago(16), "reported", words="护栏缺了一段"),
    )
    soil = Case("bare_soil", 980, "left", t.day(2, "08:55"), "progress", 4, name="soil")
    held = Case("bare_soil", 2300, "right", t.day(4, "09:35"), "supervised", 3)
    weeds = Case("aquatic_bloom", 1900, "left", t.day(2, "09:30"), "progress", 4)
    debris = Case("floating_debris", 1020, "left", t.day(1, "15:30"), "supervised")
    heap = Case("solid_waste", 2760, "left", t.day(2, "13:40"), "rectified", 4, pace=0.6)
    return [
        *(loop(walk, case) for case in cases),
        loop(walk, soil, _asks_to_extend(walk, t)),
        loop(walk, held, _suspended(walk, t)),
        loop(walk, weeds, _submitted(walk, t)),
        loop(walk, debris, _still_visible(walk, t)),
        loop(walk, heap, _sent_back(walk, t)),
        *(tale(walk, t) for tale in (_volunteer, _hotline_verified, _gone, _here, _dismissed, _merged)),
        *(tale(walk, t) for tale in (_transferred, _all_channels, _reassigned, _office_evening)),
    ]


def _asks_to_extend(walk: Walk, t: Times) -> Callable[[str], Story]:
    def story(number: str) -> Story:
        yield t.ago(25)
        walk.step(number, "extend", worker(walk, number), reason="覆绿用的草皮还在路上，申请延一个工作日",
                  by={"amount": 1, "unit": "working_days"})  # fmt: skip

    return story


def _suspended(walk: Walk, t: Times) -> Callable[[str], Story]:
    def story(number: str) -> Story:
        yield t.day(4, "16:10")
        who = worker(walk, number)
        walk.photo(number, "suspend", who, drawn="during")
        review = local(t.now).date() + timedelta(days=20)
        asked = walk.step(number, "suspend", who, reason="坡脚在做护岸，完工后才能复绿", condition="works",
                          review_on=review.isoformat())  # fmt: skip
        yield t.day(3, "09:20")
        walk.approve(asked, "chief", words="同意挂账，先用防尘网盖好")

    return story


def _submitted(walk: Walk, t: Times) -> Callable[[str], Story]:
    def story(number: str) -> Story:
        yield t.ago(95)
        who = worker(walk, number)
        walk.photo(number, "after", who)
        walk.step(number, "submit", who, words="水葫芦已打捞外运")

    return story


def _still_visible(walk: Walk, t: Times) -> Callable[[str], Story]:
    def story(number: str) -> Story:
        yield t.ago(120)
        who = worker(walk, number)
        walk.photo(number, "after", who)
        walk.step(number, "submit", who, words="水面已打捞")
        yield t.ago(41)
        walk.drone("floating_debris", 1024, "left", 5)

    return story


def _sent_back(walk: Walk, t: Times) -> Callable[[str], Story]:
    def story(number: str) -> Story:
        yield t.day(1, "16:20")
        walk.photo(number, "send_back", "office", drawn="during")
        walk.step(number, "send_back", "office", reason="坡下还剩两堆没有清走")

    return story


def _volunteer(walk: Walk, t: Times) -> Story:
    """A volunteers' team reports; the grid worker's check with a photo is half of the supervision."""
    yield t.day(2, "16:05")
    spot = walk.at(880, "right")
    number = walk.says(
        "volunteer", "solid_waste", "护湖队巡河时看到的", by="volunteer", photo=True, position=spot
    ).issue
    assert number is not None
    name = number.number
    yield t.day(2, "16:50")
    walk.photo(name, "check", "grid")
    walk.step(name, "check", "grid", found=True, position=walk.spot(name))
    yield t.day(2, "17:05")
    yield from assigned(walk, name, lambda minutes: t.day(2, "16:55") + timedelta(minutes=minutes))
    yield t.day(1, "08:40")
    walk.step(name, "supervise", "office2", on_site=True)


def _hotline_verified(walk: Walk, t: Times) -> Story:
    """A call becomes an issue, is done and accepted, and waits for the head's signature."""
    yield t.day(3, "10:15")
    spot = walk.at(2410, "left")
    outcome = walk.says("hotline", "other", "来电：台阶旁的警示牌倒了", by="operator", position=spot)
    assert outcome.issue is not None
    number = outcome.issue.number
    yield t.day(3, "10:40")
    walk.step(number, "check", "grid", found=True, position=walk.spot(number), reason="到场看过，手机没电未拍")
    yield t.day(3, "10:55")
    later = t.day(3, "10:41")
    yield from assigned(walk, number, lambda minutes: later + timedelta(minutes=minutes), unit="construction")
    yield t.day(3, "11:30")
    walk.photo(number, "before", "grid")
    walk.step(number, "supervise", "grid", finding="true", position=walk.spot(number))
    yield t.day(3, "13:50")
    walk.step(number, "supervise", "office2")
    yield t.ago(170)
    walk.photo(number, "after", "construction")
    walk.step(number, "submit", "construction", words="警示牌已重新立好")
    yield t.ago(72)
    verified(walk, number)


def _gone(walk: Walk, t: Times) -> Story:
    """When the grid worker comes it is gone by itself: closed with the frame as its before picture."""
    yield t.day(4, "10:05")
    outcome = walk.drone("solid_waste", 70, "right", 3)
    assert outcome.issue is not None
    number = outcome.issue.number
    yield t.day(4, "10:20")
    yield from assigned(walk, number, lambda minutes: t.day(4, "10:05") + timedelta(minutes=minutes))
    yield t.day(4, "11:20")
    walk.photo(number, "check", "grid", drawn="after")
    walk.step(number, "supervise", "grid", finding="gone", position=walk.spot(number))
    yield t.day(4, "11:40")
    walk.step(number, "supervise", "office2")
    yield t.day(4, "14:30")
    verified(walk, number)
    yield t.day(4, "15:00")
    walk.step(number, "close", "head")


def _here(walk: Walk, t: Times) -> Story:
    """Small enough to be handled on the spot by the grid worker who found it."""
    yield t.day(3, "08:30")
    position = walk.at(2840, "right")
    outcome = walk.says("grid", "other", "步道上有碎玻璃", by="grid", photo=True, position=position)
    assert outcome.issue is not None
    number = outcome.issue.number
    yield t.day(3, "08:34")
    walk.photo(number, "before", "grid")
    yield t.day(3, "08:49")
    walk.photo(number, "after", "grid")
    walk.step(number, "handle_here", "grid", area_m2=2, position=walk.spot(number), words="已当场清扫")
    yield t.day(3, "14:20")
    verified(walk, number)
    yield t.day(3, "15:05")
    walk.step(number, "close", "head")


def _dismissed(walk: Walk, t: Times) -> Story:
    yield t.day(3, "13:10")
    spot = walk.at(1130, "right")
    outcome = walk.says("hotline", "sewage", "来电：说河边有臭味", by="operator", position=spot)
    assert outcome.issue is not None
    number = outcome.issue.number
    yield t.day(3, "14:20")
    walk.photo(number, "check", "grid", drawn="after")
    walk.step(number, "check", "grid", found=False, position=walk.spot(number), reason="沿岸走了一百米，没有发现")
    yield t.day(3, "14:35")
    asked = walk.step(number, "dismiss", "office", reason="现场核实未发现排污", reason_code="not_found")
    yield t.day(3, "14:50")
    walk.approve(asked, "head", words="同意")


def _merged(walk: Walk, t: Times) -> Story:
    """A tip that stood too far off to be joined by itself is merged by the office."""
    yield t.day(2, "11:20")
    spot = walk.at(1040, "left", accuracy_m=20.0)
    outcome = walk.says("tip", "bare_soil", "桥边一大片黄土没盖", photo=True, position=spot)
    assert outcome.issue is not None
    yield t.day(2, "11:45")
    walk.step(
        outcome.issue.number,
        "merge",
        "office",
        parent=walk.names["soil"],
        reason="同一处裸土，举报人站在桥上看的",
    )


def _transferred(walk: Walk, t: Times) -> Story:
    yield t.day(4, "08:35")
    outcome = walk.says(
        "grid", "other", "桥面伸缩缝破损，车过有异响", by="grid", photo=True, position=walk.at(2560, "left")
    )
    assert outcome.issue is not None
    number = outcome.issue.number
    yield t.day(4, "08:50")
    asked = walk.step(number, "transfer", "head", receiving_body="区交通运输局（示意）", reason="桥梁养护不属本办职责")
    yield t.day(4, "09:25")
    walk.photo(number, "receipt", "office", drawn="after")
    walk.approve(asked, "office", words="对方已签收")


def _all_channels(walk: Walk, t: Times) -> Story:
    """One bloom seen by the drone, told by a passer-by and by a caller: one issue, three sightings."""
    yield t.day(1, "08:50")
    outcome = walk.drone("aquatic_bloom", 1480, "left", 4)
    assert outcome.issue is not None
    number = outcome.issue.number
    yield t.day(1, "09:05")
    walk.says(
        "tip",
        "aquatic_bloom",
        "河里长满了水葫芦",
        photo=True,
        position=walk.at(1486, "left", accuracy_m=12.0),
    )
    yield t.day(1, "09:10")
    yield from assigned(walk, number, lambda minutes: t.day(1, "08:56") + timedelta(minutes=minutes))
    yield t.day(1, "10:10")
    walk.photo(number, "before", "grid")
    walk.step(number, "supervise", "grid", finding="true", position=walk.spot(number))
    yield t.day(1, "10:25")
    walk.step(number, "supervise", "office2")
    yield t.day(1, "11:30")
    walk.says("hotline", "aquatic_bloom", "来电反映水葫芦", by="operator", position=walk.at(1475, "left"))


def _reassigned(walk: Walk, t: Times) -> Story:
    """Sent to the wrong unit first, moved to the right one with a revised slip."""
    yield t.day(1, "13:30")
    outcome = walk.says("grid", "other", "滩地上有人搭了棚子", by="grid", photo=True, position=walk.at(2230, "left"))
    assert outcome.issue is not None
    number = outcome.issue.number
    yield t.day(1, "13:50")
    walk.step(number, "assign", "office", lead_unit="water")
    yield t.day(1, "14:10")
    walk.step(
        number,
        "reassign",
        "office",
        lead_unit="construction",
        reason="属违建，由城建办处理",
        office_mistake=True,
    )
    yield t.day(1, "14:20")
    walk.step(number, "confirm_push", "chief")
    walk.step(number, "receive", "construction")
    yield t.day(1, "15:10")
    walk.photo(number, "before", "grid")
    walk.step(number, "supervise", "grid", finding="true", position=walk.spot(number))
    yield t.day(1, "15:30")
    walk.step(number, "supervise", "office")


def _office_evening(walk: Walk, t: Times) -> Story:
    """Each evening the office pastes what no robot carried: only the last day's cards wait."""
    for back in range(len(t.days), 0, -1):
        yield t.day(back, "17:40")
        walk.copy_cards()
