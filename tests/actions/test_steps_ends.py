"""What single rows say beyond the table: correcting, splitting, accepting, closing, transferring."""

from __future__ import annotations

import pytest

from patrol.actions import clocks, people
from patrol.errors import BadInput, Refused
from patrol.station import Actor
from tests.property.lawtown import LawTown
from tests.property.scenes import to_check, to_name_acceptor, to_split


def test_correcting_the_kind_keeps_the_shorter_limit_and_starts_nothing_anew(law: LawTown) -> None:
    number = law.supervised(kind="bare_soil")
    begun = law.clocks(number)["rectify"].marks[0]
    asked = law.step(number, "correct", law.role("office"), reason="是垃圾", kind="solid_waste")
    law.decide(asked.request)
    clock = law.clocks(number)["rectify"]
    assert clocks.first_limit(clock).to_json() == {"amount": 2, "unit": "working_days"}
    assert clock.marks[0] == begun and clock.instance == 1
    back = law.step(number, "correct", law.role("office"), reason="还是裸土", kind="bare_soil")
    law.decide(back.request)
    assert clocks.first_limit(law.clocks(number)["rectify"]).to_json() == {
        "amount": 2,
        "unit": "working_days",
    }
    longer = law.step(number, "correct", law.role("office"), reason="其他", kind="other")
    law.decide(longer.request, limit={"amount": 5, "unit": "working_days"})
    assert clocks.first_limit(law.clocks(number)["rectify"]).to_json() == {
        "amount": 5,
        "unit": "working_days",
    }
    assert len(law.slips(number, "assignment")) == 4


def test_moving_the_point_more_than_thirty_metres_needs_a_photo(law: LawTown) -> None:
    number = law.reported()
    law.step(number, "correct", law.role("office"), reason="点偏了", position=law.here(number, 25))
    here = law.here(number, 80)
    with pytest.raises(BadInput, match="30 米"):
        law.step(number, "correct", law.role("office"), reason="点偏了", position=here)
    lon, lat = here["lon"], here["lat"]
    ring = [[lon, lat], [lon + 1e-4, lat], [lon + 1e-4, lat + 1e-4], [lon, lat]]
    outline = {"type": "Polygon", "coordinates": [ring]}
    with pytest.raises(BadInput, match="30 米"):
        law.step(number, "correct", law.role("office"), reason="范围", outline=outline)


def test_only_the_grid_worker_who_checked_it_corrects_and_only_while_reported(law: LawTown) -> None:
    number, grid, body = to_check(law)
    with pytest.raises(Refused, match="核实过"):
        law.step(number, "correct", grid, reason="x", kind="sewage")
    law.step(number, "check", grid, **body)
    law.step(number, "correct", grid, reason="是污水", kind="sewage")
    assert law.issue(number).kind == "sewage"


def test_split_child_keeps_the_earliest_due_and_is_dispatched_by_a_slip_of_its_own(law: LawTown) -> None:
    number, office, body = to_split(law)
    law.forward(hours=2)
    due = law.clocks(number)["rectify"].due_at
    law.step(number, "split", office, **body)
    child = next(line for line in law.trail(number) if line.event == "split").facts["child"]
    issue = law.issue(child)
    assert (issue.state, issue.lead_unit, issue.kind, issue.origin_how) == (
        "assigned",
        "water",
        "solid_waste",
        "split",
    )
    known = law.clocks(child)
    assert known["rectify"].due_at == due and known["receive"].state == "running"
    assert [slip.kind for slip in law.slips(child)] == ["assignment"]
    law.half1(child)
    law.step(child, "supervise", law.role("office2"))
    law.submit(child)


def test_split_from_an_issue_waiting_for_acceptance_runs_again(law: LawTown) -> None:
    number = law.supervised()
    second = law.report(channel="hotline").sighting
    law.submit(number)
    left = law.left_s(number)
    law.forward(hours=5)
    law.step(number, "split", law.role("office"), reason="两处", sightings=[second.ref])
    child = next(line for line in law.trail(number) if line.event == "split").facts["child"]
    assert law.clocks(child)["rectify"].state == "running" and law.left_s(child) == left
    assert law.clocks(child)["on_site"].state == "running"


def test_force_close_is_marked_and_everything_late_is_missed(law: LawTown) -> None:
    number = law.supervised()
    law.forward(days=5)
    law.step(number, "force_close", law.role("chief"), reason="岸线改造")
    assert law.issue(number).flags["forced"] and law.clocks(number)["rectify"].state == "missed"
    slip = law.slips(number, "closure")[0]
    assert "强制结案" in slip.facts["marks"] and "岸线改造" in slip.facts["result"]


def test_look_back_is_never_the_closers_and_a_relapse_opens_a_linked_issue(law: LawTown) -> None:
    number = law.closed()
    for name in ("环保办主任", "环保办甲"):  # closer, verifier: whatever role they come in
        looker = law.several(name, "inspector")
        law.photo(number, "look_back", looker)
        with pytest.raises(Refused, match="换人"):
            law.step(number, "look_back", looker, finding="good")
    inspector = law.role("inspector")
    closed_at = law.issue(number).ended_at
    law.clock.forward(days=3)
    law.photo(number, "look_back", inspector)
    law.step(number, "look_back", inspector, finding="relapse", reason="又漂来了")
    assert law.issue(number).ended_at == closed_at  # it was closed when it was closed
    again = next(line for line in law.trail(number) if line.event == "looked_back").facts["relapse"]
    issue = law.issue(again)
    assert (issue.state, issue.origin_id, issue.origin_how) == ("reported", law.issue(number).id, "relapse")
    assert law.issue(number).state == "closed"


def test_transfer_changes_the_state_at_the_receivers_receipt_only(law: LawTown) -> None:
    number = law.supervised("property")
    law.photo(number, "receipt", law.role("office"))
    law.forward(minutes=1)
    asked = law.step(number, "transfer", law.role("office_head"), reason="归住建", receiving_body="区住建局")
    with law.station.look() as look:
        assert asked.request is not None
        assert asked.request.decide_by == look.calendar.add(look.now, 3 * look.calendar.working_day_s, "working")
    with pytest.raises(BadInput, match="签收单"):
        law.decide(asked.request)
    law.photo(number, "receipt", law.role("office2"))
    with pytest.raises(Refused):
        law.decide(asked.request, "office_head")
    law.decide(asked.request, "office2")
    assert law.issue(number).state == "transferred"
    assert not [clock for clock in law.clocks(number).values() if clock.state in clocks.LIVE]


def test_named_acceptor_of_another_unit_verifies_the_offices_own_work(law: LawTown) -> None:
    number, chief, body = to_name_acceptor(law)
    office = law.role("office")
    with pytest.raises(Refused, match="河湖长"):
        law.step(number, "verify", office, checklist=law.checklist(number))
    for wrong in (office.person_id, chief.person_id, law.role("unit").person_id):
        with pytest.raises(BadInput, match="外单位"):
            law.step(number, "name_acceptor", chief, acceptor=wrong)
    law.step(number, "name_acceptor", chief, **body)
    named = Actor(body["acceptor"], "城建员", frozenset({"unit"}), "construction", None, via="test")
    law.step(number, "verify", named, checklist=law.checklist(number))
    with pytest.raises(Refused, match="河湖长"):
        law.step(number, "close", law.role("office_head"))
    law.step(number, "close", chief)
    assert law.slips(number, "closure")[0].facts["verified_by"] == "城建员"


def test_acting_head_closes_on_his_days_only_and_never_what_he_accepted(law: LawTown) -> None:
    number = law.verified()
    deputy, verifier = law.role("office2"), law.role("office")
    with pytest.raises(Refused):
        law.step(number, "close", deputy)
    today = law.clock.at.date()
    with law.station.work(law.role("chief")) as work:
        for person in (deputy, verifier):
            assert person.person_id is not None
            people.delegate(work, person.person_id, today, today)
    with pytest.raises(Refused, match="验收的是您"):
        law.step(number, "close", verifier)
    tomorrow = law.verified(chainage_m=600)
    law.step(number, "close", deputy)
    law.forward(days=1)
    with pytest.raises(Refused):
        law.step(tomorrow, "close", deputy)
