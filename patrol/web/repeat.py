"""A client's id and the answer already given to it: a repeat gets the same answer, another body is refused.

For tips neither the id nor the code is kept: only their keyed digests are.
"""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from typing import Any

from patrol import models as m
from patrol.errors import Clash
from patrol.gateways import identity
from patrol.station import Work


def key_of(work: Work, scope: str, client_id: str) -> str:
    who = f"{work.actor.person_id}:{work.actor.role}" if work.actor.person_id is not None else "public"
    return identity.client_key(work.keys.client, f"{scope}:{who}", client_id)


def digest_of(work: Work, body: Any, digests: Sequence[str]) -> str:
    """Keyed, so that a guessed tip cannot be checked against the database."""
    return hmac.new(work.keys.client, m.canonical([body, list(digests)]), "sha256").hexdigest()


def given(work: Work, key: str, digest: str) -> tuple[int, dict[str, Any]] | None:
    """The answer this id got before, if any."""
    work.only_one(f"answer:{key}")
    row = work.session.get(m.Answer, key)
    if row is None:
        return None
    if row.body_digest != digest:
        raise Clash()
    return row.status, dict(row.body)


def keep(work: Work, key: str, digest: str, status: int, body: dict[str, Any]) -> None:
    work.session.add(m.Answer(client_key=key, body_digest=digest, status=status, body=body, at=work.now))
