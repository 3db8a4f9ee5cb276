"""Time: epoch milliseconds inside, RFC 3339 UTC outside, epoch seconds only where DynamoDB's TTL wants them."""

import time
from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], int]
"""Gives the time in epoch milliseconds; injected, so that tests can move it."""


def now_ms() -> int:
    """The time now, in epoch milliseconds."""
    return time.time_ns() // 1_000_000


def rfc3339(ms: int) -> str:
    """`ms` as RFC 3339 in UTC with milliseconds: ``2026-11-23T09:30:00.125Z``."""
    stamp = datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds")
    return stamp.replace("+00:00", "Z")


def from_rfc3339(text: str) -> int:
    """The epoch milliseconds of an RFC 3339 time, as `rfc3339` writes it."""
    return round(datetime.fromisoformat(text).timestamp() * 1000)
