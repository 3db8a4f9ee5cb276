"""Time: epoch milliseconds inside, RFC 3339 UTC outside, epoch seconds only where DynamoDB's TTL wants them."""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from functools import lru_cache

Clock = Callable[[], int]
"""Gives the time in epoch milliseconds; injected, so that tests can move it."""


def now_ms() -> int:
    """The time now, in epoch milliseconds."""
    return time.time_ns() // 1_000_000


def rfc3339(ms: int) -> str:
    """`ms` as RFC 3339 in UTC with milliseconds: ``2026-11-23T09:30:00.125Z``."""
    seconds, rest = divmod(ms, 1000)
    return f"{_second(seconds)}.{rest:03d}Z"


@lru_cache(maxsize=8)
def _second(seconds: int) -> str:
    """Events come many to a second, and this is most of what formatting one costs."""
    return datetime.fromtimestamp(seconds, UTC).replace(tzinfo=None).isoformat(timespec="seconds")


def rfc3339_or_none(ms: int | None) -> str | None:
    """`ms` as `rfc3339` has it; None for a time that has not come."""
    return None if ms is None else rfc3339(ms)


def from_rfc3339(text: str) -> int:
    """The epoch milliseconds of an RFC 3339 time, as `rfc3339` writes it."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)
