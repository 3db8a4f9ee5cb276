"""How many may look on: streams of one job, and streams of one owner's jobs, that are opened within a window.

Only jobs that are not over count: the stream of one that is over is sent at once and closed. A counter that cannot be
reached lets everybody pass.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from botocore.exceptions import BotoCoreError, ClientError

from graphjobs.core.times import Clock, now_ms

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

    from graphjobs.aws.viewer_counts import ViewerCounts
    from graphjobs.core.job import Job


@dataclass(frozen=True, slots=True)
class Turnstile:
    """Counts opens.

    Attributes:
        per_job, per_owner: how many per window; 0: no limit, and nothing is counted.
        window: of a connection, in seconds.
    """

    counts: ViewerCounts
    per_job: int
    per_owner: int
    window: float
    logger: Logger
    clock: Clock = now_ms

    def wait(self, job: Job) -> int:
        """Count one who wants to follow `job`: 0 lets them in, else in how many seconds to come again. Blocking."""
        if job.status.terminal:
            return 0
        now, stretch_ms = self.clock(), int(self.window * 1000)
        for limit, subject in ((self.per_job, job.job_id), (self.per_owner, f"owner\0{job.owner}")):
            try:
                if limit and not self.counts.admit(subject, limit, now=now, stretch_ms=stretch_ms):
                    self.logger.info("too many viewers", extra={"job_id": job.job_id, "limit": limit})
                    return max(1, -(-(stretch_ms - now % stretch_ms) // 1000))
            except (ClientError, BotoCoreError) as error:
                self.logger.warning("a viewer was not counted", extra={"job_id": job.job_id, "error": str(error)})
        return 0
