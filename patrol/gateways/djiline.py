"""The line to an MQTT 5 broker: what arrives is handed over one by one, and acknowledged when it was dealt with.

Quality of service 1 in a session that outlives us: what is published while we are down waits at the broker. A message
is acknowledged only after its handler came back and its answer was given to the line, so a killed listener gets it
again. Knows nothing of what messages mean. Credentials are never logged.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from urllib.parse import unquote, urlsplit

import structlog
from paho.mqtt.client import Client, ConnectFlags, DisconnectFlags, MQTTMessage
from paho.mqtt.enums import CallbackAPIVersion, MQTTProtocolVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode

from patrol.errors import Misconfigured, OutOfReach
from patrol.gateways.djicloud import Answer

SESSION_S = 7 * 24 * 3600  # how long the broker keeps our messages while we are away
IN_HAND = 50  # messages the broker may have under way to us
LARGEST_BYTES = 4 * 1024 * 1024  # what is larger the broker itself drops; above 256 kB we refuse with an answer
MOST_POSITIONS = 1000  # waiting; more are dropped, a newer one comes
SOONEST_S, LATEST_S = 1, 60
TAKEN_OVER = 142
PORTS = {"mqtt": 1883, "mqtts": 8883}
log = structlog.get_logger("patrol.dji")


@dataclass(frozen=True)
class Address:
    """Where the broker is and how we sign in there."""

    host: str
    port: int
    tls: bool
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)

    def __str__(self) -> str:
        return f"{'mqtts' if self.tls else 'mqtt'}://{self.host}:{self.port}"


def address(url: str) -> Address:
    """The broker of a setting. Raises Misconfigured without repeating what may hold a password.

    >>> str(address("mqtts://u:p%40ss@broker.example"))
    'mqtts://broker.example:8883'
    """
    wrong = Misconfigured("PATROL_DJI_BROKER 要写成 mqtt://用户:密码@主机:1883 或 mqtts://…:8883。", "dji_broker")
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError:
        raise wrong from None
    if parts.scheme not in PORTS or not parts.hostname or parts.path.strip("/") or parts.query or parts.fragment:
        raise wrong
    return Address(parts.hostname, port or PORTS[parts.scheme], parts.scheme == "mqtts", unquote(parts.username or ""),
                   unquote(parts.password or ""))  # fmt: skip


class Line:
    """One connection that comes back by itself. `run` works until it is told to stop."""

    def __init__(self, to: Address, name: str, topics: Sequence[tuple[str, int]]) -> None:
        self._to, self._topics = to, list(topics)
        self._waiting: queue.SimpleQueue[tuple[int, MQTTMessage]] = queue.SimpleQueue()
        self._era = 0  # of connections: an acknowledgement belongs to the one its message came by
        self._lock = threading.Lock()
        self._ended: OutOfReach | None = None
        self._stop = threading.Event()
        client = Client(
            CallbackAPIVersion.VERSION2, client_id=name, protocol=MQTTProtocolVersion.MQTTv5, manual_ack=True
        )
        if to.user:
            client.username_pw_set(to.user, to.password or None)
        if to.tls:
            client.tls_set()
        client.reconnect_delay_set(SOONEST_S, LATEST_S)
        client.max_queued_messages_set(IN_HAND * 20)
        client.on_connect, client.on_disconnect, client.on_message = self._connected, self._disconnected, self._arrived
        client.on_subscribe = self._subscribed
        client.on_connect_fail = lambda *_: log.warning("unreachable", broker=str(to), why="接不通，会再试。")
        self._client = client

    def run(
        self,
        handle: Callable[[str, bytes], Answer | None],
        stop: threading.Event,
        idle: Callable[[], None] = lambda: None,
        *,
        idle_every_s: float = 2.0,
    ) -> None:
        """Hand over what comes, `idle` in between. `handle` may raise OutOfReach: it is given the message again later.

        Raises OutOfReach when another listener has taken this session over, where the broker says so.
        """
        self._stop = stop
        properties = Properties(PacketTypes.CONNECT)  # type: ignore[no-untyped-call]  # paho leaves it untyped
        properties.SessionExpiryInterval = SESSION_S
        properties.ReceiveMaximum = IN_HAND
        properties.MaximumPacketSize = LARGEST_BYTES
        self._client.connect_async(self._to.host, self._to.port, keepalive=30, clean_start=False, properties=properties)
        self._client.loop_start()
        idled_s = time.monotonic()
        try:
            while not stop.is_set() and self._ended is None:
                try:
                    era, message = self._waiting.get(timeout=0.2)
                except queue.Empty:
                    pass
                else:
                    self._deal(era, message, handle)
                if time.monotonic() - idled_s >= idle_every_s:
                    idle()
                    idled_s = time.monotonic()
        finally:
            self._client.disconnect()
            self._client.loop_stop()
        if self._ended is not None:
            raise self._ended

    def _deal(self, era: int, message: MQTTMessage, handle: Callable[[str, bytes], Answer | None]) -> None:
        pause_s = float(SOONEST_S)
        while era == self._era:  # of an earlier connection: the broker sends it again
            try:
                answer = handle(message.topic, bytes(message.payload))
            except OutOfReach as away:
                if message.qos == 0:
                    return
                log.warning("waiting", why=away.sentence, again_in_s=pause_s)
                if self._stop.wait(pause_s):
                    return  # not acknowledged: it waits at the broker
                pause_s = min(2 * pause_s, LATEST_S)
                continue
            if answer is not None:
                self._client.publish(answer.topic, answer.payload, qos=1)
            with self._lock:
                if era == self._era:
                    self._client.ack(message.mid, message.qos)
            return

    def _connected(
        self, client: Client, _: object, flags: ConnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.is_failure:
            log.warning("refused_by_broker", broker=str(self._to), why=f"服务器不让接：{reason}。请核对账号，会再试。")
            return
        with self._lock:
            self._era += 1
        client.subscribe(self._topics)
        log.info("connected", broker=str(self._to), kept=flags.session_present)

    def _subscribed(
        self, client: Client, _: object, mid: int, reasons: list[ReasonCode], properties: Properties | None
    ) -> None:
        for (topic, _qos), reason in zip(self._topics, reasons, strict=False):
            if reason.is_failure:
                log.error("not_subscribed", topic=topic, why=f"服务器不让订阅这个主题：{reason}。")
        log.info("listening", broker=str(self._to), topics=len(self._topics))

    def _disconnected(
        self, client: Client, _: object, flags: DisconnectFlags, reason: ReasonCode, properties: Properties | None
    ) -> None:
        if reason.value == TAKEN_OVER:
            self._ended = OutOfReach("另一个 patrol dji 接走了这个会话；一套巡护只开一个。", "dji_taken_over")
            client.disconnect()  # not to take it back in turn
        elif reason.is_failure:
            log.warning("disconnected", broker=str(self._to), why=f"断开：{reason}，会再接。")

    def _arrived(self, _: Client, __: object, message: MQTTMessage) -> None:
        if message.qos == 0 and self._waiting.qsize() >= MOST_POSITIONS:
            return
        self._waiting.put((self._era, message))
