"""Notes on the rows of jobs that somebody follows: their workers then write each event at once.

A note holds a little longer than it takes to make the next. One that fails costs a viewer the difference between a
slot each 50 ms and one each second, so it is logged and not repeated.
"""

from __future__ import annotations

from concurrent.futures import Executor
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from graphjobs.aws.job_store import JobStore
from graphjobs.core.times import Clock, now_ms

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

EVERY_MS: Final = 60_000
HOLDS_MS: Final = 90_000


class Watchers:
    """Makes the notes of one process: one per job and minute, however many follow it. Of one event loop."""

    def __init__(self, jobs: JobStore, executor: Executor, logger: Logger, *, clock: Clock = now_ms) -> None:
        self._jobs = jobs
        self._executor = executor
        self._logger = logger
        self._clock = clock
        self._noted: dict[str, int] = {}

    def note(self, job_id: str) -> None:
        """Somebody follows `job_id`. Does not wait."""
        now = self._clock()
        if now - self._noted.get(job_id, -EVERY_MS) < EVERY_MS:
            return
        self._noted = {known: at for known, at in self._noted.items() if now - at < EVERY_MS} | {job_id: now}
        self._executor.submit(self._write, job_id, now + HOLDS_MS)

    def _write(self, job_id: str, until: int) -> None:
        try:
            self._jobs.note_watched(job_id, until)
        except (ClientError, BotoCoreError) as error:
            self._logger.warning("a viewer was not noted", extra={"job_id": job_id, "error": str(error)})
