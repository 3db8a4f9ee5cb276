"""What the API says of a job: the JSON forms of a row, one place for all routes."""

from __future__ import annotations

from typing import Any

from graphjobs.core.job import Job
from graphjobs.core.times import rfc3339, rfc3339_or_none


def accepted(job: Job, api_url: str, stream_url: str) -> dict[str, Any]:
    """Of a job that was just created, or created earlier under the same key."""
    return {
        "job_id": job.job_id,
        "thread_id": job.thread,
        "status": job.status.value,
        "status_url": f"{api_url}/jobs/{job.job_id}/status",
        "cancel_url": f"{api_url}/jobs/{job.job_id}/cancel",
        "stream_url": stream_url,
        "created_at": rfc3339(job.created_at),
        "expires_at": rfc3339(job.expires_at * 1000),
    }


def summary(job: Job) -> dict[str, Any]:
    """Of a job in a list."""
    return {
        "job_id": job.job_id,
        "thread_id": job.thread,
        "status": job.status.value,
        "graph": job.graph,
        "created_at": rfc3339(job.created_at),
        "started_at": rfc3339_or_none(job.started_at),
        "finished_at": rfc3339_or_none(job.finished_at),
        "attempt": job.attempt,
    }
