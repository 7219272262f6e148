"""Key files, the recovery sheet, and the codes."""

import hashlib
import hmac
import json
import string
import uuid

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from patrol.errors import BadInput, Misconfigured, Refused
from patrol.gateways.envelopes import make_keypair
from patrol.gateways.identity import (
    CROCKFORD,
    check_code,
    client_key,
    lock_key,
    normalise_code,
    read_recovery,
    receipt_code,
    receipt_hash,
    recovery_text,
    same_code,
    unlock_key,
)

KEY = bytes(range(32))
CLIENT = "3f2b8c1e-5d4a-4e6f-9a7b-0c1d2e3f4a5b"
PRIVATE, PUBLIC = make_keypair()


def test_a_key_file_opens_with_its_passphrase_only() -> None:
    file = lock_key(PRIVATE, "清澈的太湖港 2026 年")
    assert unlock_key(file, "清澈的太湖港 2026 年") == PRIVATE
    assert unlock_key(file, "清澈的太湖港 ２０２６ 年") == PRIVATE  # typed in full width
    assert PRIVATE.hex().encode() not in file
    for wrong in ("清澈的太湖港 2025 年", "", "x" * 20):
        with pytest.raises(Refused):
            unlock_key(file, wrong)
    with pytest.raises(BadInput):
        lock_key(PRIVATE, "short")


@pytest.mark.parametrize(
    "change",
    [
        {"ops": 10**9},
        {"memory_bytes": 1 << 45},
        {"memory_bytes": 1},
        {"ops": "3"},
        {"kdf": "scrypt"},
        {"salt": "AA=="},
        {"salt": "!"},
        {"patrol_key": 2},
    ],
)
def test_a_forged_key_file_is_refused_before_any_work(change: dict[str, object]) -> None:
    content = json.loads(lock_key(PRIVATE, "a passphrase of some length"))
    with pytest.raises(BadInput):
        unlock_key(json.dumps({**content, **change}).encode(), "a passphrase of some length")


@pytest.mark.parametrize("file", [b"", b"{}", b"[]", b"null", b"\xff", b'{"salt": 1, "box": 2}'])
def test_what_is_no_key_file_is_said_to_be_none(file: bytes) -> None:
    with pytest.raises(BadInput):
        unlock_key(file, "a passphrase of some length")


@given(st.binary(min_size=32, max_size=32))
def test_a_printed_recovery_key_reads_back(private: bytes) -> None:
    text = recovery_text(private)
    assert set(text) <= set(CROCKFORD) | {"-"}
    assert read_recovery(text) == private
    assert read_recovery(text.lower().replace("-", " ").replace("0", "o").replace("1", "l")) == private


@given(st.integers(0, 59), st.sampled_from(CROCKFORD))
def test_a_mistyped_recovery_key_is_noticed(at: int, typed: str) -> None:
    plain = recovery_text(KEY).replace("-", "")
    mistyped = plain[:at] + typed + plain[at + 1 :]
    if mistyped == plain:
        assert read_recovery(mistyped) == KEY
    else:
        with pytest.raises(BadInput):
            read_recovery(mistyped)


def test_a_receipt_code_is_the_first_80_bits_of_the_mac() -> None:
    mac = hmac.new(KEY, CLIENT.encode(), hashlib.sha256).digest()
    bits = "".join(f"{byte:08b}" for byte in mac)[:80]
    expected = "".join(CROCKFORD[int(bits[at : at + 5], 2)] for at in range(0, 80, 5))
    code = receipt_code(KEY, CLIENT)
    assert code.replace("-", "") == expected
    assert [len(group) for group in code.split("-")] == [4, 4, 4, 4]
    assert receipt_code(KEY, CLIENT.upper()) == code


def test_codes_differ_between_tips_and_between_installations() -> None:
    codes = {receipt_code(KEY, str(uuid.UUID(int=number))) for number in range(500)}
    assert len(codes) == 500
    assert receipt_code(bytes(32), CLIENT) != receipt_code(KEY, CLIENT)


def test_what_is_stored_of_a_code_is_its_mac_however_it_is_typed() -> None:
    code = receipt_code(KEY, CLIENT)
    plain = code.replace("-", "")
    stored = hmac.new(bytes(32), plain.encode(), hashlib.sha256).hexdigest()
    full_width = plain.translate({ord(character): ord(character) + 0xFEE0 for character in CROCKFORD})
    for typed in (code, plain, code.lower(), f"  {code} ", code.replace("-", "—"), full_width):
        assert receipt_hash(bytes(32), typed) == stored
    assert receipt_hash(KEY, code) != stored


@pytest.mark.parametrize("typed", ["", "?", "U" * 16, "A" * 15, "A" * 17, "A" * 100_000, "\ud800" * 16, "环" * 16])
def test_what_is_no_code_still_has_a_hash_that_matches_none(typed: str) -> None:
    assert normalise_code(typed) is None
    assert len(receipt_hash(KEY, typed)) == 64


@given(st.text(alphabet=CROCKFORD, min_size=16, max_size=16), st.data())
def test_lookalikes_case_and_separators_do_not_matter(code: str, data: st.DataObject) -> None:
    alike = {"0": "0oO", "1": "1iIlL"}
    typed = ""
    for character in code:
        choices = alike.get(character, character + character.lower())
        typed += data.draw(st.sampled_from(choices)) + data.draw(st.sampled_from(["", "-", " ", "　", "–"]))
    assert normalise_code(typed) == code


def test_the_alphabet_leaves_out_what_is_misread() -> None:
    assert len(CROCKFORD) == 32
    assert set(string.ascii_uppercase + string.digits) - set(CROCKFORD) == set("ILOU")


def test_a_client_id_means_nothing_in_another_scope() -> None:
    assert client_key(KEY, "tip", CLIENT) == client_key(KEY, "tip", CLIENT.upper())
    assert client_key(KEY, "tip", CLIENT) != client_key(KEY, "grid", CLIENT)
    assert client_key(KEY, "ab", "c") != client_key(KEY, "a", "bc")
    assert CLIENT not in client_key(KEY, "tip", CLIENT)


def test_a_check_code_rests_on_slip_and_trail() -> None:
    code = check_code(KEY, "a" * 64, "b" * 64)
    assert len(code) == 10 and set(code) <= set(CROCKFORD)
    others = {
        check_code(KEY, "a" * 64, "c" * 64),
        check_code(KEY, "c" * 64, "b" * 64),
        check_code(bytes(32), "a" * 64, "b" * 64),
    }
    assert len({code, *others}) == 4
    assert same_code(f" {code[:5]}-{code[5:].lower()}", code)
    assert not any(same_code(other, code) for other in (*others, "", code[:9], code + "0", "环"))


def test_a_short_key_is_refused_rather_than_used() -> None:
    for use in (receipt_code, receipt_hash):
        with pytest.raises(Misconfigured):
            use(b"", CLIENT)
    with pytest.raises(Misconfigured):
        client_key(b"short", "tip", CLIENT)


@settings(max_examples=20)
@given(st.text(max_size=50))
def test_nothing_a_person_types_breaks_a_look_up(typed: str) -> None:
    assert len(receipt_hash(KEY, typed)) == 64
    assert not same_code(typed, "0123456789") or normalise_code(typed, 10) == "0123456789"
