"""When a process that has ended is started again: soon, but not in a tight circle."""

from __future__ import annotations

from typing import Final

FIRST_SECONDS: Final = 0.1
LONGEST_SECONDS: Final = 5.0
STABLE_SECONDS: Final = 10.0
"""A process that has lived longer than this is restarted as if it had never ended before."""


class Restarts:
    """The pauses of one process: they double each time that it ends soon after its start."""

    def __init__(self) -> None:
        self._seconds = FIRST_SECONDS

    def pause(self, lived: float) -> float:
        """Seconds to wait before the next start, after a process that has `lived` so many seconds has ended."""
        if lived > STABLE_SECONDS:
            self._seconds = FIRST_SECONDS
        wait = max(0.0, self._seconds - lived)
        self._seconds = min(LONGEST_SECONDS, self._seconds * 2) if lived < STABLE_SECONDS else self._seconds
        return wait
