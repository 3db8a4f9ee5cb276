"""Accepting a job: stored in one transaction, then announced to the workers.

Two calls and one update per job: the transaction (row, input, idempotency record), the SQS message, ``sent_at``.
If the message cannot be sent the caller gets 503: a retry with the same key sends it, and so does the reconciler.
"""

from __future__ import annotations

import hashlib
import json
import math
from dataclasses import dataclass, replace
from typing import Final

from graphjobs.api.job_request import JobRequest
from graphjobs.api.joining import Joining
from graphjobs.aws.job_items import Idempotency
from graphjobs.aws.job_store import JobStore, KeyReused, RowChanged
from graphjobs.aws.owner_limit import OwnerLimitReached
from graphjobs.aws.queue import MAX_DELAY_SECONDS, RESEND_AFTER_MS, UNSENT_GRACE_MS, JobQueue
from graphjobs.core.job import Job, Status, new_job_id
from graphjobs.core.settings import Settings
from graphjobs.core.times import Clock, now_ms
from graphjobs.http.problem import Problem
from graphjobs.http.public_url import UrlRefused, target_of

CLOCKS_DIFFER_SECONDS: Final = 1
RETRY_AFTER_SECONDS: Final = 5
"""`Retry-After` for an owner with too many jobs: about as long as a short job takes."""


@dataclass(frozen=True, slots=True)
class Submission:
    """Accepts jobs."""

    jobs: JobStore
    queue: JobQueue
    settings: Settings
    joining: Joining
    clock: Clock = now_ms

    def submit(self, owner: str, request: JobRequest, key: str | None) -> tuple[Job, bool]:
        """Accept `request`; returns the job and whether it is new.

        Raises:
            Problem: the request cannot be accepted.
            ClientError, BotoCoreError: the backend is failing; a retry with the same key is safe.
        """
        if request.user_id is not None and request.user_id != owner:
            raise Problem(403, "user_mismatch", "user_id is not the caller.")
        self._check_webhook(request.webhook)
        stored = _stored(request)
        idempotency = Idempotency(owner, key, _digest(request)) if key else None
        job = self._job(owner, request)
        try:
            if request.thread_id is not None:
                job, new = self.joining.accept(job, stored, request, idempotency)
            else:
                job, new = self.jobs.create(job, stored, idempotency, self.clock(), webhook=request.webhook)
        except KeyReused:
            raise Problem(422, "idempotency_key_reused", "This Idempotency-Key was used with another body.") from None
        except OwnerLimitReached:
            raise _too_many(self.settings.max_active_jobs) from None
        if job.status is Status.QUEUED and job.sent_at is None and not job.waiting:
            job = self._announce(job)
        return job, new

    def _job(self, owner: str, request: JobRequest) -> Job:
        graphs = self.settings.graphs
        graph = request.graph or graphs[0]
        if graph not in graphs:
            names = ", ".join(graphs)
            raise Problem(400, "unknown_graph", f"There is no such graph; there are: {names}.")
        now = self.clock()
        timeout = min(
            request.timeout_seconds or self.settings.default_timeout_seconds, self.settings.max_timeout_seconds
        )
        not_before = now + request.after_seconds * 1000 if request.after_seconds else None
        begins = not_before or now
        deadline = begins + timeout * 1000
        return Job(
            job_id=new_job_id(),
            owner=owner,
            graph=graph,
            status=Status.QUEUED,
            created_at=now,
            deadline_at=deadline,
            expires_at=deadline // 1000 + self.settings.retention_seconds,
            due_at=min(begins + UNSENT_GRACE_MS, deadline),
            not_before=not_before,
            owner_limit=self.settings.max_active_jobs,
        )

    def _check_webhook(self, url: str | None) -> None:
        if url is None:
            return
        hosts = self.settings.webhook_hosts
        if not hosts:
            raise Problem(400, "webhooks_disabled", "This deployment calls no webhooks; leave out webhook.")
        try:
            target_of(url, private=hosts == "any")
        except UrlRefused as error:
            raise Problem(400, "invalid_request", f"webhook: {error}.") from None

    def _announce(self, job: Job) -> Job:
        now = self.clock()
        begins = max(job.not_before or 0, now)
        delay = math.ceil((begins - now) / 1000)
        if delay > MAX_DELAY_SECONDS:
            return job  # longer than a message can wait: the reconciler sends it when the job is due
        if delay:
            # Some more: a message that a worker's clock finds too early is acknowledged, and comes again much later.
            delay = min(delay + CLOCKS_DIFFER_SECONDS, MAX_DELAY_SECONDS)
        self.queue.send(job.job_id, job.owner, delay_seconds=delay)
        sent = replace(job, sent_at=now, sends=1, due_at=min(begins + RESEND_AFTER_MS, job.deadline_at))
        try:
            return self.jobs.update(job, sent)
        except RowChanged:
            return job  # a worker has it already, which is all that was wanted


def _too_many(limit: int) -> Problem:
    detail = f"{limit} jobs of yours have not ended, which is the most; try again when one has."
    return Problem(429, "too_many_active_jobs", detail, headers={"Retry-After": str(RETRY_AFTER_SECONDS)})


def _stored(request: JobRequest) -> str:
    try:
        text = request.run_request().to_json()
        text.encode()
    except ValueError:
        # Python's parser takes NaN and lone surrogates, which are neither JSON nor text.
        raise Problem(400, "invalid_request", "The body holds a number or a text that JSON has no form for.") from None
    return text


def _digest(request: JobRequest) -> str:
    """Of what the caller asked for: two texts of the same JSON are the same body."""
    members = request.model_dump(exclude_none=True)
    if request.command is not None:
        members["command"] = request.command.stored()  # an answer may be null, which is not the same as none
    canonical = json.dumps(members, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
