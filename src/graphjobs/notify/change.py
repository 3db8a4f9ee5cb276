"""A change of a job's status, as the Jobs table's stream tells it, and what others are told of it.

A stream record may come twice, and a delivery may be repeated: `StatusChange.id` is the same each time, since a job
has each status once. Heartbeats and other changes of a row are no change of status.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from graphjobs.aws.job_store import WEBHOOK
from graphjobs.core.job import Job, Status, job_from_item
from graphjobs.core.times import rfc3339, rfc3339_or_none

ROW_PREFIX: Final = "job#"


@dataclass(frozen=True, slots=True)
class StatusChange:
    """A job as it is after the change.

    Attributes:
        job: the row.
        before: the status before; None for a new job.
        at: when it was written, in epoch milliseconds.
        has_webhook: whether its caller named a webhook.
    """

    job: Job
    before: str | None
    at: int
    has_webhook: bool

    @property
    def id(self) -> str:
        """Of the change, for whoever must not act on it twice."""
        return f"{self.job.job_id}.{self.job.status.value}"

    def body(self) -> dict[str, Any]:
        """What others are told: the job without its input, its result or its error's text."""
        job = self.job
        return {
            "id": self.id,
            "type": f"job.{job.status.value}",
            "timestamp": rfc3339(self.at),
            "data": {
                "job_id": job.job_id,
                "owner": job.owner,
                "graph": job.graph,
                "status": job.status.value,
                "previous_status": self.before,
                "created_at": rfc3339(job.created_at),
                "started_at": rfc3339_or_none(job.started_at),
                "finished_at": rfc3339_or_none(job.finished_at),
                "attempt": job.attempt,
            },
        }


def status_change(record: Mapping[str, Any]) -> StatusChange | None:
    """The change that a stream record holds; None if it is no change of a job's status.

    A status that this version does not know is passed over: a newer version has written it.
    """
    images = record.get("dynamodb", {})
    new, old = images.get("NewImage"), images.get("OldImage") or {}
    if not new or not new["pk"]["S"].startswith(ROW_PREFIX):
        return None
    status, before = _status(new), _status(old)
    if status is None or status == before or status not in set(Status):
        return None
    # Seconds, as the stream has it, unless the row itself knows better.
    at = int(float(images.get("ApproximateCreationDateTime", 0)) * 1000)
    job = job_from_item(new)
    if job.status.terminal and job.finished_at is not None:
        at = job.finished_at
    return StatusChange(job, before, at, WEBHOOK in new)


def _status(image: Mapping[str, Any]) -> str | None:
    attribute = image.get("status")
    return str(attribute["S"]) if attribute else None
