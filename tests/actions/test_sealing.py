"""Keys with two sides, a newcomer let in, an identity opened by two, a number to ring back: and who may not."""

from __future__ import annotations

import pytest

from patrol import models as m
from patrol.actions import sealing
from patrol.errors import BadInput, Missing, PatrolError, Refused, WrongStep
from patrol.gateways import envelopes
from patrol.station import SYSTEM, Actor, Station
from tests.sealroom import Ring, holder, ring
from tests.walk import Town, picture

CONTACT = {"phone": "13987654321", "name": "李守堤"}


def officer(station: Station, name: str, role: str = "reward") -> Actor:
    return Town(station).person(role, name=name)


def told(station: Station, event: str) -> list[m.Trail]:
    with station.look() as look:
        return list(look.session.query(m.Trail).filter_by(event=event).order_by(m.Trail.id))


def a_tip(station: Station, **fields: object) -> m.Sighting:
    from patrol.actions import photos

    shot = photos.take_in(station, picture(7), tip=True)
    return Town(station).report("tip", contact=CONTACT, callback=True, shots=(shot,), **fields).sighting


def own(private: bytes) -> str:
    return envelopes.key_id(bytes(envelopes.PrivateKey(private).public_key))


def halves(station: Station, private: bytes, tip: m.Sighting, *others: bytes) -> dict[tuple[str, str], bytes]:
    """What the first officer's browser sends: their share of each envelope, wrapped to each key of the other side."""
    with station.look(SYSTEM) as look:
        found = [part.envelope for part in sealing.parts(look, tip)]
        mine = {envelope: sealing.share_of(look, envelope, own(private)) for envelope in found}
    return {(envelope, own(other)): envelopes.wrap(bytes(envelopes.PrivateKey(other).public_key),
                                                   envelopes.unwrap(private, wrapped or b""))
            for envelope, wrapped in mine.items() for other in others}  # fmt: skip


def asked(station: Station, held: Ring, tip: m.Sighting) -> m.Opening:
    with station.work(officer(station, "专员甲")) as work:
        return sealing.ask(work, tip.ref, own(held.a), "核对领奖人", halves(station, held.a, tip, held.b))


def test_contact_needs_a_key_on_both_sides(station: Station) -> None:
    with pytest.raises(BadInput):
        a_tip(station)
    holder(station, "专员甲")
    with pytest.raises(BadInput):
        a_tip(station)
    holder(station, "专员乙")
    assert a_tip(station).identity_sealed is not None


def test_one_person_never_holds_both_sides(station: Station) -> None:
    _, first = holder(station, "专员甲")
    _, again = holder(station, "专员甲")
    assert (first.side, first.state) == ("a", "active") and (again.side, again.state) == ("", "waiting")
    private, second = holder(station, "专员乙")
    assert (second.side, second.state) == ("b", "active")
    with station.work(officer(station, "专员乙")) as work, pytest.raises(Refused):
        sealing.vouch(work, again.key_id, own(private), [])  # a side for one who has the other
    with station.work(officer(station, "专员甲")) as work, pytest.raises(Refused):
        sealing.vouch(work, again.key_id, first.key_id, [])  # one's own key, by oneself


def test_two_open_an_identity_and_each_step_leaves_a_line(station: Station) -> None:
    held = ring(station)
    tip = a_tip(station)
    opening = asked(station, held, tip)
    with station.work(officer(station, "专员乙")) as work:
        row, found = sealing.open_identity(work, opening.ref, own(held.b))
        assert [part["what"] for part in found] == ["identity", "photo"]
    with station.look(officer(station, "专员乙")) as look:
        for part in found:
            body = sealing.body_of(look, row.ref, part["envelope"])
            key = envelopes.xor(*(envelopes.unwrap(held.b, part[name]) for name in ("mine", "given")))
            plain = envelopes.open_body(key, body)
            assert CONTACT["name"].encode() in plain or plain == picture(7) or part["what"] == "identity"
    with station.look(officer(station, "专员甲")) as look, pytest.raises(Missing):
        sealing.body_of(look, row.ref, found[0]["envelope"])  # the one who asked does not read
    lines = told(station, "identity_asked") + told(station, "identity_opened")
    assert [line.subject for line in lines] == [f"clue:{tip.id}"] * 2
    assert lines[0].facts is not None and lines[0].facts["reason"] == "核对领奖人"
    assert lines[0].person_id != lines[1].person_id


def test_what_does_not_open(station: Station) -> None:
    held = ring(station)
    tip = a_tip(station)
    opening = asked(station, held, tip)
    wrong: list[tuple[str, str]] = [("专员甲", own(held.a)), ("专员乙", own(held.a)), ("旁人", own(held.b))]
    for name, key in wrong:
        with pytest.raises(Refused), station.work(officer(station, name)) as work:
            sealing.open_identity(work, opening.ref, key)
    with pytest.raises(BadInput), station.work(officer(station, "专员甲")) as work:
        sealing.ask(work, tip.ref, own(held.a), "x", {})
    station.clock.forward(hours=25)  # type: ignore[attr-defined]  # the settable clock
    with pytest.raises(WrongStep), station.work(officer(station, "专员乙")) as work:
        sealing.open_identity(work, opening.ref, own(held.b))
    assert told(station, "identity_opened") == []


def test_a_newcomer_is_let_in_to_the_side_of_the_voucher(station: Station) -> None:
    held = ring(station)
    tips = [a_tip(station, chainage_m=300.0 + 400 * at) for at in range(3)]
    private, new = holder(station, "专员丙")
    assert new.state == "waiting"
    shares: list[tuple[str, bytes]] = []
    for _ in range(3):
        with station.work(officer(station, "专员甲")) as work:
            lacking = sealing.vouch(work, new.key_id, own(held.a), shares)
        shares = [(row.envelope, envelopes.wrap(new.public, envelopes.unwrap(held.a, row.wrapped))) for row in lacking]
        if not lacking:
            break
    with station.look(SYSTEM) as look:
        kept = sealing.find_key(look, new.key_id)
        assert (kept.state, kept.side) == ("active", "a") and kept.vouched_by is not None
    third = Ring(station, private, held.b, held.operator)
    for tip in [*tips, a_tip(station, chainage_m=2000.0)]:
        assert CONTACT["name"].encode().hex() in third.identity(tip.identity_sealed).hex()
    assert third.share(private, tips[0].identity_sealed or b"") == held.share(held.a, tips[0].identity_sealed or b"")


def test_a_lost_key_opens_nothing_more_and_losing_a_side_is_said(station: Station) -> None:
    from patrol.queries import sealed

    held = ring(station)
    tip = a_tip(station)
    with pytest.raises(Refused), station.work(officer(station, "专员甲")) as work:
        sealing.lose(work, own(held.b))
    with station.work(officer(station, "专员乙")) as work:
        sealing.lose(work, own(held.b))
    with station.look(SYSTEM) as look:
        assert sealing.share_of(look, sealing.parts(look, tip)[0].envelope, own(held.b)) is None
        assert any("再也打不开" in line["zh"] for line in sealed.dangers(sealed.keys(look)))
    with pytest.raises(BadInput):
        a_tip(station)
    _, again = holder(station, "专员丁")
    assert (again.side, again.state) == ("b", "active")  # later ones can be opened, the old ones never


def test_a_number_is_opened_one_at_a_time_by_the_operator(station: Station) -> None:
    held = ring(station)
    tip = a_tip(station)
    operator = officer(station, "话务员", "operator")
    with station.work(operator) as work:
        body, wrapped = sealing.open_callback(work, tip.ref, own(held.operator), "问清位置")
    assert envelopes.open_body(envelopes.unwrap(held.operator, wrapped), body).decode() == CONTACT["phone"]
    assert [line.facts["reason"] for line in told(station, "callback_opened") if line.facts] == ["问清位置"]
    for who, key in ((officer(station, "专员甲"), own(held.a)), (officer(station, "专员甲"), own(held.operator))):
        with pytest.raises(PatrolError), station.work(who) as work:
            sealing.open_callback(work, tip.ref, key, "x")
