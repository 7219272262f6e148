"""A bound phone: key and PIN together, each challenge once, and taken away by the office at once."""

from __future__ import annotations

import base64
from typing import Any

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from patrol.station import Station
from patrol.web import limits
from tests.conftest import SetClock
from tests.walk import Town
from tests.web.test_phone import Phone, Street


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


class Handset:
    """A phone with a key of its own, bound through the session of `phone`."""

    def __init__(self, phone: Phone, pin: str = "4821") -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        numbers = self.key.public_key().public_numbers()
        jwk = {"kty": "EC", "crv": "P-256", "x": b64(numbers.x.to_bytes(32)), "y": b64(numbers.y.to_bytes(32))}
        self.answer = phone.client.post("/phone/devices", json={"name": "张三的手机", "key": jwk, "pin": pin},
                                        headers={"X-CSRF-Token": phone.token()})  # fmt: skip
        self.ref = (self.answer.json or {}).get("device", "")
        self.app = phone.client.application
        self.client = self.app.test_client()

    def challenge(self) -> str:
        nobody = self.app.test_client(use_cookies=False)
        return str(nobody.post("/signin/challenge", json={"device": self.ref}).json["challenge"])

    def sign(self, challenge: str) -> str:
        r, s = decode_dss_signature(
            self.key.sign(f"patrol-device\n{self.ref}\n{challenge}".encode(), ec.ECDSA(hashes.SHA256()))
        )
        return base64.b64encode(r.to_bytes(32) + s.to_bytes(32)).decode()

    def sign_in(self, pin: str = "4821", signature: str | None = None) -> Any:
        limits.reset()
        signed = self.sign(self.challenge()) if signature is None else signature
        self.client = self.app.test_client()  # signed out: a session of its own would ask for its token
        return self.client.post("/signin/device", json={"device": self.ref, "pin": pin, "signature": signed})


@pytest.fixture
def street(station: Station) -> Street:
    return Street(Town(station))


def test_key_and_pin_sign_in_together_and_a_challenge_serves_once(street: Street) -> None:
    handset = Handset(street.phone("grid"))
    assert handset.answer.status_code == 201, handset.answer.text
    assert handset.sign_in().status_code == 200
    assert handset.client.get("/phone").status_code == 200
    signature = handset.sign(handset.challenge())
    assert handset.sign_in(signature=signature).status_code == 200
    again = handset.sign_in(signature=signature)
    assert (again.status_code, again.json["type"].split("/")[-1]) == (401, "wrong_pin")
    other = Handset(street.phone("grid", name="别人"))
    other.ref, own = handset.ref, other.ref
    assert own and other.sign_in().status_code == 401  # the right PIN with another phone's key


def test_the_office_takes_a_phone_away_at_once(street: Street) -> None:
    phone = street.phone("grid")
    handset = Handset(phone)
    assert handset.sign_in().status_code == 200
    assert handset.ref in phone.get("/phone/me")
    office = street.phone("office")
    assert "张三的手机" in office.get("/desk/people")
    stranger = street.phone("unit", unit="water")
    assert (
        stranger.client.post(f"/phone/devices/{handset.ref}/revoke", data={"csrf_token": stranger.token()}).status_code
        == 403
    )
    gone = office.client.post(f"/phone/devices/{handset.ref}/revoke", data={"csrf_token": office.token()})
    assert gone.status_code == 303
    assert handset.client.get("/phone").status_code == 303  # its session ended
    refused = handset.sign_in()
    assert (refused.status_code, refused.json["type"].split("/")[-1]) == (401, "device_unknown")


def test_wrong_pins_slow_down_and_then_end_the_phone(street: Street, clock: SetClock) -> None:
    handset = Handset(street.phone("grid"))
    codes = []
    for _ in range(10):
        codes.append(handset.sign_in("0007").status_code)
        clock.forward(minutes=30)
    assert codes == [401] * 10
    assert handset.sign_in().json["type"].split("/")[-1] == "device_unknown"
    quick = Handset(street.phone("grid", name="快手"))
    assert [quick.sign_in("0007").status_code for _ in range(6)] == [401] * 5 + [429]


@pytest.mark.parametrize("pin", ["123", "1111", "1234", "98765", "12a4", "123456789"])
def test_a_pin_that_is_no_pin_is_refused(street: Street, pin: str) -> None:
    answer = Handset(street.phone("grid"), pin).answer
    assert (answer.status_code, answer.json["errors"][0]["pointer"]) == (422, "pin")
