"""The photo store: named by content, written once, sound after any death of the writer."""

import hashlib
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from patrol.errors import Misconfigured, Missing, NoRoom, OutOfReach
from patrol.gateways.photostore import FolderStore, open_store

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def store(tmp_path: Path) -> FolderStore:
    return FolderStore(tmp_path / "photos")


def _run(script: str, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


def test_an_object_is_named_by_its_content_and_comes_back(store: FolderStore) -> None:
    name = store.put(b"photo")
    assert name == hashlib.sha256(b"photo").hexdigest()
    assert store.has(name)
    assert store.get(name) == b"photo"
    assert store.open_path(name).read_bytes() == b"photo"


def test_the_same_bytes_twice_are_one_object_left_as_it_was(store: FolderStore) -> None:
    name = store.put(b"photo")
    before = store.open_path(name).stat()
    assert store.put(b"photo") == name
    after = store.open_path(name).stat()
    assert (before.st_ino, before.st_mtime_ns) == (after.st_ino, after.st_mtime_ns)
    assert list(store.digests()) == [name]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no file modes")
def test_an_object_is_read_only(store: FolderStore) -> None:
    assert store.open_path(store.put(b"photo")).stat().st_mode & 0o777 == 0o440


def test_a_damaged_object_is_not_served_and_a_new_put_heals_it(store: FolderStore) -> None:
    name = store.put(b"photo")
    path = store.open_path(name)
    path.chmod(0o600)
    path.write_bytes(b"phot0")
    with pytest.raises(Missing) as caught:
        store.get(name)
    assert caught.value.code == "photo_damaged"
    store.put(b"photo")
    assert store.get(name) == b"photo"


@pytest.mark.parametrize("name", ["", "..", "../../etc/passwd", "a" * 63, "A" * 64, "a" * 64 + "\n", "g" * 64])
def test_what_is_no_digest_is_missing_and_never_a_path(store: FolderStore, name: str) -> None:
    assert not store.has(name)
    for ask in (store.get, store.open_path):
        with pytest.raises(Missing):
            ask(name)


def test_an_absent_object_is_missing(store: FolderStore) -> None:
    with pytest.raises(Missing) as caught:
        store.get("0" * 64)
    assert caught.value.code == "photo_missing"


def test_digests_names_every_object_and_no_stranger(store: FolderStore, tmp_path: Path) -> None:
    names = {store.put(str(number).encode()) for number in range(40)}
    folder = tmp_path / "photos"
    (folder / "README").write_text("x")
    (folder / "ab").mkdir(exist_ok=True)
    (folder / "ab" / "notes.txt").write_text("x")
    (folder / "ab" / ("cd" + "0" * 62)).write_text("in the wrong shard")
    assert set(store.digests()) == names
    assert len(list(store.digests())) == 40


def test_a_probe_leaves_nothing_and_says_when_a_write_fails(store: FolderStore, tmp_path: Path) -> None:
    before = sorted((tmp_path / "photos").rglob("*"))
    store.probe()
    assert sorted((tmp_path / "photos").rglob("*")) == before
    (tmp_path / "photos" / ".incoming").rmdir()
    with pytest.raises(OutOfReach):
        store.probe()


def test_free_bytes_is_what_the_disk_has(store: FolderStore, tmp_path: Path) -> None:
    free = store.free_bytes()
    assert free is not None and free > 0


def test_a_store_opens_from_its_url_even_with_spaces_and_chinese(tmp_path: Path) -> None:
    folder = tmp_path / "照片 库"
    name = open_store(folder.as_uri()).put(b"photo")
    assert FolderStore(folder).has(name)


@pytest.mark.parametrize("url", ["", "/srv/photos", "s3://bucket/x", "file://host/x", "file:photos", "file:///"])
def test_an_url_that_cannot_work_is_refused_at_start(url: str) -> None:
    with pytest.raises(Misconfigured):
        open_store(url)


def test_a_folder_that_cannot_be_made_is_refused_at_start(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(Misconfigured):
        open_store((tmp_path / "file" / "photos").as_uri())


def test_leftovers_of_a_killed_writer_go_after_a_day_and_not_before(tmp_path: Path) -> None:
    incoming = tmp_path / ".incoming"
    incoming.mkdir()
    (incoming / "old").write_text("x")
    (incoming / "young").write_text("x")
    os.utime(incoming / "old", (1_000_000_000, 1_000_000_000))
    FolderStore(tmp_path)
    assert [path.name for path in incoming.iterdir()] == ["young"]


def test_many_threads_putting_the_same_bytes_make_one_sound_object(store: FolderStore) -> None:
    data = os.urandom(300_000)
    start = threading.Barrier(8)
    names: list[str] = []

    def put() -> None:
        start.wait()
        names.append(store.put(data))

    threads = [threading.Thread(target=put) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(names) == 8
    assert list(store.digests()) == [names[0]]
    assert store.get(names[0]) == data


_FULL = """
import resource, sys
from pathlib import Path
from patrol.errors import NoRoom
from patrol.gateways.photostore import FolderStore
store = FolderStore(Path(sys.argv[1]))
small = store.put(b"small")
resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
try:
    store.put(bytes(100_000))
except NoRoom:
    print("no room")
assert store.get(small) == b"small"
assert list(store.digests()) == [small]
assert not list((Path(sys.argv[1]) / ".incoming").iterdir())
print("clean")
"""


@pytest.mark.skipif(os.name == "nt", reason="needs a file size limit of the system")
def test_no_room_is_said_and_leaves_no_half_object(tmp_path: Path) -> None:
    with _run(_FULL, str(tmp_path / "photos")) as process:
        out, _ = process.communicate(timeout=60)
    assert out.split("\n")[:2] == ["no room", "clean"]
    assert NoRoom.code == "no_room"


_WRITER = """
import os, sys
from pathlib import Path
from patrol.gateways.photostore import FolderStore
store = FolderStore(Path(sys.argv[1]))
while True:
    print(store.put(os.urandom(200_000)), flush=True)
"""


def test_what_was_named_before_a_kill_is_there_and_nothing_is_torn(tmp_path: Path) -> None:
    with _run(_WRITER, str(tmp_path / "photos")) as process:
        assert process.stdout is not None
        told = [process.stdout.readline().strip() for _ in range(10)]
        process.kill()
        told += [line.strip() for line in process.stdout if len(line) == 65]
    store = FolderStore(tmp_path / "photos")
    assert set(told) <= set(store.digests())
    for name in store.digests():
        store.get(name)


@given(st.binary(max_size=2000))
def test_whatever_goes_in_comes_out(tmp_path_factory: pytest.TempPathFactory, data: bytes) -> None:
    store = FolderStore(tmp_path_factory.getbasetemp() / "any")
    assert store.get(store.put(data)) == data
