"""How long what is stored of jobs and threads may still be needed: times to live and S3's rules come from here.

What has an end of its own says so itself: `Job.expires_at` (its row, input and records), `Job.log_expires_at` (slots),
`Thread.expires_at`. The rest must be kept, from when it is written, for the longest that anything may need it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

from graphjobs.core.job import EVENTS_KEEP_SECONDS

MAX_AFTER_SECONDS: Final = 604_800
"""The longest that a job may be delayed."""


@dataclass(frozen=True, slots=True)
class Lifetimes:
    """Those of one deployment, all in seconds from the moment at which a thing is written."""

    max_timeout: int
    retention: int
    thread_retention: int

    @classmethod
    def of(cls, settings: Any) -> Lifetimes:
        """By the `Settings` of a function."""
        return cls(settings.max_timeout_seconds, settings.retention_seconds, settings.thread_retention_seconds)

    @property
    def longest_job(self) -> int:
        """From the acceptance of a job to its deadline, which counts from when it may begin."""
        return MAX_AFTER_SECONDS + self.max_timeout

    @property
    def job(self) -> int:
        """Bodies of inputs and slots: for as long as the row of a job that is accepted now, and its slots."""
        return self.longest_job + self.retention + EVENTS_KEEP_SECONDS

    @property
    def state(self) -> int:
        """The state of a head: its job goes on for so long, the thread is kept for so long from then, and the last job
        that joins it may still begin there for so long."""
        return self.max_timeout + self.thread_retention + self.longest_job + EVENTS_KEEP_SECONDS

    @property
    def checkpoint(self) -> int:
        """An item of a checkpoint: as the state, which says that it is there, and newer ones of the same job need it.

        Without a thread, a job may be made one as long as its row is there.
        """
        kept = max(self.retention, self.thread_retention)
        return self.state - self.thread_retention + kept + self.max_timeout
