"""What a decision on a job wants changed, and what was committed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from graphjobs.core.job import Job
from graphjobs.core.slot import Mark, Slot


@dataclass(frozen=True, slots=True)
class Change:
    """What a decision wants: the row after, and the events of the slot that goes with it."""

    job: Job
    events: Sequence[tuple[str, dict[str, Any]]]
    mark: Mark | None


@dataclass(frozen=True, slots=True)
class Applied:
    """A committed transition: the row after it and the slot that it wrote."""

    job: Job
    slot: Slot


Decide = Callable[[Job, Slot | None], Change | None]
"""Given the row and the tail slot, what to change; None for nothing."""
