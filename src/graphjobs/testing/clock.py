"""Clocks that move when they are told."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

START: Final = 1_800_000_000_000
"""Where a `FakeClock` starts: January 2027, in epoch milliseconds."""


@dataclass
class FakeClock:
    """A `Clock`: epoch milliseconds."""

    now: int = START

    def __call__(self) -> int:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let this time pass."""
        self.now += int(seconds * 1000)


@dataclass
class FakeMonotonic:
    """In place of `time.monotonic`: seconds since nothing in particular."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        """Let this time pass."""
        self.now += seconds
