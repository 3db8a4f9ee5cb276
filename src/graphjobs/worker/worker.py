"""The worker: takes one SQS message to its end. Built once a process by `handler.py`."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from graphjobs.aws.claims import Claim, Claims
from graphjobs.aws.job_store import JobStore
from graphjobs.aws.queue import BadMessage, JobQueue, job_id_of
from graphjobs.aws.state_store import StateStore
from graphjobs.core import lifecycle
from graphjobs.core.change import Applied, Refusal
from graphjobs.core.event_log import EventLog, Fenced
from graphjobs.core.job import Job
from graphjobs.core.outcome import CHECKPOINT_GONE, INPUT_MISSING, failed
from graphjobs.core.run_request import RunRequest
from graphjobs.core.settings import Settings
from graphjobs.core.times import now_ms, rfc3339_or_none
from graphjobs.observability import ENDS, Metric, record
from graphjobs.worker.checkpoints import ConfirmingSaver
from graphjobs.worker.graph_loader import GraphLoader
from graphjobs.worker.graph_run import GraphRun
from graphjobs.worker.heartbeat import Heartbeat, Lease, Limits, Standby, Stop, limits, visibility_seconds
from graphjobs.worker.job_run import Ended, JobRun
from graphjobs.worker.process_state import ProcessState
from graphjobs.worker.scratch import Scratch
from graphjobs.worker.writer import LogWriter

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger, Metrics
    from langgraph.store.base import BaseStore


@dataclass(frozen=True, slots=True)
class Keepalive:
    """What the heartbeat calls AWS with: clients of its own, with short time-outs."""

    jobs: JobStore
    queue: JobQueue


@dataclass(slots=True)
class Worker:
    """Everything that a job needs, and the loop that its graph runs on.

    Attributes:
        store: LangGraph's store, for every graph.
        scratch: temporary files, which one owner must not find of another.
        flush_tracers: called when a job has been run, for the process may be frozen then.
        standby: keeps a claim while a node keeps the heartbeat's thread from running.
        model: what the `metadata` event says; None for a project that does not name its model.
    """

    settings: Settings
    jobs: JobStore
    log: EventLog
    claims: Claims
    queue: JobQueue
    keepalive: Keepalive
    loader: GraphLoader
    saver: ConfirmingSaver
    states: StateStore
    loop: asyncio.AbstractEventLoop
    logger: Logger
    metrics: Metrics
    state: ProcessState = field(default_factory=ProcessState)
    exit: Callable[[int], Any] = os._exit
    new_run: Callable[..., JobRun] = JobRun
    store: BaseStore | None = None
    standby: Standby | None = None
    scratch: Scratch = field(default_factory=Scratch)
    flush_tracers: Callable[[], object] = lambda: None
    model: str | None = None

    def process(self, message: dict[str, Any], remaining_ms: int) -> None:
        """Take the job of one SQS record as far as it goes; a return acknowledges the message.

        Raises:
            Exception: the message should come back; nothing half-done remains.
        """
        receipt = message["receiptHandle"]
        try:
            job_id = job_id_of(message["body"])
        except BadMessage:
            self.logger.exception("message dropped: it names no job", extra={"message_id": message["messageId"]})
            return
        limit = limits(now_ms(), remaining_ms)
        self.logger.append_keys(job_id=job_id)
        try:
            self._hide(receipt, visibility_seconds(self.settings))
            taken = self._claim(job_id, message)
            if taken is not None:
                self._run(*taken, receipt, limit)
        finally:
            self.logger.remove_keys(["job_id", "epoch", "attempt"])

    def _hide(self, receipt: str, seconds: int) -> None:
        """The queue's own visibility is as long as the function may run: a crash should be seen sooner."""
        try:
            self.queue.set_visibility(receipt, seconds)
        except (ClientError, BotoCoreError) as error:
            self.logger.warning("visibility not changed", extra={"error": str(error)})

    def _claim(self, job_id: str, message: dict[str, Any]) -> tuple[Claim, str | None] | None:
        """The claim and the job's input; None if there is nothing to run."""
        try:
            # The input first: a read that fails after the claim would cost an attempt and the length of a lease.
            job_input = self.jobs.input(job_id)
            claim = self.claims.claim(job_id, model=self.model)
        except Exception:
            received = int(message["attributes"]["ApproximateReceiveCount"])
            self._hide(message["receiptHandle"], min(60, 2 ** min(received, 6)))
            raise
        if isinstance(claim, Refusal):
            self.logger.info("message acknowledged without a run", extra={"refusal": claim.value})
            return None
        left = self._told_of_loss(claim.before)
        if isinstance(claim, Applied):
            self.logger.info("ended in place of a run", extra={"left": left})
            self._count_end(claim.job, claim.code)
            return None
        job = claim.job
        self.logger.append_keys(epoch=job.epoch, attempt=job.attempt)
        self.logger.info(
            "claimed", extra={"epoch": job.epoch, "attempt": job.attempt, "graph": job.graph, "left": left}
        )
        record(self.metrics, Metric.ATTEMPTS)
        if job.epoch == 1 and job.started_at is not None:
            record(self.metrics, Metric.QUEUE_WAIT, job.started_at - job.created_at)
        return claim, job_input

    def _told_of_loss(self, before: Job | None) -> str | None:
        """How the worker before left the job, in words of `lifecycle.left`; that it was lost is said here."""
        left = lifecycle.left(before) if before is not None else None
        if before is not None and left == lifecycle.LOST:
            lapsed = rfc3339_or_none(before.lease_until or None)
            extra = {"epoch": before.epoch, "attempt": before.attempt, "lease_until": lapsed}
            self.logger.warning("a worker was lost", extra=extra)
        return left

    def _run(self, claim: Claim, job_input: str | None, receipt: str, limit: Limits) -> None:
        if job_input is None:
            applied = self.claims.finish(claim, failed(INPUT_MISSING), claim.tail)
            self._count_end(applied.job, applied.code)
            return

        request = RunRequest.from_json(job_input)
        if self._forks_from_nothing(claim, request):
            applied = self.claims.finish(claim, failed(CHECKPOINT_GONE), claim.tail)
            self._count_end(applied.job, applied.code)
            return

        def on_stuck(ended: Ended) -> None:
            self._count(ended)
            self._leave(ended, receipt)

        def on_failure(error: Exception) -> None:
            if not isinstance(error, Fenced):
                self.logger.error("the log cannot be written", extra={"error": str(error)})
            run.stop(Stop.FENCED if isinstance(error, Fenced) else Stop.BACKEND)

        writer = LogWriter(self.log, claim, flush_seconds=self.settings.flush_interval_ms / 1000, on_failure=on_failure)
        graph_run = GraphRun(
            claim,
            request,
            loader=self.loader,
            saver=self.saver,
            states=self.states,
            store=self.store,
            writer=writer,
            logger=self.logger,
            error_detail=self.settings.error_detail,
            on_loaded=self.state.note,
        )
        run = self.new_run(
            claim,
            graph_run=graph_run,
            writer=writer,
            claims=self.claims,
            queue=self.queue,
            logger=self.logger,
            on_stuck=on_stuck,
        )
        lease = Lease(claim, self.claims, self.keepalive.jobs, self.keepalive.queue, receipt, self.settings)
        heartbeat = Heartbeat(
            lease,
            limit,
            on_drain=run.drain,
            on_stop=run.stop,
            on_watch=writer.watch,
            logger=self.logger,
            standby=self.standby,
        )
        if kept := self.scratch.enter(claim.job.owner):
            self.logger.warning("temporary files of an earlier job could not be removed", extra={"files": len(kept)})
        self.state.note()
        try:
            ended = run.run(self.loop, heartbeat)
        finally:
            if changed := self.state.restore():
                self.logger.info("what the job had changed is put back", extra={"changed": changed})
        if claim.job.epoch == 1 and writer.first_at is not None:
            record(self.metrics, Metric.SUBMIT_TO_FIRST_EVENT, writer.first_at - claim.job.created_at)
        self._count(ended)
        self.flush_tracers()
        if not ended.clean:
            self._leave(ended, receipt)

    def _forks_from_nothing(self, claim: Claim, request: RunRequest) -> bool:
        """Whether the job was to begin at a checkpoint of one that has been rolled back while this one waited."""
        start = claim.job.start
        if request.checkpoint_id is None or start is None or claim.mark is not None:
            return False
        origin = self.jobs.get(start.checkpoint_thread.rpartition(":")[0])
        return origin is not None and origin.rollback

    def _count(self, ended: Ended) -> None:
        if ended.stop is Stop.FENCED:
            record(self.metrics, Metric.FENCED_WRITES)
            self.logger.warning("fenced: another worker has taken over")
        if ended.release is not None and ended.release.goes_on:
            record(self.metrics, Metric.HANDOFFS)
        if ended.release is not None:
            self.logger.info("released", extra={"release": ended.release.value})
        self._count_end(ended.job, ended.code)

    def _count_end(self, job: Job | None, code: str | None) -> None:
        if job is None:
            return
        record(self.metrics, ENDS[job.status])
        if job.started_at is not None and job.finished_at is not None:
            record(self.metrics, Metric.RUN_TIME, job.finished_at - job.started_at)
        extra: dict[str, Any] = {"status": job.status.value, "attempt": job.attempt}
        if code is not None:
            extra["code"] = code
        self.logger.info("finished", extra=extra)

    def _leave(self, ended: Ended, receipt: str) -> None:
        """End the process, since something of the graph still runs in it and cannot be stopped."""
        if ended.job is not None or ended.release is not None:
            try:
                self.queue.delete(receipt)
            except (ClientError, BotoCoreError) as error:
                # It comes back, and is acknowledged then: the row says that there is nothing to do.
                self.logger.warning("message not deleted", extra={"error": str(error)})
        self.state.restore()
        self.logger.error("a node outlived its job: the process ends with it")
        self.metrics.flush_metrics()
        self.exit(70)
