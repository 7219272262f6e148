"""Holders of keys for tests: an officer on each side and an operator, whose private keys are in no station."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

from patrol import models as m
from patrol.actions import people, sealing
from patrol.gateways import envelopes
from patrol.station import SYSTEM, Station


@dataclass
class Ring:
    """Private keys of both sides and of the operator."""

    station: Station
    a: bytes
    b: bytes
    operator: bytes

    def share(self, private: bytes, body: bytes) -> bytes:
        """What this key's share of an envelope unwraps to."""
        mine = envelopes.key_id(bytes(envelopes.PrivateKey(private).public_key))
        digest = hashlib.sha256(body).hexdigest()
        with self.station.look(SYSTEM) as look:
            wrapped = sealing.share_of(look, digest, mine)
        assert wrapped is not None
        return envelopes.unwrap(private, wrapped)

    def identity(self, body: bytes | None) -> bytes:
        """What is in an envelope of two locks, opened by both."""
        assert body is not None
        return envelopes.open_body(envelopes.xor(self.share(self.a, body), self.share(self.b, body)), body)

    def callback(self, body: bytes | None) -> bytes:
        """What is in an operator's envelope."""
        assert body is not None
        return envelopes.open_body(self.share(self.operator, body), body)


def holder(station: Station, name: str, duty: str = "officer") -> tuple[bytes, m.SealKey]:
    """A person with a new key: the private half and the row."""
    private, public = envelopes.make_keypair()
    with station.work(SYSTEM) as work:
        return private, sealing.add_key(work, people.person(work, name).id, duty, public)


def ring(station: Station) -> Ring:
    """A key on each side and one of the operator's."""
    return Ring(station, holder(station, "专员甲")[0], holder(station, "专员乙")[0], holder(station, "话务员", "operator")[0])  # fmt: skip
