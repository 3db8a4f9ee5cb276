"""Trying again: how often, for how long, and how long to wait in between. One rule for every loop of ours.

It lies on top of botocore's own tries, which last seconds; this is for what lasts longer.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Final

BACKOFF_SECONDS: Final = 0.02
BACKOFF_CAP_SECONDS: Final = 1.0

# From the operating system: what SnapStart restores would share the state of `random`, and try again in step.
JITTER: Final = random.SystemRandom()


@dataclass(frozen=True, slots=True)
class Retry:
    """How patient a loop is.

    Attributes:
        tries: at most so many.
        seconds: none begins later than this after the first; with it a call that times out is bounded as well.
    """

    tries: int
    seconds: float

    def __iter__(self) -> Iterator[bool]:
        """One item per try, with a pause before each but the first: whether it is the last one."""
        return self.paced(time.sleep)

    def paced(self, sleep: Callable[[float], None]) -> Iterator[bool]:
        """As `iter`, pausing with `sleep`."""
        began = time.monotonic()
        for number in range(self.tries):
            last = number == self.tries - 1 or time.monotonic() - began >= self.seconds
            yield last
            if last:
                return
            sleep(backoff(number))


def backoff(number: int) -> float:
    """Seconds to wait after try `number` (0, 1, ...): exponential, capped, with full jitter."""
    return JITTER.uniform(0, min(BACKOFF_CAP_SECONDS, BACKOFF_SECONDS * 2**number))
