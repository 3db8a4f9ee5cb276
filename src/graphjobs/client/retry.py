"""When to try again: exponential backoff with full jitter, and a bound on failures in a row. Others do the waiting."""

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from graphjobs.client.errors import ApiError, GraphjobsError

OnRetry = Callable[[GraphjobsError, int], None]
"""Told of a failure that will be tried again, and how many there have been in a row."""


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """How long to wait after a failure, and when to give up.

    Attributes:
        max_failures: this many failures in a row are one too many.
        base_seconds: upper bound of the random wait after the first failure; it doubles with each.
        cap_seconds: that bound's own limit.
        random: gives a number in [0, 1).
    """

    max_failures: int = 6
    base_seconds: float = 0.25
    cap_seconds: float = 8.0
    random: Callable[[], float] = random.random

    def delay(self, failures: int, at_least: float = 0.0) -> float:
        """Seconds to wait after `failures` in a row: jitter on top of what the server asked for."""
        bound = min(self.cap_seconds, self.base_seconds * 2.0 ** min(failures - 1, 32))
        return at_least + self.random() * bound


API_RETRIES: Final = RetryPolicy(max_failures=5)
STREAM_RETRIES: Final = RetryPolicy(max_failures=8)


class Failures:
    """The failures in a row of one operation."""

    def __init__(self, policy: RetryPolicy, on_retry: OnRetry | None = None) -> None:
        self._policy = policy
        self._on_retry = on_retry
        self._count = 0
        self._maybe_done = False

    def clear(self) -> None:
        """There was progress: the next failure is the first again."""
        self._count = 0

    @property
    def maybe_done(self) -> bool:
        """One of them may have done what was asked: there was no answer, or one that does not say."""
        return self._maybe_done

    def wait(self, error: GraphjobsError, at_least: float = 0.0) -> float:
        """Seconds to wait before the next try.

        Raises:
            GraphjobsError: `error` itself, if it is not worth another try.
        """
        self._count += 1
        self._maybe_done |= not isinstance(error, ApiError) or error.status >= 500
        if not error.retryable or self._count >= self._policy.max_failures:
            raise error
        if self._on_retry is not None:
            self._on_retry(error, self._count)
        return self._policy.delay(self._count, max(at_least, error.retry_after))
