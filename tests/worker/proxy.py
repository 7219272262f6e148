"""A TCP line to a broker that a test can cut and join again."""

from __future__ import annotations

import contextlib
import socket
import threading


class Line:
    """Forwards a loopback port to `host:port` until cut; joined again, it listens on the same port."""

    def __init__(self, host: str, port: int) -> None:
        self._far = (host, port)
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._listener: socket.socket | None = None
        self._stalled = threading.Event()
        self.passed_bytes = 0
        self.port = 0
        self.join()

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *error: object) -> None:
        self.cut()

    def join(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self.port))
        self.port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def cut(self) -> None:
        """Close every connection; new ones are refused."""
        with self._lock:
            listener, self._listener = self._listener, None
            sockets, self._sockets = self._sockets, []
        if listener is not None:
            _shut(listener)
        for one in sockets:
            _shut(one)

    def stall(self) -> None:
        """Connections stay and new ones are made, but nothing comes through any more."""
        self._stalled.set()

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                near, _ = listener.accept()
                far = socket.create_connection(self._far, 5)
            except OSError:
                return
            with self._lock:
                if self._listener is not listener:
                    _shut(near), _shut(far)
                    return
                self._sockets += [near, far]
            for one, other in ((near, far), (far, near)):
                threading.Thread(target=self._pump, args=(one, other), daemon=True).start()

    def _pump(self, one: socket.socket, other: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := one.recv(65536):
                if self._stalled.is_set():
                    continue
                other.sendall(data)
                self.passed_bytes += len(data)
        _shut(one)
        _shut(other)


def _shut(one: socket.socket) -> None:
    with contextlib.suppress(OSError):
        one.shutdown(socket.SHUT_RDWR)
    one.close()
