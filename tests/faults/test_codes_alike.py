"""2,000 known and 2,000 unknown receipt codes, interleaved: nothing of time or length tells which is which."""

from __future__ import annotations

import random
import time
import uuid

import pytest

from patrol import models as m
from patrol.gateways import identity
from patrol.station import SYSTEM, Station
from patrol.web import limits
from tests.faults import FULL, share
from tests.web.api_town import Api

EACH = share(2000)
REACH = 0.03 if FULL else 0.1  # a tenth of the codes scatters three times as wide


def auc(known: list[float], unknown: list[float]) -> float:
    """The chance that a known code took longer than an unknown one; 0.5 tells nothing (Mann and Whitney's U)."""
    marked = sorted([(t, 1) for t in known] + [(t, 0) for t in unknown])
    ranks, at = 0.0, 0
    while at < len(marked):
        end = at
        while end < len(marked) and marked[end][0] == marked[at][0]:
            end += 1
        ranks += sum(which for _, which in marked[at:end]) * (at + 1 + end) / 2
        at = end
    return (ranks - len(known) * (len(known) + 1) / 2) / (len(known) * len(unknown))


def known_codes(api: Api) -> list[str]:
    """Codes of reports that have become an issue which is in someone's hands: the answer that costs most."""
    number = api.town.to_supervised(channel="tip")
    issue, codes = api.town.issue(number), []
    with api.station.work(SYSTEM) as work:
        for _ in range(EACH):
            code = identity.receipt_code(work.keys.receipt, str(uuid.uuid4()))
            work.session.add(m.Sighting(
                ref=str(uuid.uuid4()), channel="tip", state="joined", kind=issue.kind, issue_id=issue.id, words="",
                place_words="", warnings=[], received_at=work.now, erased=[],
                receipt_hash=identity.receipt_hash(work.keys.pepper, code),
            ))  # fmt: skip
            codes.append(code)
    return codes


def total(answer: object) -> int:
    return len(answer.status) + sum(len(k) + len(v) for k, v in answer.headers) + len(answer.data)  # type: ignore[attr-defined]


@pytest.mark.faults
@pytest.mark.timeout(1800)
def test_time_and_length_tell_nothing(station: Station, capsys: pytest.CaptureFixture[str]) -> None:
    api = Api(station)
    client = api.app.test_client()
    tries = [(code, True) for code in known_codes(api)]
    tries += [(identity.receipt_code(b"x" * 32, str(uuid.uuid4())), False) for _ in range(EACH)]
    random.Random(4).shuffle(tries)
    times: dict[bool, list[float]] = {True: [], False: []}
    lengths: set[int] = set()
    for code, known in [*tries[:20], *tries]:
        limits.reset()
        began = time.perf_counter()
        answer = client.post("/api/v1/tips/status", json={"code": code})
        times[known].append(time.perf_counter() - began)
        assert answer.status_code == (200 if known else 404)
        lengths.add(total(answer))
    score = auc(times[True], times[False])
    with capsys.disabled():
        print(f"\nAUC of the response time, {EACH} known against {EACH} unknown codes: {score:.4f}; lengths {lengths}")
    assert 0.5 - REACH <= score <= 0.5 + REACH
    assert len(lengths) == 1
