"""What a rule of `lifecycle` is given, and what it answers: a change, or why there is none."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from graphjobs.core.job import Job
from graphjobs.core.outcome import Outcome
from graphjobs.core.slot import Mark, Slot
from graphjobs.core.thread import Thread


class Refusal(StrEnum):
    """Why nothing is changed."""

    GONE = "gone"
    """There is no such job."""
    TERMINAL = "terminal"
    """It has ended, or is past its time to live."""
    HELD = "held"
    """A worker's lease on it is in force."""
    WAITING = "waiting"
    """Other jobs of its thread come first, or its time has not come."""
    LOST = "lost"
    """It is no longer the caller's: another claim has taken over, or somebody else has ended it."""
    FINE = "fine"
    """It need not be ended: it may run."""


@dataclass(frozen=True, slots=True)
class Situation:
    """One job as it was read.

    Attributes:
        job: the row.
        tail: the last slot of the log; None if the log is empty, or if the rule does not look at it.
        now: epoch milliseconds.
    """

    job: Job
    tail: Slot | None
    now: int


@dataclass(frozen=True, slots=True)
class Change:
    """What a rule wants.

    Attributes:
        job: the row after it.
        events: types and data of the events of the slot that goes with it; none: the row alone is changed.
        mark: the slot's mark.
        outcome: how the job ends, if it does; its thread is changed with it (`turns.ended`).
    """

    job: Job
    events: Sequence[tuple[str, dict[str, Any]]] = ()
    mark: Mark | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Applied:
    """A committed change.

    Attributes:
        job: the row after it.
        slot: the slot that it wrote; for a change without events the tail.
        outcome: how the job has ended, if it has.
        thread: its thread after it, if that was changed too.
        before: the row that it was decided on.
    """

    job: Job
    slot: Slot | None
    outcome: Outcome | None = None
    thread: Thread | None = None
    before: Job | None = None

    @property
    def code(self) -> str | None:
        """Why the job has failed; None if it has not."""
        return self.outcome.code if self.outcome else None


Decide = Callable[[Situation], Change | Refusal]
