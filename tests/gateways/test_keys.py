"""The installation's keys: made once, never silently again, never shown."""

import os
import threading
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from patrol.errors import Misconfigured
from patrol.gateways.keys import Keys, key_names

posix = pytest.mark.skipif(os.name == "nt", reason="Windows has no file modes")


def test_the_first_start_makes_keys_and_every_later_one_reads_the_same(tmp_path: Path) -> None:
    first = Keys.open(tmp_path / "keys", may_create=True)
    assert Keys.open(tmp_path / "keys") == first
    assert Keys.open(tmp_path / "keys", may_create=True) == first
    values = [getattr(first, name) for name in key_names()]
    assert len(set(values)) == len(values) == 6
    assert all(len(value) == 32 for value in values)


def test_two_installations_share_no_key(tmp_path: Path) -> None:
    one, two = (Keys.open(tmp_path / name, may_create=True) for name in ("one", "two"))
    assert not {getattr(one, name) for name in key_names()} & {getattr(two, name) for name in key_names()}


@posix
def test_only_the_owner_reads_the_files_and_nothing_else_is_left(tmp_path: Path) -> None:
    Keys.open(tmp_path / "keys", may_create=True)
    files = sorted((tmp_path / "keys").iterdir())
    assert [file.name for file in files] == sorted(f"{name}.key" for name in key_names())
    assert {file.stat().st_mode & 0o777 for file in files} == {0o600}
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("name", key_names())
def test_a_lost_key_is_named_and_never_made_again_beside_a_database(tmp_path: Path, name: str) -> None:
    Keys.open(tmp_path, may_create=True)
    (tmp_path / f"{name}.key").unlink()
    with pytest.raises(Misconfigured) as caught:
        Keys.open(tmp_path)
    assert caught.value.code == "key_missing"
    assert f"{name}.key" in caught.value.sentence
    assert not (tmp_path / f"{name}.key").exists()


def test_an_absent_folder_beside_a_database_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured):
        Keys.open(tmp_path / "keys")
    assert not (tmp_path / "keys").exists()


def test_a_first_start_that_was_cut_short_is_finished_by_the_next(tmp_path: Path) -> None:
    before = Keys.open(tmp_path, may_create=True)
    (tmp_path / "session.key").unlink()
    after = Keys.open(tmp_path, may_create=True)
    assert (after.chain, after.pepper) == (before.chain, before.pepper)
    assert len(after.session) == 32


@pytest.mark.parametrize("content", [b"", b"abc", b"00" * 31, b"00" * 32 + b"00", b"zz" * 32, b"\xff" * 64])
def test_a_damaged_key_is_refused(tmp_path: Path, content: bytes) -> None:
    Keys.open(tmp_path, may_create=True)
    (tmp_path / "pepper.key").write_bytes(content)
    with pytest.raises(Misconfigured) as caught:
        Keys.open(tmp_path)
    assert caught.value.code == "key_damaged"


@posix
@pytest.mark.parametrize("mode", [0o644, 0o640, 0o602])
def test_a_key_others_can_reach_is_refused(tmp_path: Path, mode: int) -> None:
    Keys.open(tmp_path, may_create=True)
    (tmp_path / "chain.key").chmod(mode)
    with pytest.raises(Misconfigured) as caught:
        Keys.open(tmp_path)
    assert caught.value.code == "key_exposed"
    assert "chmod 600" in caught.value.sentence


def test_no_key_shows_in_repr_and_none_can_be_changed(tmp_path: Path) -> None:
    keys = Keys.open(tmp_path, may_create=True)
    for name in key_names():
        value = getattr(keys, name)
        assert name not in repr(keys)
        assert value.hex() not in repr(keys) and repr(value) not in repr(keys)
    with pytest.raises(FrozenInstanceError):
        keys.chain = b""  # type: ignore[misc]


def test_processes_that_start_first_at_once_agree(tmp_path: Path) -> None:
    start = threading.Barrier(8)
    opened: list[Keys] = []

    def first() -> None:
        start.wait()
        opened.append(Keys.open(tmp_path / "keys", may_create=True))

    threads = [threading.Thread(target=first) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(opened) == 8
    assert all(keys == opened[0] for keys in opened)
