"""A bad line: connections cut at a random byte, and answers of a house that has too much to do."""

from __future__ import annotations

import contextlib
import random
import socket
import threading

from tests.worker.proxy import Line, _shut

ANSWERS = (413, 429, 500, 503)


class Storm(Line):
    """A line that, while `stormy`, refuses or cuts about every second connection, by a seed."""

    def __init__(self, host: str, port: int, seed: int) -> None:
        self._rng = random.Random(seed)
        self.stormy = False
        self.refused = self.cut_off = 0
        super().__init__(host, port)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
            except OSError:
                return
            fate = self._rng.random() if self.stormy else 1.0
            if fate < 0.2:
                self.refused += 1
                threading.Thread(target=_refuse, args=(near, self._rng.choice(ANSWERS)), daemon=True).start()
                continue
            try:
                far = socket.create_connection(self._far, 5)
                far.settimeout(None)  # a busy house may be slow to answer
            except OSError:
                _shut(near)
                continue
            with self._lock:
                self._sockets += [near, far]
            limit = self._rng.randrange(1, 40_000) if fate < 0.45 else None
            self.cut_off += limit is not None
            for one, other, most in ((near, far, limit), (far, near, None)):
                threading.Thread(target=self._carry, args=(one, other, most), daemon=True).start()

    def _carry(self, one: socket.socket, other: socket.socket, most: int | None) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                if most is not None and len(data) >= most:
                    other.sendall(data[:most])
                    break
                other.sendall(data)
                most = None if most is None else most - len(data)
        _shut(one)
        _shut(other)


def _refuse(near: socket.socket, status: int) -> None:
    """An answer of something on the way, with nothing of ours in it; the body is read so that it is heard."""
    with contextlib.suppress(OSError):
        near.settimeout(2)
        near.recv(65536)
        near.sendall(
            f"HTTP/1.1 {status} -\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
        )
        near.shutdown(socket.SHUT_WR)
        while near.recv(65536):
            pass
    near.close()
