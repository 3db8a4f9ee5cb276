"""How long the writer lets events gather: not at all after a pause, longer while tokens pour.

At up to one event per base interval nothing waits. While more than that flows without a pause the interval
grows to three times the base, since each put is billed: a reader cannot tell 50 ms from 150 ms in the middle of
a paragraph, but can at its beginning. While nobody follows the job it is `UNWATCHED_SECONDS`.
"""

from typing import Final

GROWTH: Final = 3.0
GROW_AFTER_PUTS: Final = 10
GROW_OVER_PUTS: Final = 20
PAUSE_INTERVALS: Final = 6
SINGLE_SHORTENS_BY: Final = 2
UNWATCHED_SECONDS: Final = 1.0


class Pace:
    """Spacing of puts, in seconds of a monotonic clock."""

    def __init__(self, base_seconds: float) -> None:
        self._base = base_seconds
        self._last_put = float("-inf")
        self._puts_in_burst = 0
        self.watched = True
        """Whether somebody may be following the job."""

    @property
    def interval(self) -> float:
        """The spacing at present."""
        grown = min(1.0, max(0, self._puts_in_burst - GROW_AFTER_PUTS) / GROW_OVER_PUTS)
        return self._base * (1 + (GROWTH - 1) * grown)

    def wait_seconds(self, now: float, *, step_ends: bool = False) -> float:
        """How long what is waiting at `now` should go on waiting; 0 or less for not at all.

        The end of a step waits no longer for want of a viewer: its mark is what a crash resumes from.
        """
        lazy = 0.0 if self.watched or step_ends else UNWATCHED_SECONDS
        return self._last_put + max(self.interval, lazy) - now

    def put_started(self, now: float, events: int) -> None:
        """Note a put of `events` events; one after a pause ends a burst, a single event shortens it.

        Shortens, no more: a model's tokens come unevenly, and one that is late says little.
        """
        paused = now - self._last_put > self._base * PAUSE_INTERVALS
        longer = self._puts_in_burst + (1 if events > 1 else -SINGLE_SHORTENS_BY)
        self._puts_in_burst = 0 if paused else max(0, min(longer, GROW_AFTER_PUTS + GROW_OVER_PUTS))
        self._last_put = now
