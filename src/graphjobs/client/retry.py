"""When to try again: exponential backoff with full jitter, and a bound on failures in a row."""

import random
import time
from collections.abc import Callable
from dataclasses import dataclass

from graphjobs.client.errors import GraphjobsError


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long to wait after a failure, and when to give up.

    Attributes:
        max_failures: this many failures in a row are one too many.
        base_seconds: upper bound of the random wait after the first failure; it doubles with each.
        cap_seconds: that bound's own limit.
        sleep: waits that many seconds.
        random: gives a number in [0, 1).
    """

    max_failures: int = 6
    base_seconds: float = 0.25
    cap_seconds: float = 8.0
    sleep: Callable[[float], None] = time.sleep
    random: Callable[[], float] = random.random

    def delay(self, failures: int, at_least: float = 0.0) -> float:
        """Seconds to wait after `failures` in a row: jitter on top of what the server asked for."""
        bound = min(self.cap_seconds, self.base_seconds * 2.0 ** min(failures - 1, 32))
        return at_least + self.random() * bound


class Failures:
    """The failures in a row of one operation."""

    def __init__(self, policy: RetryPolicy) -> None:
        self._policy = policy
        self._count = 0

    def clear(self) -> None:
        """There was progress: the next failure is the first again."""
        self._count = 0

    def absorb(self, error: GraphjobsError, at_least: float = 0.0) -> bool:
        """Wait, if `error` is worth another try; False means that the caller has to raise it."""
        self._count += 1
        if not error.retryable or self._count >= self._policy.max_failures:
            return False
        self._policy.sleep(self._policy.delay(self._count, max(at_least, error.retry_after)))
        return True

    def pause(self, seconds: float) -> None:
        """Wait without a failure: the server has ended the connection in good order."""
        self._policy.sleep(seconds)
