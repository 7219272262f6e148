"""Sealed envelopes: one lock or two, whose shares open them, and that nothing else does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patrol.errors import BadInput, Misconfigured, Refused
from patrol.gateways.envelopes import Sealed, key_id, make_keypair, open_body, seal, seal_for_two, unwrap, wrap, xor

A, B, C = make_keypair(), make_keypair(), make_keypair()
WORDS = "张三，13800000000".encode()
ONE = seal([C[1]], WORDS)
TWO = seal_for_two([A[1]], [B[1]], WORDS)


def share(sealed: Sealed, pair: tuple[bytes, bytes]) -> bytes:
    return unwrap(pair[0], next(s.wrapped for s in sealed.shares if s.key_id == key_id(pair[1])))


@given(st.binary(max_size=2000), st.integers(1, 3), st.integers(1, 3))
def test_any_of_one_side_with_any_of_the_other_opens(plaintext: bytes, many: int, others: int) -> None:
    side_a, side_b = [make_keypair() for _ in range(many)], [make_keypair() for _ in range(others)]
    sealed = seal_for_two([k[1] for k in side_a], [k[1] for k in side_b], plaintext)
    for one in side_a:
        for other in side_b:
            assert open_body(xor(share(sealed, one), share(sealed, other)), sealed.body) == plaintext


def test_one_side_alone_opens_nothing() -> None:
    second = make_keypair()
    sealed = seal_for_two([A[1], second[1]], [B[1]], WORDS)
    assert share(sealed, A) == share(sealed, second)  # two of a side hold one half, not two
    for key in (share(sealed, A), share(sealed, B), xor(share(sealed, A), share(sealed, second))):
        with pytest.raises(BadInput):
            open_body(key, sealed.body)


def test_a_newcomer_gets_a_half_from_one_who_has_it_and_no_more() -> None:
    newcomer = make_keypair()
    given_on = unwrap(newcomer[0], wrap(newcomer[1], share(TWO, A)))
    assert open_body(xor(given_on, share(TWO, B)), TWO.body) == WORDS
    with pytest.raises(BadInput):
        open_body(xor(given_on, share(TWO, A)), TWO.body)


def test_one_lock_opens_with_any_of_its_keys() -> None:
    assert open_body(share(ONE, C), ONE.body) == WORDS
    with pytest.raises(Refused):
        unwrap(A[0], ONE.shares[0].wrapped)


def test_no_plaintext_shows_and_lengths_tell_little() -> None:
    assert "张三".encode() not in TWO.body and b"138" not in TWO.body and TWO.body != seal([C[1]], WORDS).body
    assert len({len(seal([C[1]], b"x" * length).body) for length in (0, 1, 30, 120, 255)}) == 1


@given(st.integers(0, len(ONE.body) - 1), st.integers(1, 255))
def test_a_changed_byte_is_never_opened_as_something_else(at: int, flip: int) -> None:
    changed = bytearray(ONE.body)
    changed[at] ^= flip
    with pytest.raises(BadInput):
        open_body(share(ONE, C), bytes(changed))


@given(st.integers(0, len(ONE.body) - 1), st.binary(max_size=200))
def test_a_cut_or_made_up_envelope_is_damaged(length: int, junk: bytes) -> None:
    for body in (ONE.body[:length], junk, b"PATROL\x02" + junk):
        with pytest.raises(BadInput):
            open_body(share(ONE, C), body)
        with pytest.raises(Refused):
            unwrap(C[0], body)


def test_sealing_to_nobody_or_to_a_broken_key_is_refused() -> None:
    for keys in (([], [B[1]]), ([A[1]], [])):
        with pytest.raises(Misconfigured):
            seal_for_two(*keys, WORDS)
    with pytest.raises(BadInput):
        seal([b"x" * 31], WORDS)
    with pytest.raises(BadInput):
        unwrap(b"short", ONE.shares[0].wrapped)
