"""The decoding child is meant to be lost: killed, hung, outgrown, orphaned, forked, shared."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path

import pytest
from PIL import Image

from patrol.errors import BadInput, OutOfReach
from patrol.gateways import decoding, pictures
from patrol.gateways.decoder import ADDRESS_SPACE_BYTES, CPU_LIMIT_S, DATA_BYTES
from patrol.gateways.decoding import POOL, WALL_LIMIT_S, Lost, Pool

ROOT = Path(__file__).resolve().parents[2]
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc and kernel limits")
posix = pytest.mark.skipif(os.name == "nt", reason="needs signals")
ASK = {"do": "examine", "format": "PNG", "max_pixels": 50_000_000}


def png(width: int = 64, height: int = 48, mode: str = "RGB") -> bytes:
    out = BytesIO()
    picture = Image.linear_gradient("L").rotate(30).resize((width, height)).convert(mode)
    picture.save(out, "PNG", compress_level=1)
    return out.getvalue()


def until(happened: Callable[[], bool], limit_s: float = 20.0) -> bool:
    """Wait for something another process or thread does."""
    ends_at, pause = time.monotonic() + limit_s, threading.Event()
    while not happened():
        if time.monotonic() > ends_at:
            return False
        pause.wait(0.01)
    return True


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except OSError:
        return True


@pytest.fixture
def pool() -> Iterator[Pool]:
    pool = Pool(1)
    yield pool
    pool.close()


def only(pool: Pool) -> int:
    (pid,) = pool.children()
    return pid


def test_a_child_starts_when_needed_and_stays_warm(pool: Pool) -> None:
    assert pool.children() == []
    pool.ask(ASK, png())
    first = only(pool)
    pool.ask(ASK, png())
    assert only(pool) == first


@posix
def test_a_child_killed_between_two_photos_is_replaced_unnoticed(pool: Pool) -> None:
    pool.ask(ASK, png())
    first = only(pool)
    os.kill(first, signal.SIGKILL)
    answer, _ = pool.ask(ASK, png())
    assert answer["ok"]["width"] == 64
    assert only(pool) != first


@posix
def test_a_child_killed_mid_work_costs_nobody_a_photo() -> None:
    pictures.examine(png())
    pids = POOL.children()
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)  # so that the photo is on its way when the blow falls
    sizes: list[tuple[int, int]] = []

    def work() -> None:
        picture = pictures.examine(png(3000, 2000))
        sizes.append((picture.width, picture.height))

    thread = threading.Thread(target=work)
    thread.start()
    assert until(lambda: len(POOL.children()) == len(pids) - 1)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
    thread.join(20)
    assert sizes == [(3000, 2000)]
    assert pictures.examine(png()).width == 64
    # the one that held the photo is gone; another that died idle is found dead when its turn comes
    assert set(pids) - set(POOL.children())


def test_a_photo_that_loses_its_child_each_time_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    pictures.examine(png())
    monkeypatch.setattr(decoding, "_MOST_ANSWER_BYTES", 10)  # no child's word is short enough
    with pytest.raises(OutOfReach):  # none can even start: not the photo's fault
        pictures.examine(png())
    monkeypatch.setattr(decoding, "_MOST_ANSWER_BYTES", 60)  # it starts, and then talks too much
    with pytest.raises(BadInput) as caught:
        pictures.examine(png())
    assert caught.value.faults[0].code == "decoder_lost"
    monkeypatch.undo()
    assert pictures.examine(png()).width == 64


@posix
def test_a_hung_child_is_ended_on_time_and_replaced(pool: Pool) -> None:
    pool.ask(ASK, png())
    first = only(pool)
    os.kill(first, signal.SIGSTOP)
    started_at = time.monotonic()
    with pytest.raises(Lost) as caught:
        pool.ask(ASK, png(), wall_limit_s=0.3)
    assert caught.value.hung
    assert time.monotonic() - started_at < 3
    assert pool.children() == []
    assert pool.ask(ASK, png())[0]["ok"]["height"] == 48
    assert is_gone(first)


def _many_scans() -> bytes:
    """Make a small progressive JPEG whose thousands of scans each walk over 48 million pixels."""
    out = BytesIO()
    Image.new("L", (8000, 6000), 128).save(out, "JPEG", progressive=True)
    plain = out.getvalue()
    # One code of one bit: "the next 16384 + n blocks are empty", n in 14 bits.
    table = b"\xff\xc4\x00\x14\x10\x01" + bytes(15) + b"\xe0"
    bits = ("0" + "1" * 14) * 23
    raw = int(bits + "1" * (-len(bits) % 8), 2).to_bytes(-(-len(bits) // 8), "big")
    scan = b"\xff\xda\x00\x08\x01\x01\x00\x01\x01\x00" + raw.replace(b"\xff", b"\xff\x00")
    return plain[:-2] + table + scan * 20_000 + b"\xff\xd9"


def test_a_photo_that_never_gets_done_is_refused_in_time() -> None:
    data = _many_scans()
    assert len(data) < 2_000_000
    pictures.examine(png())
    started_at = time.monotonic()
    with pytest.raises(BadInput) as caught:
        pictures.examine(data)
    assert time.monotonic() - started_at < WALL_LIMIT_S + 2
    assert caught.value.faults[0].code == "too_heavy"
    assert pictures.examine(png()).width == 64


@linux
def test_the_kernel_holds_the_child_to_its_limits(pool: Pool) -> None:
    import resource

    pool.ask(ASK, png())
    pid = only(pool)
    assert resource.prlimit(pid, resource.RLIMIT_AS)[0] == ADDRESS_SPACE_BYTES
    assert resource.prlimit(pid, resource.RLIMIT_DATA)[0] == DATA_BYTES
    assert resource.prlimit(pid, resource.RLIMIT_FSIZE)[0] == resource.prlimit(pid, resource.RLIMIT_CORE)[0] == 0
    assert 0 < resource.prlimit(pid, resource.RLIMIT_CPU)[0] <= CPU_LIMIT_S + 60


@linux
@pytest.mark.parametrize("mode", ["1", "P", "RGBA"])
def test_the_largest_picture_allowed_stays_under_300_mb(pool: Pool, mode: str) -> None:
    data = png(7071, 7071, mode)
    for request in (ASK, {**ASK, "do": "rendition", "max_side_px": 2048}):
        answer, _ = pool.ask(request, data, wall_limit_s=60)  # other tests may hold the machine
        assert "ok" in answer
    assert peak_bytes(only(pool)) <= 300_000_000


@linux
def test_what_outgrows_the_limit_is_too_heavy_and_costs_one_answer(pool: Pool) -> None:
    # Allowed 100 million pixels here, a picture needs 400 MB: the kernel says no, the child says so.
    answer, _ = pool.ask({**ASK, "max_pixels": 10**9}, png(10_000, 10_000, "RGB"), wall_limit_s=60)
    assert answer["refused"] == "too_heavy"
    assert peak_bytes(only(pool)) <= 300_000_000
    assert "ok" in pool.ask(ASK, png())[0]


def peak_bytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))


def test_a_child_that_talks_nonsense_is_lost_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decoding, "_MOST_ANSWER_BYTES", 60)  # "ready" still fits, an answer no more
    pool = Pool(1)
    with pytest.raises(Lost) as caught:
        pool.ask(ASK, png())
    assert not caught.value.hung
    assert pool.children() == []


@linux
def test_the_child_gets_no_secret_from_the_environment(monkeypatch: pytest.MonkeyPatch, pool: Pool) -> None:
    monkeypatch.setenv("PATROL_SECRET", "hush")
    pool.ask(ASK, png())
    environment = Path(f"/proc/{only(pool)}/environ").read_bytes()
    assert b"PATROL" not in environment and b"hush" not in environment


def test_many_threads_share_two_children_and_get_their_own_answers() -> None:
    sizes = [(40 + at, 90 - at) for at in range(24)]
    seen: dict[int, tuple[int, int]] = {}

    def work(at: int) -> None:
        picture = pictures.examine(png(*sizes[at]))
        seen[at] = (picture.width, picture.height)

    threads = [threading.Thread(target=work, args=(at,)) for at in range(24)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert seen == dict(enumerate(sizes))
    assert 1 <= len(POOL.children()) <= decoding.CHILDREN


_START = """
import sys
from io import BytesIO
from PIL import Image
from patrol.gateways import pictures
from patrol.gateways.decoding import POOL
out = BytesIO()
Image.linear_gradient("L").save(out, "PNG")
pictures.examine(out.getvalue())
"""


def script(body: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", _START + body],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )


@linux
@pytest.mark.parametrize("how", ["kill", "end"])
def test_children_end_with_their_parent(how: str) -> None:
    with script("print(POOL.children()[0], flush=True)\nsys.stdin.read()\n") as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        assert not is_gone(child)
        if how == "kill":
            parent.kill()
        else:
            parent.communicate(timeout=20)
            assert parent.returncode == 0
    assert until(lambda: is_gone(child))


_FORK = """
import os
before = POOL.children()
pid = os.fork()
if pid == 0:
    fresh = POOL.children() == []
    pictures.examine(out.getvalue())
    os._exit(0 if fresh and POOL.children() != before else 1)
_, status = os.waitpid(pid, 0)
pictures.examine(out.getvalue())
print(status, POOL.children() == before, flush=True)
"""


@posix
def test_a_forked_process_gets_its_own_children_and_leaves_the_others_alone() -> None:
    with script(_FORK) as process:
        told, _ = process.communicate(timeout=60)
    assert told.split() == ["0", "True"]


def test_it_runs_from_any_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit('a stranger was imported')")
    monkeypatch.chdir(tmp_path)
    pool = Pool(1)
    assert "ok" in pool.ask(ASK, png())[0]
    pool.close()
