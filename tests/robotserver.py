"""A local server that answers like the vendors' group robots, well or badly.

    python -m tests.robotserver --port 0 --seed 7 --faults 0.5 --log accepted.jsonl

prints its port as the first line and appends every accepted message to the log, one fsynced JSON line
each, *before* it answers: what is in the log has reached the group, whatever the caller was told.
Inside a test: `with RobotServer() as server: server.next("rate")`.

Paths are the vendors' own: /cgi-bin/webhook/send?key=K (WeCom), /robot/send?access_token=K (DingTalk),
/open-apis/bot/v2/hook/K (Feishu). Which call is answered badly, and how, follows from the seed and the
call's place in the order of arrival alone.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import hmac
import json
import os
import random
import re
import signal
import socket
import ssl
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import IO, Any
from urllib.parse import parse_qs, urlsplit

#: The bad answers. All but reset_after leave the message undelivered.
FAULTS = (
    "rate",  # HTTP 200 with the vendor's "too often"
    "bad_key",  # HTTP 200 with the vendor's "no such robot"
    "busy",  # HTTP 200 with -1
    "500",
    "429",  # with Retry-After
    "reset",  # closed before reading a word
    "reset_after",  # accepted, then closed without an answer
    "html",  # a captive portal
    "silence",  # never answers
    "drip",  # the answer byte by byte
    "trickle",  # headers byte by byte, without end
    "empty",
    "flood",  # one gigabyte
    "redirect",
)
#: What a run of random faults draws from: a bad key would stop the channel for good.
PASSING_FAULTS = ("rate", "500", "429", "reset", "reset_after", "html", "silence")

_CODES = {
    "wecom": {"rate": 45009, "bad_key": 93000, "busy": -1, "long": 45002, "shape": 40008},
    "dingtalk": {"rate": 130101, "bad_key": 300001, "busy": -1, "long": 460101, "shape": 400105},
    "feishu": {"rate": 11232, "bad_key": 19001, "busy": -1, "long": 9499, "shape": 19002},
}
_SIGN_CODE = {"dingtalk": 310000, "feishu": 19021}
_MOST_BODY = 20_000  # DingTalk's and Feishu's limit for a whole request


@dataclass(frozen=True)
class Accepted:
    """A message that reached the group."""

    call: int
    brand: str
    key: str
    content: str
    body: dict[str, Any]
    at: float
    fault: str | None  # what the caller saw instead of a receipt


@dataclass
class RobotServer:
    """The vendors' robots on a loopback port, for the length of a `with`."""

    port: int = 0
    seed: int = 0
    faults: float = 0.0
    kinds: Sequence[str] = PASSING_FAULTS
    log: Path | None = None
    secrets: dict[str, str] = field(default_factory=dict)  # brand -> secret; a brand without one is unsigned
    per_minute: int | None = None
    retry_after: str = "1"
    drip_s: float = 1.0  # between the bytes of drip and trickle
    clock: Callable[[], float] = time.time
    tls: ssl.SSLContext | None = None
    accepted: list[Accepted] = field(default_factory=list)
    calls: int = 0
    flooded_bytes: int = 0  # how much of a flood a caller has let in

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._random = random.Random(self.seed)
        self._script: deque[str | tuple[int, dict[str, str], bytes] | None] = deque()
        self._recent: dict[str, deque[float]] = {}
        self._ending = threading.Event()
        self._file: IO[str] | None = None

    def __enter__(self) -> RobotServer:
        if self.log is not None:
            self._file = self.log.open("a", encoding="utf-8")
        server = self

        class Handler(_Handler):
            robots = server

        self._http = _Server(("127.0.0.1", self.port), Handler)
        if self.tls is not None:
            self._http.socket = self.tls.wrap_socket(self._http.socket, server_side=True)
        self.port = self._http.server_address[1]
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._ending.set()
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()
        if self._file is not None:
            self._file.close()

    @property
    def host(self) -> str:
        """As PATROL_ROBOT_HOSTS wants it."""
        return f"127.0.0.1:{self.port}"

    def url(self, brand: str, key: str = "key-0001") -> str:
        """The address of a robot of this brand."""
        path = {
            "wecom": f"/cgi-bin/webhook/send?key={key}",
            "dingtalk": f"/robot/send?access_token={key}",
            "feishu": f"/open-apis/bot/v2/hook/{key}",
        }[brand]
        return f"{'https' if self.tls else 'http'}://{self.host}{path}"

    def next(self, *answers: str | None) -> None:
        """Answer the next calls so, in order: a name from FAULTS, or None for a proper answer."""
        for answer in answers:
            if answer is not None and answer not in FAULTS:
                raise ValueError(f"no such fault: {answer}")
        self._script.extend(answers)

    def next_raw(self, status: int, body: bytes, **headers: str) -> None:
        """Answer the next call with exactly this, accepting nothing."""
        self._script.append((status, {name.replace("_", "-"): text for name, text in headers.items()}, body))

    def draw(self) -> tuple[int, str | tuple[int, dict[str, str], bytes] | None]:
        """The number of this call, and how it is to be answered."""
        with self._lock:
            self.calls += 1
            bad = self._random.random() < self.faults
            kind = self._random.choice(list(self.kinds))
            if self._script:
                return self.calls, self._script.popleft()
            return self.calls, kind if bad else None

    def too_often(self, key: str) -> bool:
        """Whether this key has had its messages of the last minute; counts the call if not."""
        if self.per_minute is None:
            return False
        with self._lock:
            recent = self._recent.setdefault(key, deque())
            now = self.clock()
            while recent and recent[0] <= now - 60:
                recent.popleft()
            if len(recent) >= self.per_minute:
                return True
            recent.append(now)
            return False

    def accept(self, call: int, brand: str, key: str, content: str, body: dict[str, Any], fault: str | None) -> None:
        """The group has it: on the list, and on the disk before anybody is answered."""
        with self._lock:
            said = Accepted(call, brand, key, content, body, self.clock(), fault)
            self.accepted.append(said)
            if self._file is not None:
                row = {"call": call, "brand": brand, "key": key, "content": content, "at": said.at}
                self._file.write(json.dumps(row | {"fault": fault}, ensure_ascii=False) + "\n")
                self._file.flush()
                os.fsync(self._file.fileno())

    def rest(self, seconds: float) -> bool:
        """Wait; True when the server is ending."""
        return self._ending.wait(seconds)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A caller that hangs up is no news here."""


class _Handler(BaseHTTPRequestHandler):
    robots: RobotServer
    protocol_version = "HTTP/1.1"

    def log_message(self, format: str, *args: object) -> None:
        """Silent: the log is the list of accepted messages."""

    def do_POST(self) -> None:
        self.close_connection = True
        call, answer = self.robots.draw()
        if answer == "reset":
            self._reset()
            return
        raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if isinstance(answer, tuple):
            self._say(*answer)
            return
        brand, key = _robot_at(self.path)
        if brand is None:
            self._say(404, {}, b"no such path")
            return
        if answer is None or answer == "reset_after":
            self._deliver(call, brand, key, raw, answer)
        else:
            getattr(self, f"_fault_{answer}")(brand)

    def _deliver(self, call: int, brand: str, key: str, raw: bytes, fault: str | None) -> None:
        code, words, content, body = self._judge(brand, key, raw)
        if code == 0:
            self.robots.accept(call, brand, key, content, body, fault)
        if fault == "reset_after":
            self._reset()
        else:
            self._vendor(brand, code, words)

    def _judge(self, brand: str, key: str, raw: bytes) -> tuple[int, str, str, dict[str, Any]]:
        codes = _CODES[brand]
        try:
            body = json.loads(raw.decode("utf-8"))
        except ValueError:
            return codes["shape"], "not json", "", {}
        secret = self.robots.secrets.get(brand)
        if secret and not self._signed(brand, secret, body):
            return _SIGN_CODE[brand], "sign not match", "", body
        form = body.get("msg_type" if brand == "feishu" else "msgtype")
        field_ = {"wecom": "content", "dingtalk": "content" if form == "text" else "text", "feishu": "text"}
        holder = body.get("content") if brand == "feishu" else body.get(form)
        content = holder.get(field_[brand]) if isinstance(holder, dict) else None
        if form not in ("text", "markdown") or not isinstance(content, str) or not content:
            return codes["shape"], "invalid message type", "", body
        size = len(content.encode()) if brand == "wecom" else len(raw)
        most = {"text": 2048, "markdown": 4096}[form] if brand == "wecom" else _MOST_BODY
        if size > most:
            return codes["long"], "content too long", "", body
        if self.robots.too_often(key):
            return codes["rate"], "api freq out of limit", "", body
        return 0, "ok", content, body

    def _signed(self, brand: str, secret: str, body: dict[str, Any]) -> bool:
        if brand == "dingtalk":
            query = parse_qs(urlsplit(self.path).query)
            timestamp, sign = query.get("timestamp", [""])[0], query.get("sign", [""])[0]
            key, said, unit_s = secret.encode(), f"{timestamp}\n{secret}".encode(), 0.001
        elif brand == "feishu":
            timestamp, sign = str(body.get("timestamp", "")), str(body.get("sign", ""))
            key, said, unit_s = f"{timestamp}\n{secret}".encode(), b"", 1.0
        else:
            return True
        wanted = base64.b64encode(hmac.new(key, said, hashlib.sha256).digest()).decode()
        fresh = timestamp.isdigit() and abs(self.robots.clock() - int(timestamp) * unit_s) < 3600
        return fresh and hmac.compare_digest(sign, wanted)

    def _vendor(self, brand: str, code: int, words: str) -> None:
        if brand == "feishu":
            said: dict[str, Any] = {"code": code, "msg": words, "data": {}}
            if code == 0:
                said |= {"StatusCode": 0, "StatusMessage": "success", "Extra": None}
        else:
            said = {"errcode": code, "errmsg": words}
        self._say(200, {"Content-Type": "application/json"}, json.dumps(said).encode())

    def _say(self, status: int, headers: dict[str, str], body: bytes) -> None:
        self.send_response(status)
        for name, text in headers.items():
            self.send_header(name, text)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def _reset(self) -> None:
        # Linger 0: close sends RST, as a dying middle box would.
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()

    def _fault_rate(self, brand: str) -> None:
        self._vendor(brand, _CODES[brand]["rate"], "api freq out of limit")

    def _fault_bad_key(self, brand: str) -> None:
        self._vendor(brand, _CODES[brand]["bad_key"], f"invalid webhook url {_robot_at(self.path)[1]}")

    def _fault_busy(self, brand: str) -> None:
        self._vendor(brand, -1, "system busy")

    def _fault_500(self, brand: str) -> None:
        self._say(500, {}, b"oops")

    def _fault_429(self, brand: str) -> None:
        self._say(429, {"Retry-After": self.robots.retry_after}, b"")

    def _fault_html(self, brand: str) -> None:
        self._say(200, {"Content-Type": "text/html"}, b"<html><title>login</title>errcode 0</html>")

    def _fault_empty(self, brand: str) -> None:
        self._say(200, {"Content-Type": "application/json"}, b"")

    def _fault_redirect(self, brand: str) -> None:
        self._say(301, {"Location": self.robots.url(brand, "elsewhere")}, b"")

    def _fault_silence(self, brand: str) -> None:
        self.connection.settimeout(0.2)
        while not self.robots.rest(0):
            try:
                if not self.connection.recv(1):
                    return
            except TimeoutError:
                continue

    def _fault_drip(self, brand: str) -> None:
        said = json.dumps({"errcode": 0, "code": 0, "errmsg": "ok" * 30}).encode()
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(said))
        for byte in said:
            self.wfile.write(bytes([byte]))
            if self.robots.rest(self.robots.drip_s):
                return

    def _fault_trickle(self, brand: str) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nX-Slow: ")
        while not self.robots.rest(self.robots.drip_s):
            self.wfile.write(b"o")

    def _fault_flood(self, brand: str) -> None:
        size = 1 << 30
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        self.wfile.write(b'{"errcode": 0, "code": 0, "errmsg": "')
        block = b"o" * 65536
        for _ in range(size // len(block)):
            self.wfile.write(block)
            self.robots.flooded_bytes += len(block)


def _robot_at(target: str) -> tuple[str | None, str]:
    parts = urlsplit(target)
    query = parse_qs(parts.query)
    if parts.path == "/cgi-bin/webhook/send":
        return "wecom", query.get("key", [""])[0]
    if parts.path == "/robot/send":
        return "dingtalk", query.get("access_token", [""])[0]
    hook = re.fullmatch(r"/open-apis/bot/v2/hook/([^/]+)", parts.path)
    return ("feishu", hook[1]) if hook else (None, "")


def main(arguments: Sequence[str] | None = None) -> None:
    """Serve until the process is ended."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--faults", type=float, default=0.0, help="share of calls answered badly, 0 to 1")
    parser.add_argument("--kinds", default=",".join(PASSING_FAULTS), help=f"of {', '.join(FAULTS)}")
    parser.add_argument("--log", type=Path)
    parser.add_argument("--per-minute", type=int, help="most messages a minute for each key")
    parser.add_argument("--retry-after", default="1")
    parser.add_argument("--secret", action="append", default=[], metavar="BRAND=SECRET")
    asked = parser.parse_args(arguments)
    kinds = [kind for kind in asked.kinds.split(",") if kind]
    unknown = sorted(set(kinds) - set(FAULTS))
    if unknown:
        parser.error(f"no such fault: {', '.join(unknown)}")
    done = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: done.set())
    with RobotServer(
        port=asked.port,
        seed=asked.seed,
        faults=asked.faults,
        kinds=kinds,
        log=asked.log,
        secrets=dict(pair.split("=", 1) for pair in asked.secret),
        per_minute=asked.per_minute,
        retry_after=asked.retry_after,
    ) as server:
        print(server.port, flush=True)
        done.wait()
    sys.exit(0)


if __name__ == "__main__":
    main()
