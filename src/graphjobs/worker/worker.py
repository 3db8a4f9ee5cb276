"""The worker: takes one SQS message to its end. Built once a process by `handler.py`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from graphjobs.aws.claims import Claim
from graphjobs.aws.queue import BadMessage, job_id_of
from graphjobs.core import lifecycle
from graphjobs.core.change import Applied, Refusal
from graphjobs.core.event_log import Fenced
from graphjobs.core.job import Job
from graphjobs.core.outcome import CHECKPOINT_GONE, INPUT_MISSING, failed
from graphjobs.core.run_request import RunRequest
from graphjobs.core.settings import Settings
from graphjobs.core.times import now_ms, rfc3339_or_none
from graphjobs.observability import Metric, record, record_end
from graphjobs.worker.graph_run import GraphRun
from graphjobs.worker.heartbeat import Heartbeat, Lease, Limits, Signals, Stop, limits, visibility_seconds
from graphjobs.worker.job_run import Ended, JobRun
from graphjobs.worker.parts import Graphs, Host, Keepalive, Reports, Stores
from graphjobs.worker.writer import LogWriter


@dataclass(slots=True)
class Worker:
    """Takes messages, one at a time."""

    settings: Settings
    stores: Stores
    keepalive: Keepalive
    graphs: Graphs
    host: Host
    reports: Reports
    new_run: Callable[..., JobRun] = JobRun

    def process(self, message: dict[str, Any], remaining_ms: int) -> None:
        """Take the job of one SQS record as far as it goes; a return acknowledges the message.

        Raises:
            Exception: the message should come back; nothing half-done remains.
        """
        logger, receipt = self.reports.logger, message["receiptHandle"]
        try:
            job_id = job_id_of(message["body"])
        except BadMessage:
            logger.exception("message dropped: it names no job", extra={"message_id": message["messageId"]})
            return
        limit = limits(now_ms(), remaining_ms)
        logger.append_keys(job_id=job_id)
        try:
            self._hide(receipt, visibility_seconds(self.settings))
            taken = self._claim(job_id, message)
            if taken is not None:
                self._run(*taken, receipt, limit)
        finally:
            logger.remove_keys(["job_id", "epoch", "attempt"])

    def _hide(self, receipt: str, seconds: int) -> None:
        """The queue's own visibility is as long as the function may run: a crash should be seen sooner."""
        try:
            self.stores.queue.set_visibility(receipt, seconds)
        except (ClientError, BotoCoreError) as error:
            self.reports.logger.warning("visibility not changed", extra={"error": str(error)})

    def _claim(self, job_id: str, message: dict[str, Any]) -> tuple[Claim, str | None] | None:
        """The claim and the job's input; None if there is nothing to run."""
        try:
            # The input first: a read that fails after the claim would cost an attempt and the length of a lease.
            job_input = self.stores.jobs.input(job_id)
            claim = self.stores.claims.claim(job_id, model=self.graphs.model)
        except Exception:
            received = int(message["attributes"]["ApproximateReceiveCount"])
            self._hide(message["receiptHandle"], min(60, 2 ** min(received, 6)))
            raise
        if isinstance(claim, Refusal):
            self.reports.logger.info("message acknowledged without a run", extra={"refusal": claim.value})
            return None
        left = self._told_of_loss(claim.before)
        if isinstance(claim, Applied):
            self.reports.logger.info("ended in place of a run", extra={"left": left})
            self._count_end(claim.job, claim.code)
            return None
        job = claim.job
        self.reports.logger.append_keys(epoch=job.epoch, attempt=job.attempt)
        self.reports.logger.info(
            "claimed", extra={"epoch": job.epoch, "attempt": job.attempt, "graph": job.graph, "left": left}
        )
        record(self.reports.metrics, Metric.ATTEMPTS)
        if job.epoch == 1 and job.started_at is not None:
            record(self.reports.metrics, Metric.QUEUE_WAIT, job.started_at - job.created_at)
        return claim, job_input

    def _told_of_loss(self, before: Job | None) -> str | None:
        """How the worker before left the job, in words of `lifecycle.left`; that it was lost is said here."""
        left = lifecycle.left(before) if before is not None else None
        if before is not None and left == lifecycle.LOST:
            lapsed = rfc3339_or_none(before.lease_until or None)
            extra = {"epoch": before.epoch, "attempt": before.attempt, "lease_until": lapsed}
            self.reports.logger.warning("a worker was lost", extra=extra)
        return left

    def _run(self, claim: Claim, job_input: str | None, receipt: str, limit: Limits) -> None:
        if job_input is None:
            applied = self.stores.claims.finish(claim, failed(INPUT_MISSING), claim.tail)
            self._count_end(applied.job, applied.code)
            return

        request = RunRequest.from_json(job_input)
        logger = self.reports.logger
        if self._forks_from_nothing(claim, request):
            applied = self.stores.claims.finish(claim, failed(CHECKPOINT_GONE), claim.tail)
            self._count_end(applied.job, applied.code)
            return

        def on_stuck(ended: Ended) -> None:
            self._count(ended)
            self._leave(ended, receipt)

        def on_failure(error: Exception) -> None:
            if not isinstance(error, Fenced):
                logger.error("the log cannot be written", extra={"error": str(error)})
            run.stop(Stop.FENCED if isinstance(error, Fenced) else Stop.BACKEND)

        writer = LogWriter(
            self.stores.log, claim, flush_seconds=self.settings.flush_interval_ms / 1000, on_failure=on_failure
        )
        graph_run = GraphRun(claim, request, self.graphs, writer, logger=logger, on_loaded=self.host.state.note)
        run = self.new_run(
            claim,
            graph_run=graph_run,
            writer=writer,
            claims=self.stores.claims,
            queue=self.stores.queue,
            logger=logger,
            on_stuck=on_stuck,
        )
        lease = Lease(claim, self.stores.claims, self.keepalive.jobs, self.keepalive.queue, receipt, self.settings)
        heartbeat = Heartbeat(
            lease,
            limit,
            Signals(run.drain, run.stop, writer.watch),
            logger=logger,
            standby=self.keepalive.standby,
        )
        if kept := self.host.scratch.enter(claim.job.owner):
            logger.warning("temporary files of an earlier job could not be removed", extra={"files": len(kept)})
        self.host.state.note()
        try:
            ended = run.run(self.host.loop, heartbeat)
        finally:
            if changed := self.host.state.restore():
                logger.info("what the job had changed is put back", extra={"changed": changed})
        if claim.job.epoch == 1 and writer.first_at is not None:
            record(self.reports.metrics, Metric.SUBMIT_TO_FIRST_EVENT, writer.first_at - claim.job.created_at)
        self._count(ended)
        self.reports.flush_tracers()
        if not ended.clean:
            self._leave(ended, receipt)

    def _forks_from_nothing(self, claim: Claim, request: RunRequest) -> bool:
        """Whether the job was to begin at a checkpoint of one that has been rolled back while this one waited.

        Once the row of that one has expired, what is seen of the thread says so, for a read of its states.
        """
        start = claim.job.start
        if request.checkpoint_id is None or start is None or claim.mark is not None:
            return False
        origin = self.stores.jobs.get(start.checkpoint_thread.rpartition(":")[0])
        if origin is not None:
            return origin.rollback
        thread = self.stores.threads.get(claim.job.thread)
        if thread is None or start in (thread.head, *thread.branches):
            return False  # what was ever a head was not rolled back
        return self.stores.history.find(thread, start.checkpoint_id) is None

    def _count(self, ended: Ended) -> None:
        if ended.stop is Stop.FENCED:
            record(self.reports.metrics, Metric.FENCED_WRITES)
            self.reports.logger.warning("fenced: another worker has taken over")
        if ended.release is not None and ended.release.goes_on:
            record(self.reports.metrics, Metric.HANDOFFS)
        if ended.release is not None:
            self.reports.logger.info("released", extra={"release": ended.release.value})
        self._count_end(ended.job, ended.code)

    def _count_end(self, job: Job | None, code: str | None) -> None:
        if job is None:
            return
        record_end(self.reports.metrics, job.status)
        if job.started_at is not None and job.finished_at is not None:
            record(self.reports.metrics, Metric.RUN_TIME, job.finished_at - job.started_at)
        extra: dict[str, Any] = {"status": job.status.value, "attempt": job.attempt}
        if code is not None:
            extra["code"] = code
        self.reports.logger.info("finished", extra=extra)

    def _leave(self, ended: Ended, receipt: str) -> None:
        """End the process, since something of the graph still runs in it and cannot be stopped."""
        if ended.job is not None or ended.release is not None:
            try:
                self.stores.queue.delete(receipt)
            except (ClientError, BotoCoreError) as error:
                # It comes back, and is acknowledged then: the row says that there is nothing to do.
                self.reports.logger.warning("message not deleted", extra={"error": str(error)})
        self.host.state.restore()
        self.reports.logger.error("a node outlived its job: the process ends with it")
        self.reports.metrics.flush_metrics()
        self.host.exit(70)
