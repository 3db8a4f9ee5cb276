"""Trying again: how often, for how long, and how long to wait in between. One rule for every loop of ours.

It lies on top of botocore's own tries, which last seconds; this is for what lasts longer. Who answers somebody that
waits says when it must have given up (`no_try_after`), however patient the loops are that it goes through.
"""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Final

BACKOFF_SECONDS: Final = 0.02
BACKOFF_CAP_SECONDS: Final = 1.0

# From the operating system: what SnapStart restores would share the state of `random`, and try again in step.
JITTER: Final = random.SystemRandom()

_LAST_MOMENT: Final[ContextVar[float]] = ContextVar("last moment", default=math.inf)


class NoTimeLeft(Exception):
    """A try has failed, for now, and there is no time for another: see `no_try_after`."""


@contextmanager
def no_try_after(moment: float) -> Iterator[None]:
    """Within this, no loop of this thread begins another try after `moment`, a time of `time.monotonic`.

    It raises `NoTimeLeft` in its place, whatever it was about to do after its last try.
    """
    token = _LAST_MOMENT.set(moment)
    try:
        yield
    finally:
        _LAST_MOMENT.reset(token)


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
        """As `iter`, pausing with `sleep`.

        Raises:
            NoTimeLeft: see `no_try_after`.
        """
        began = time.monotonic()
        for number in range(self.tries):
            last = number == self.tries - 1 or time.monotonic() - began >= self.seconds
            yield last
            if last:
                return
            if time.monotonic() >= _LAST_MOMENT.get():
                raise NoTimeLeft("Another try could end after somebody must have an answer.")
            sleep(backoff(number))


def backoff(number: int) -> float:
    """Seconds to wait after try `number` (0, 1, ...): exponential, capped, with full jitter."""
    return JITTER.uniform(0, min(BACKOFF_CAP_SECONDS, BACKOFF_SECONDS * 2**number))
