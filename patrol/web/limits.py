"""Limits of the open doors. A true report is never refused for its number: it waits for a person instead.

Counted in this process's memory under a key that is made anew at each start, so that no address is kept.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets

from flask import request
from limits import RateLimitItemPerHour, RateLimitItemPerMinute
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from patrol.errors import TooMuch
from patrol.station import Station

_KEY = secrets.token_bytes(32)
_STORE = MemoryStorage()
_LIMITER = FixedWindowRateLimiter(_STORE)


def caller() -> str:
    """The caller's address as a digest that means nothing outside this process."""
    address = (request.remote_addr or "").encode()
    return hmac.new(_KEY, address, hashlib.sha256).hexdigest()[:24]


def hold(station: Station, tip: bool) -> str:
    """Why a tip should wait for a person first: too many from one source this hour. Empty: it need not."""
    if not tip:
        return ""
    allowed = _LIMITER.hit(RateLimitItemPerHour(station.settings.reports_hourly), "tip", caller())
    return "" if allowed else "too_many"


def slow(name: str, per_minute: int) -> None:
    """Refuse a guess that comes too often (codes, check codes, passwords)."""
    if not _LIMITER.hit(RateLimitItemPerMinute(per_minute), name, caller()):
        raise TooMuch("试得太快，1 分钟后再试。", retry_after_s=60)


def reset() -> None:
    """Forget every count (a new process does the same)."""
    _STORE.reset()
