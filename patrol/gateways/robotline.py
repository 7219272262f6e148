"""One bounded POST to a group robot's address.

It goes to an address that was checked and to no other, follows nothing, believes no certificate that does
not verify, reads at most 64 kB and ends within its time limit whatever the other side does. It must not
judge the answer (`patrol.gateways.robots` does) and must never put an address into a log or an error:
the robot's key is part of it.
"""

from __future__ import annotations

import logging
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.exceptions import HTTPError

from patrol.errors import OutOfReach

MOST_BYTES = 64 * 1024
_CONNECT_S = 5.0

_SENTENCES = {
    "slow": "机器人在时限内没有答完，不算送达",
    "tls": "机器人的证书不能通过验证，没有发送",
    "forbidden_address": "机器人的域名指向了不允许的地址，没有发送；请查域名解析",
    "unknown_host": "查不到机器人的域名；请查网络和域名解析",
    "unreachable": "机器人没有接通，或没答完就断了",
    "too_long": "机器人的回答过长，不算送达",
}


@dataclass(frozen=True)
class Answer:
    """What came back, unjudged."""

    status: int
    retry_after: str | None
    body: bytes = field(repr=False)


class _Hide(logging.Filter):
    """Takes request targets out of urllib3's lines: a robot's key stands in them."""

    _target = re.compile(r"(?<=[\s\"'])/[^\s\"']+")

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = self._target.sub("/…", record.getMessage())
        record.args = ()
        return True


for _name in ("urllib3.connectionpool", "urllib3.util.retry", "urllib3.connection"):
    logging.getLogger(_name).addFilter(_Hide())


class _Line:
    """The connections of one call, and the moment at which they are cut."""

    def __init__(self, limit_s: float, near: bool) -> None:
        self.near = near
        self.reason: str | None = None
        self._ends = time.monotonic() + limit_s
        self._lock = threading.Lock()
        self._taps: list[socket.socket] = []
        self._timer = threading.Timer(limit_s, self._cut)
        self._timer.daemon = True
        self._timer.start()

    def left_s(self) -> float:
        return max(0.05, self._ends - time.monotonic())

    def connect(self, host: str, port: int) -> socket.socket:
        """A socket to `host`, resolved once; every address of it must be of the kind that is allowed."""
        try:
            found = socket.getaddrinfo(host.strip("[]"), port, type=socket.SOCK_STREAM)
        except OSError:
            self.reason = self.reason or "unknown_host"
            raise
        if not found or not all(self._may(str(row[4][0])) for row in found):
            self.reason = self.reason or "forbidden_address"
            raise OSError("address not allowed")
        fault: OSError = OSError("no address")
        for family, kind, protocol, _, address in found:
            wire = socket.socket(family, kind, protocol)
            try:
                wire.settimeout(min(_CONNECT_S, self.left_s()))
                wire.connect(address)
                self._tap(wire)
            except OSError as error:
                wire.close()
                fault = error
            else:
                return wire
        raise fault

    def _may(self, text: str) -> bool:
        address = ip_address(text.partition("%")[0])
        return address.is_loopback if self.near else address.is_global and not address.is_multicast

    def _tap(self, wire: socket.socket) -> None:
        # A duplicate handle: it still reaches the connection after TLS has taken over the original.
        with self._lock:
            if self.reason == "slow":
                raise TimeoutError("out of time")
            self._taps.append(wire.dup())

    def _cut(self) -> None:
        with self._lock:
            self.reason = "slow"
            for tap in self._taps:
                with suppress(OSError):
                    tap.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        self._timer.cancel()
        with self._lock:
            for tap in self._taps:
                tap.close()
            self._taps.clear()


class _Adapter(HTTPAdapter):
    """requests' adapter, opening its connections through one line."""

    def __init__(self, line: _Line) -> None:
        self._line = line
        super().__init__(max_retries=0)

    def init_poolmanager(self, *args: Any, **kwargs: Any) -> None:
        super().init_poolmanager(*args, **kwargs)
        line = self._line

        class Plain(HTTPConnection):
            def _new_conn(self) -> socket.socket:
                return line.connect(self.host, self.port or 80)

        class Secure(HTTPSConnection):
            def _new_conn(self) -> socket.socket:
                return line.connect(self.host, self.port or 443)

        class PlainPool(HTTPConnectionPool):
            ConnectionCls = Plain

        class SecurePool(HTTPSConnectionPool):
            ConnectionCls = Secure

        self.poolmanager.pool_classes_by_scheme = {"http": PlainPool, "https": SecurePool}


@contextmanager
def _open_line(limit_s: float, near: bool) -> Iterator[_Line]:
    line = _Line(limit_s, near)
    try:
        yield line
    finally:
        line.close()


def post(url: str, body: bytes, *, limit_s: float, near: bool) -> Answer:
    """POST `body` as JSON to `url` and return the answer; OutOfReach when none came whole and in time.

    `near`: the address must be this machine; otherwise it must be a public one.
    """
    with _open_line(limit_s, near) as line:
        answer, reason = _call(line, url, body)
        reason = line.reason or reason
    if answer is None or reason is not None:
        # Raised here, outside the except block: the error below would carry the address along.
        code = reason or "unreachable"
        raise OutOfReach(_SENTENCES[code], code, wait_s=None, stop=False)
    return answer


def _call(line: _Line, url: str, body: bytes) -> tuple[Answer | None, str | None]:
    headers = {
        "Content-Type": "application/json; charset=utf-8",
        "Accept-Encoding": "identity",
        "Connection": "close",
        "User-Agent": "patrol",
    }
    # Not a Session: it would read the environment, and read a redirect's whole body.
    request = requests.Request("POST", url, data=body, headers=headers).prepare()
    adapter = _Adapter(line)
    try:
        response = adapter.send(
            request, stream=True, timeout=(_CONNECT_S, line.left_s()), verify=True, cert=None, proxies={}
        )
        try:
            raw: bytes = response.raw.read(MOST_BYTES + 1, decode_content=False)
            if len(raw) > MOST_BYTES:
                return None, "too_long"
            return Answer(response.status_code, response.headers.get("Retry-After"), raw), None
        finally:
            response.close()
    except requests.exceptions.SSLError:
        return None, "tls"
    except (requests.exceptions.Timeout, TimeoutError):
        return None, "slow"
    except (requests.exceptions.RequestException, HTTPError, OSError):
        return None, "unreachable"
    finally:
        adapter.close()
