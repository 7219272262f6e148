"""Limits of the open doors. A true report is never refused for its number: it waits for a person instead.

A device is counted first, then the place on the network it comes from; whoever is over may do a sum (`puzzle`) and is
in at once. Counted in this process's memory under a key that is made anew at each start: no address is ever kept.
"""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import secrets
import time

from flask import Request, Response, current_app, request
from limits import RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from patrol.errors import TooMuch
from patrol.station import Station
from patrol.web import puzzle

COOKIE = "patrol_device"
COOKIE_PATH = "/report"
DEVICES_A_SOURCE = 6  # a school or a village behind one address: so many devices' worth of reports
_DAY_S = 24 * 3600
_KEY = secrets.token_bytes(32)
_STORE = MemoryStorage()
_LIMITER = FixedWindowRateLimiter(_STORE)
_SPENT: dict[str, float] = {}


def address(asked: Request) -> str:
    """Where a request comes from: the last hop that is not one of our own proxies (PATROL_TRUSTED_PROXIES)."""
    trusted = current_app.config.get("TRUSTED_PROXIES", ())
    hops = [asked.remote_addr or "", *reversed((asked.headers.get("X-Forwarded-For") or "").split(","))]
    for index, hop in enumerate(hops[:10]):
        try:
            at = ipaddress.ip_address(hop.strip())
        except ValueError:
            return hops[max(index - 1, 0)].strip()
        if not any(at.version == net.version and at in net for net in trusted):
            return str(at)
    return hops[0]


def caller() -> str:
    """The caller's address as a digest that means nothing outside this process; an IPv6 line is one caller."""
    at = address(request)
    try:
        if ipaddress.ip_address(at).version == 6:
            at = str(ipaddress.ip_network(f"{at}/64", strict=False))
    except ValueError:
        pass  # a test client or a socket without an address: one caller
    return hmac.new(_KEY, at.encode(), hashlib.sha256).hexdigest()[:24]


# --- devices: a random word in a signed cookie of the report page, for a day; it says nothing of the person


def device(station: Station) -> str:
    """The device's own word, where its cookie is ours and fresh; empty otherwise."""
    word, _, mac = (request.cookies.get(COOKIE) or "").rpartition(".")
    ends = word.rpartition("-")[2]
    if not hmac.compare_digest(_signed(station, word), mac) or not ends.isdigit() or int(ends) < time.time():
        return ""
    return word


def mark_device(station: Station, response: Response) -> None:
    """Give a device its word, for the report page alone; gone when the browser closes."""
    if device(station):
        return
    word = f"{secrets.token_hex(8)}-{int(time.time()) + _DAY_S}"
    response.set_cookie(COOKIE, f"{word}.{_signed(station, word)}", path=COOKIE_PATH, httponly=True,
                        secure=request.is_secure, samesite="Strict")  # fmt: skip


def _signed(station: Station, word: str) -> str:
    return hmac.new(station.keys.session, b"device\x00" + word.encode("utf-8", "replace"), hashlib.sha256).hexdigest()


# --- reports


def hold(station: Station, tip: bool) -> str:
    """Why a tip should wait for a person first: too many from here this hour and no sum done. Empty: it need not."""
    if not tip:
        return ""
    counted = [_LIMITER.hit(limit, *names) for limit, *names in _counts(station)]
    return "" if all(counted) or solved(station) else "too_many"


def over(station: Station) -> int:
    """How many reports beyond the limit the next one from here would be; 0 while it is within it."""
    counts = [(limit.amount, _STORE.get(limit.key_for(*names))) for limit, *names in _counts(station)]
    return max(count - amount + 1 if count >= amount else 0 for amount, count in counts)


def _counts(station: Station) -> list[tuple[RateLimitItemPerHour, str, str]]:
    hourly, mine = station.settings.reports_hourly, device(station)
    if not mine:
        return [(RateLimitItemPerHour(hourly), "tip", caller())]
    return [(RateLimitItemPerHour(hourly), "device", mine),
            (RateLimitItemPerHour(hourly * DEVICES_A_SOURCE), "source", caller())]  # fmt: skip


def ask_puzzle(station: Station) -> puzzle.Puzzle | None:
    """The sum to do before the next report, or None while none is needed. It grows with what came from here."""
    beyond = over(station)
    harder = (beyond // station.settings.reports_hourly).bit_length()
    return puzzle.make(station.keys.session, harder) if beyond else None


def solved(station: Station) -> bool:
    """Whether this request carries a sum that is ours, fresh, right and not used before."""
    now = time.time()
    for old in [word for word, ends in _SPENT.items() if ends < now]:
        del _SPENT[old]
    given = puzzle.read(station.keys.session, request.headers.get(puzzle.HEADER) or "", now)
    if given is None or given in _SPENT:
        return False
    _SPENT[given] = now + puzzle.LASTS_S
    return True


def slow(name: str, per_minute: int) -> None:
    """Refuse a guess that comes too often (codes, check codes, passwords)."""
    if not _LIMITER.hit(RateLimitItemPerMinute(per_minute), name, caller()):
        raise TooMuch("试得太快，1 分钟后再试。", retry_after_s=60)


def reset() -> None:
    """Forget every count (a new process does the same)."""
    _STORE.reset()
    _SPENT.clear()
