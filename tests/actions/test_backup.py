"""A backup is whole while others write and restores to its heads; a damaged one is refused untouched."""

from __future__ import annotations

import hashlib
import io
import json
import sqlite3
import tarfile
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from patrol import models as m
from patrol.actions import followup, slips
from patrol.actions.backup import backup
from patrol.actions.restore import restore, verify_restored
from patrol.cli.safe import replay
from patrol.errors import BadInput, Refused
from patrol.settings import Settings
from patrol.station import SYSTEM, Station
from tests.walk import Town


@pytest.fixture
def town(station: Station) -> Town:
    if not station.settings.is_sqlite:
        pytest.skip("a server's database is backed up by its own tools; the refusal has its own test")
    town = Town(station)
    number = town.to_closed()
    with station.look() as look:
        for slip in slips.of(look, town.issue(number)):
            slips.print_slip(station, slip.id)
    followup.anchor(station)
    return town


@pytest.fixture
def empty(station: Station, tmp_path: Path) -> Settings:
    """The same installation on another machine, with nothing in it."""
    return replace(station.settings, data=tmp_path / "other" / "data")


def members(file: Path) -> list[str]:
    with tarfile.open(file) as tar:
        return tar.getnames()


def rewritten(file: Path, change: Callable[[str, bytes], bytes | None]) -> Path:
    """The same archive with each member as `change` says; None leaves it out."""
    other = file.with_name("changed.tar")
    with tarfile.open(file) as old, tarfile.open(other, "w") as new:
        for member in old:
            data = old.extractfile(member)
            assert data is not None
            raw = change(member.name, data.read())
            if raw is not None:
                member.size = len(raw)
                new.addfile(member, io.BytesIO(raw))
    return other


def test_backup_restores_to_the_same_heads_and_photos(town: Town, tmp_path: Path, empty: Settings) -> None:
    file = tmp_path / "patrol.tar"
    made = backup(town.station, file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert (made.issues, made.damaged) == (1, []) and made.photos >= 4
    done = restore(empty, file)
    assert done == made
    assert verify_restored(empty, done, replay) == []
    again = Station.open(empty, may_create=False)
    with again.look() as look:
        assert [slip.number for slip in slips.of(look, town.issue("TH-2026-0001"))]
    assert set(again.store.digests()) == set(town.station.store.digests())
    assert (empty.data / "anchors.jsonl").read_bytes() == (town.station.settings.data / "anchors.jsonl").read_bytes()
    again.close()
    assert [path.name for path in empty.data.parent.iterdir()] == ["data"], "something was left beside it"
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_backup_while_others_write_is_one_state(town: Town, tmp_path: Path, empty: Settings) -> None:
    station, done = town.station, threading.Event()

    def write() -> None:
        while not done.is_set():
            with station.work(SYSTEM) as work:
                issue = work.session.get_one(m.Issue, 1)
                work.tell("progressed", issue, moves=True, words="写")

    writer = threading.Thread(target=write)
    writer.start()
    try:
        made = [backup(station, tmp_path / f"{number}.tar") for number in range(6)]
    finally:
        done.set()
        writer.join()
    assert len({each.lines for each in made}) == 6, "nothing was written meanwhile"
    for number, each in enumerate(made):
        target = replace(empty, data=tmp_path / f"restored-{number}")
        assert restore(target, tmp_path / f"{number}.tar") == each
        assert verify_restored(target, each, replay) == []


def test_restore_never_writes_over_anything(town: Town, tmp_path: Path, empty: Settings) -> None:
    file = tmp_path / "patrol.tar"
    backup(town.station, file)
    empty.data.mkdir(parents=True)
    note = empty.data / "note.txt"
    note.write_text("mine")
    with pytest.raises(Refused, match="不是空的"):
        restore(empty, file)
    assert [path.name for path in empty.data.iterdir()] == ["note.txt"] and note.read_text() == "mine"
    with pytest.raises(Refused, match="不是空的"):
        restore(town.station.settings, file)
    note.unlink()
    restore(empty, file)  # an empty folder that is there is as good as none


def test_keys_stay_out_when_asked_and_are_then_brought_along(town: Town, tmp_path: Path, empty: Settings) -> None:
    file = tmp_path / "patrol.tar"
    backup(town.station, file, with_keys=False)
    assert not [name for name in members(file) if name.startswith("keys/")]
    keyless = replace(empty, data=tmp_path / "keyless")
    done = restore(keyless, file)
    assert "密钥" in verify_restored(keyless, done, replay)[0]
    empty.data.mkdir(parents=True)
    town.station.settings.keys_folder.rename(empty.data / "keys")
    assert verify_restored(empty, restore(empty, file), replay) == []


def test_database_and_keys_that_lie_elsewhere_go_back_there(town: Town, tmp_path: Path, empty: Settings) -> None:
    file = tmp_path / "patrol.tar"
    backup(town.station, file)
    there = replace(
        empty,
        database_url=f"sqlite:///{tmp_path / 'base' / 'p.db'}",
        keys=str(tmp_path / "safe" / "keys"),
        photos_url=(tmp_path / "pictures").as_uri(),
    )
    done = restore(there, file)
    assert verify_restored(there, done, replay) == []
    assert (tmp_path / "base" / "p.db").exists() and (tmp_path / "safe" / "keys" / "chain.key").exists()
    with pytest.raises(Refused, match="没有动它"):
        restore(replace(there, data=tmp_path / "third"), file)


def test_every_cut_of_the_file_is_refused_and_leaves_nothing(town: Town, tmp_path: Path, empty: Settings) -> None:
    file = tmp_path / "patrol.tar"
    backup(town.station, file)
    whole = file.read_bytes()
    with tarfile.open(file) as tar:
        end = tar.getmember("manifest.json").offset_data + tar.getmember("manifest.json").size
    cuts = [0, 1, 511, 512, 600, *range(1024, end, max(1, end // 40)), end - 1]
    for cut in cuts:
        file.write_bytes(whole[:cut])
        with pytest.raises(BadInput, match="不是完整的"):
            restore(empty, file)
        assert not empty.data.exists()


def test_changed_members_are_refused(town: Town, tmp_path: Path, empty: Settings) -> None:
    file = tmp_path / "patrol.tar"
    backup(town.station, file)

    def flip(wanted: str) -> Callable[[str, bytes], bytes | None]:
        return lambda name, raw: raw[:-1] + bytes([raw[-1] ^ 1]) if name.startswith(wanted) else raw

    for wanted in ("patrol.db", "photos/", "keys/chain", "anchors"):
        with pytest.raises(BadInput, match="不是完整的"):
            restore(empty, rewritten(file, flip(wanted)))
    for wanted in ("patrol.db", "photos/", "keys/chain", "anchors", "manifest"):
        left_out = rewritten(file, lambda name, raw, gone=wanted: None if name.startswith(gone) else raw)  # type: ignore[misc]
        with pytest.raises(BadInput, match="不是完整的"):
            restore(empty, left_out)
    assert not empty.data.exists()


def test_names_that_lead_elsewhere_are_refused(town: Town, tmp_path: Path, empty: Settings) -> None:
    file = tmp_path / "patrol.tar"
    backup(town.station, file)
    with tarfile.open(file) as old:
        kept = [(member, old.extractfile(member).read()) for member in old]  # type: ignore[union-attr]
    for name in ("../evil", "/etc/evil", "keys/../../evil", "photos/../evil", "keys/evil.sh", "worker.port"):
        with tarfile.open(tmp_path / "changed.tar", "w") as new:
            added = tarfile.TarInfo(name)
            added.size = 4
            new.addfile(added, io.BytesIO(b"evil"))
            for member, data in kept:
                raw = data
                if member.name == "manifest.json":
                    known = json.loads(data)
                    known["digests"][name] = hashlib.sha256(b"evil").hexdigest()
                    raw = json.dumps(known).encode()
                entry = tarfile.TarInfo(member.name)
                entry.size = len(raw)
                new.addfile(entry, io.BytesIO(raw))
        with pytest.raises(BadInput, match="不是完整的"):
            restore(empty, tmp_path / "changed.tar")
    assert list(tmp_path.rglob("*evil*")) == [] and not Path("/etc/evil").exists()


def test_lost_original_is_told_and_stops_nothing(town: Town, tmp_path: Path, empty: Settings) -> None:
    store = town.station.store
    lost = next(iter(store.digests()))
    path = store.open_path(lost)  # type: ignore[attr-defined]
    path.chmod(0o600)
    path.write_bytes(b"rotten")
    made = backup(town.station, tmp_path / "patrol.tar")
    assert made.damaged == [lost]
    assert verify_restored(empty, restore(empty, tmp_path / "patrol.tar"), replay) == []


def test_verification_finds_what_went_wrong_after_the_restore(town: Town, tmp_path: Path, empty: Settings) -> None:
    file = tmp_path / "patrol.tar"
    backup(town.station, file)
    done = restore(empty, file)
    with sqlite3.connect(empty.data / "patrol.db") as base:
        base.execute("DELETE FROM trail WHERE subject = 'issue:1' AND seq = 2")
    faults = "\n".join(verify_restored(empty, done, replay))
    assert "TH-2026-0001 台账第 2 行不见了" in faults and "表 trail 的行数" in faults and "链头" in faults
    other = replace(empty, data=tmp_path / "third")
    done = restore(other, file)
    opened = Station.open(other)
    path = opened.store.open_path(next(iter(opened.store.digests())))  # type: ignore[attr-defined]
    opened.close()
    path.unlink()
    assert any("照片文件" in fault for fault in verify_restored(other, done, replay))


def test_failed_backup_leaves_the_last_good_one(town: Town, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "patrol.tar"
    backup(town.station, file)
    good = file.read_bytes()
    (town.station.settings.keys_folder / "chain.key").rename(tmp_path / "gone")
    (town.station.settings.keys_folder / "chain.key").mkdir()  # reading it fails half way
    with pytest.raises(OSError, match="chain"):
        backup(town.station, file)
    assert file.read_bytes() == good
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "gone", "patrol.tar"]


def test_folder_that_is_not_there_is_a_sentence(town: Town, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="没有文件夹"):
        backup(town.station, tmp_path / "nowhere" / "patrol.tar")


def test_server_database_is_refused_with_the_way_to_go(tmp_path: Path, station: Station, empty: Settings) -> None:
    on_server = replace(station.settings, database_url="postgresql://nobody@127.0.0.1/none")
    with pytest.raises(Refused, match="pg_dump"):
        backup(replace(station, settings=on_server), tmp_path / "patrol.tar")
    with pytest.raises(Refused, match="SQLite"):
        restore(replace(empty, database_url="postgresql://nobody@127.0.0.1/none"), tmp_path / "patrol.tar")
