"""Changing the state of a thread: by a job that runs no node, so it has its turn and its checkpoint like any other.

The graph's own reducers are to take the values in, and only the worker has them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from graphjobs.api.job_request import JobRequest
from graphjobs.api.submission import Submission
from graphjobs.api.thread_request import StateUpdate
from graphjobs.auth.principal import Principal
from graphjobs.core.job import Job, Status
from graphjobs.core.outcome import INVALID_UPDATE
from graphjobs.core.run_request import RunRequest
from graphjobs.core.settings import Settings
from graphjobs.http.access import readable_thread
from graphjobs.http.problem import Problem

TIMEOUT_SECONDS: Final = 300
"""For a job that runs no node: what it may take is that its worker starts."""

LOOK_SECONDS: Final = (0.05, 0.1, 0.2, 0.4)
"""Between two looks at the job; the last again and again."""


class UpdateJob(JobRequest):
    """The job, as `Submission` takes any."""

    state_update: dict[str, Any]

    def run_request(self) -> RunRequest:
        """See `JobRequest`."""
        return replace(super().run_request(), state_update=self.state_update)


@dataclass(frozen=True, slots=True)
class StateUpdates:
    """Submits such jobs and waits for them."""

    submission: Submission
    settings: Settings
    sleep: Callable[[float], None] = time.sleep

    def update(
        self, owner: str, thread_id: str, asked: StateUpdate, key: str | None, seconds: float
    ) -> tuple[Job, str | None]:
        """The job, and the id of the checkpoint that it has made; None if it has not within `seconds`.

        Raises:
            Problem: 404; 409 if a job of the thread has not ended; 400 if the graph does not take the update; 502 if
                the job fails for another reason.
            Contended, ClientError, BotoCoreError: the backend is failing; a retry with the same key is safe.
        """
        joining = self.submission.joining
        thread = readable_thread(joining.threads, thread_id, Principal(owner), self.submission.clock())
        graph = thread.graph or thread.metadata.get("graph_id")
        if graph not in self.settings.graphs:
            raise Problem(400, "unknown_graph", "Nothing has run on the thread, and its metadata names no graph_id.")
        request = UpdateJob(
            thread_id=thread.thread_id,
            graph=graph,
            checkpoint_id=asked.from_id,
            multitask_strategy="reject",
            timeout_seconds=TIMEOUT_SECONDS,
            state_update=asked.stored(),
        )
        job, _ = self.submission.submit(owner, request, key)
        return self._ended(job, seconds)

    def _ended(self, job: Job, seconds: float) -> tuple[Job, str | None]:
        end, looks = time.monotonic() + seconds, 0
        while not job.status.terminal:
            pause = LOOK_SECONDS[min(looks, len(LOOK_SECONDS) - 1)]
            if time.monotonic() + pause >= end:
                return job, None
            self.sleep(pause)
            job, looks = self.submission.jobs.get(job.job_id) or job, looks + 1
        tail = self.submission.joining.log.tail(job.job_id)
        if tail is None or job.status not in (Status.COMPLETED, Status.INTERRUPTED):
            raise _failure(tail.events()[-1].parse().data if tail and tail.has_body else {})
        return job, tail.mark.checkpoint_id if tail.mark else None


def _failure(done: Mapping[str, Any]) -> Problem:
    error = done.get("error") or {"code": str(done.get("status")), "message": "The update came to nothing."}
    if error["code"] == INVALID_UPDATE:
        return Problem(400, "invalid_update", error["message"])
    return Problem(502, "update_failed", error["message"], extra={"error": error})
