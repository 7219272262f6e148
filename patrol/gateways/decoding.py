"""The parent's side of photo decoding: a few warm child processes, each lost without harm.

Starts them when first needed, hands one file at a time to each, kills and replaces one that dies, hangs or
talks nonsense. It turns every such loss into a refusal and never decodes a byte of a photo itself.
"""

from __future__ import annotations

import atexit
import json
import os
import signal
import struct
import subprocess
import sys
import threading
import time
from contextlib import suppress
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from patrol.errors import OutOfReach, TooMuch

HEAD = struct.Struct(">II")  # size of the JSON, size of the bytes after it
WALL_LIMIT_S = 5.0
CHILDREN = 2
_QUEUE_LIMIT_S = 30.0
_JOBS_PER_CHILD = 500  # whatever a decoder leaks ends with its process
_START_LIMIT_S = 20.0
_OUT_OF_CPU = getattr(signal, "SIGXCPU", None)
_MOST_ANSWER_BYTES = 64 * 1024
_MOST_BODY_BYTES = 64 * 1024 * 1024


class Lost(Exception):
    """The child did not answer: it hung or used up its CPU time, or it died or talked nonsense."""

    def __init__(self, hung: bool) -> None:
        super().__init__("hung" if hung else "died")
        self.hung = hung


class Child:
    """One decoder process and its pipes; used by one thread at a time."""

    def __init__(self) -> None:
        root = Path(__file__).resolve().parent.parent.parent
        # A decoder gets no secrets: only what Python itself needs from the environment.
        kept = {name: os.environ[name] for name in ("PATH", "SYSTEMROOT", "LD_LIBRARY_PATH") if name in os.environ}
        self.process = subprocess.Popen(
            [sys.executable, "-B", "-m", "patrol.gateways.decoder"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            bufsize=0,
            cwd=gettempdir(),
            env={
                **kept,
                "PYTHONPATH": str(root),
                "PYTHONSAFEPATH": "1",
                "MALLOC_ARENA_MAX": "1",
                "OPENBLAS_NUM_THREADS": "1",
            },
        )
        self.jobs = 0
        watch = _Watch(self.process, _START_LIMIT_S)
        try:
            self._read_answer()
        except (OSError, ValueError, EOFError):
            watch.stop()
            self.end()
            raise OutOfReach("照片处理程序启动不了，照片没有收下，请稍后再发。", code="decoder") from None
        watch.stop()

    @property
    def alive(self) -> bool:
        return self.process.poll() is None

    def ask(self, request: dict[str, Any], data: bytes, wall_limit_s: float) -> tuple[dict[str, Any], bytes]:
        """Send one file and wait for the answer, at most `wall_limit_s`; a child that fails is ended."""
        self.jobs += 1
        watch = _Watch(self.process, wall_limit_s)
        try:
            head = json.dumps(request).encode()
            self._write(HEAD.pack(len(head), len(data)) + head)
            self._write(data)
            answer = self._read_answer()
        except (OSError, ValueError, EOFError):
            hung = watch.stop()
            self.end()
            spent = _OUT_OF_CPU is not None and self.process.returncode == -_OUT_OF_CPU
            raise Lost(hung or spent) from None
        if watch.stop():  # answered and was killed in the same instant
            self.end()
        return answer

    def end(self) -> None:
        """End the process and give back its pipes."""
        self.process.kill()
        self.process.wait()
        self.forget()

    def forget(self) -> None:
        """Close the pipes only; the process ends by itself when nobody holds its stdin."""
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()

    def _read_answer(self) -> tuple[dict[str, Any], bytes]:
        answer_size, body_size = HEAD.unpack(self._read(HEAD.size))
        if answer_size > _MOST_ANSWER_BYTES or body_size > _MOST_BODY_BYTES:
            raise ValueError("answer too large")
        answer = json.loads(self._read(answer_size))
        if not isinstance(answer, dict):
            raise ValueError("answer is not an object")
        return answer, self._read(body_size)

    def _write(self, data: bytes) -> None:
        assert self.process.stdin is not None
        view = memoryview(data)
        while view:
            view = view[self.process.stdin.write(view) :]

    def _read(self, size: int) -> bytes:
        assert self.process.stdout is not None
        parts = bytearray()
        while len(parts) < size:
            part = self.process.stdout.read(size - len(parts))
            if not part:
                raise EOFError
            parts += part
        return bytes(parts)


class _Watch:
    """Kills a process when its time is up; pipes cannot be read with a time limit on every system."""

    def __init__(self, process: subprocess.Popen[bytes], limit_s: float) -> None:
        self._process = process
        self._lock = threading.Lock()
        self._open = True
        self._fired = False
        self._timer = threading.Timer(limit_s, self._fire)
        self._timer.daemon = True
        self._timer.start()

    def _fire(self) -> None:
        with self._lock:
            if self._open:
                self._fired = True
                self._process.kill()

    def stop(self) -> bool:
        """Stop watching; say whether the process was killed."""
        with self._lock:
            self._open = False
        self._timer.cancel()
        return self._fired


class Pool:
    """At most `CHILDREN` decoders, shared by all threads of this process."""

    def __init__(self, size: int = CHILDREN) -> None:
        self._size = size
        self._room = threading.Semaphore(size)
        self._lock = threading.Lock()
        self._idle: list[Child] = []

    def ask(
        self, request: dict[str, Any], data: bytes, *, wall_limit_s: float = WALL_LIMIT_S
    ) -> tuple[dict[str, Any], bytes]:
        """Have one file decoded. `Lost` when it broke its decoder; `TooMuch` when all stay busy."""
        if not self._room.acquire(timeout=_QUEUE_LIMIT_S):
            raise TooMuch("现在处理照片的人太多，请过一分钟再发。", code="busy", retry_after_s=60)
        try:
            started_at = time.monotonic()
            child = self._take()
            warm = child.jobs > 0
            try:
                return self._use(child, request, data, wall_limit_s)
            except Lost as lost:
                left_s = wall_limit_s - (time.monotonic() - started_at)
                if lost.hung or not warm or left_s <= 0:
                    raise
                # It may have died of something else while it waited; a fresh one tells file from accident.
                return self._use(Child(), request, data, left_s)
        finally:
            self._room.release()

    def _use(
        self, child: Child, request: dict[str, Any], data: bytes, wall_limit_s: float
    ) -> tuple[dict[str, Any], bytes]:
        try:
            return child.ask(request, data, wall_limit_s)
        finally:
            self._give_back(child)

    def children(self) -> list[int]:
        """Name the processes that wait for work, for `patrol doctor` and the tests."""
        with self._lock:
            return [child.process.pid for child in self._idle]

    def close(self) -> None:
        """End the waiting decoders."""
        with self._lock:
            idle, self._idle = self._idle, []
        for child in idle:
            child.end()

    def _take(self) -> Child:
        while True:
            with self._lock:
                child = self._idle.pop() if self._idle else None
            if child is None:
                return Child()
            if child.alive:
                return child
            child.end()

    def _give_back(self, child: Child) -> None:
        if child.alive and child.jobs < _JOBS_PER_CHILD:
            with self._lock:
                self._idle.append(child)
        else:
            child.end()

    def _after_fork(self) -> None:
        """In a forked process: let go of the parent's decoders without ending them, and start afresh."""
        idle = self._idle
        self.__init__(self._size)  # type: ignore[misc]
        for child in idle:
            child.forget()


POOL = Pool()
atexit.register(POOL.close)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=POOL._after_fork)
