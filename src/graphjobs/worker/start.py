"""What Lambda calls: starts the worker, and looks after the messages of one that cannot be started.

It loads neither LangGraph nor the project, so it works whatever they do. A start that fails must not cost a job the
queue's whole visibility timeout, and must not be tried for ever:

* The message comes back after seconds, and the job's row counts the start. The last of `max_starts` ends the job
  as ``worker_init``.
* The process ends after a start that failed: the next one begins with nothing of it.
* A start may end the process by itself: too much memory, or more time than the init phase has. A file says that one
  was begun; Lambda keeps /tmp when it begins anew in the same environment. Whoever finds the file starts only with a
  message in hand, once that is looked after.
  https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html
"""

from __future__ import annotations

import os
import random
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

from graphjobs.aws import clients
from graphjobs.aws.backend import Backend
from graphjobs.aws.queue import BadMessage, JobQueue, job_id_of, url_of
from graphjobs.aws.transition import new_nonce
from graphjobs.core import lifecycle
from graphjobs.core.change import Refusal
from graphjobs.core.loading import without_collection
from graphjobs.core.manifest import FUNCTIONS
from graphjobs.core.outcome import Cause
from graphjobs.observability import Metric, record, record_end
from graphjobs.worker import watchdog
from graphjobs.worker.telemetry import logger, metrics

Handler = Callable[[dict[str, Any], Any], dict[str, Any]]

BEGUN: Final = Path(tempfile.gettempdir()) / "graphjobs-start-begun"

FIRST_SECONDS: Final = 5
LONGEST_SECONDS: Final = 30
"""How long a message stays away after a start that failed: from the first of these, doubled each time, to the last."""

DIED: Final = "an earlier start in this environment ended the process: out of memory, or out of time"
EXIT_CODE: Final = 71
SNAP_START: Final = "snap-start"


@dataclass(slots=True)
class Start:
    """The start of this process's worker.

    Attributes:
        begin: makes the worker and returns its handler.
        begun: the file that is there while a start is under way.
        exit: ends the process.
    """

    begin: Callable[[], Handler]
    begun: Path = BEGUN
    exit: Callable[[int], Any] = os._exit
    _handler: Handler | None = None
    _error: BaseException | None = None
    _died: bool = field(init=False)
    _seeded: bool = False

    def __post_init__(self) -> None:
        self._died = self.begun.exists()

    def at_init(self) -> None:
        """Start in the init phase, unless a start has ended a process here before.

        Raises:
            BaseException: with SnapStart. Nobody needs a snapshot of a failed start: the deployment fails instead.
        """
        if not self._died:
            self._start()
        if self._error is not None and os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == SNAP_START:
            raise self._error

    def handle(self, event: dict[str, Any], context: Any) -> dict[str, Any]:
        """One SQS event: what the worker answers, once there is one."""
        if not self._seeded and os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == SNAP_START:
            # All environments restored from one snapshot have one state of `random`, which botocore and graphs use.
            random.seed()
        self._seeded = True
        records = event["Records"]
        if self._handler is None and self._error is None:
            if self._died:
                records = [each for each in records if look_after(each, DIED, Cause("WorkerDied"))]
                metrics.flush_metrics()
            if records:
                self._start()
        if self._handler is not None:
            return self._handler(event, context)
        if self._error is not None:
            if not self._died:
                cause = Cause(type(self._error).__name__)
                records = [each for each in records if look_after(each, repr(self._error), cause)]
                metrics.flush_metrics()
            self.exit(EXIT_CODE)
        return {"batchItemFailures": [{"itemIdentifier": each["messageId"]} for each in records]}

    def _start(self) -> None:
        self.begun.touch()
        try:
            with without_collection():
                self._handler = self.begin()
        except (Exception, SystemExit) as error:  # a user's module may raise anything
            logger.exception("the worker cannot be started")
            self._error = error
        self.begun.unlink(missing_ok=True)


def look_after(message: dict[str, Any], why: str, cause: Cause) -> bool:
    """Have the message of a worker that cannot start come back soon, and count that start; whether it comes back.

    It does not if its job is over, has just been ended here for that reason, or need not be looked at.
    """
    receipt, received = message["receiptHandle"], int(message["attributes"]["ApproximateReceiveCount"])
    sqs = clients.sqs(clients.WORKER)
    queue = JobQueue(sqs, os.environ.get("GRAPHJOBS_QUEUE_URL") or url_of(message["eventSourceARN"], sqs))
    seconds = min(LONGEST_SECONDS, FIRST_SECONDS * 2 ** min(received - 1, 8))
    record(metrics, Metric.START_FAILURES)
    try:
        # First, since whatever follows may fail too.
        queue.set_visibility(receipt, seconds)
        if not _counted(job_id_of(message["body"]), why, cause):
            queue.delete(receipt)
            return False
    except BadMessage:
        logger.error("no worker for a message that names no job", extra={"message_id": message["messageId"]})
    except Exception:  # whatever cannot be done, the message comes back
        logger.exception("the start that failed cannot be counted")
    return True


def _counted(job_id: str, why: str, cause: Cause) -> bool:
    """Count the start in the job's row, which the last one ends; whether there is still something to run."""
    settings = FUNCTIONS["worker"].settings(os.environ)
    transitions = Backend(settings, clients.WORKER).transitions
    shown = None if settings.error_detail == "none" else cause
    rule = partial(lifecycle.start_failed, policy=lifecycle.Policy.of(settings), cause=shown)
    applied = transitions.commit(job_id, rule, nonce=new_nonce())
    if isinstance(applied, Refusal):
        return False
    job = applied.job
    extra: dict[str, Any] = {"job_id": job_id, "cause": why, "starts": job.start_failures, "status": job.status.value}
    extra |= {"code": applied.code} if applied.code else {}
    logger.error("no worker could be started for the job", extra=extra)
    if job.status.terminal:
        record_end(metrics, job.status)
    return not job.status.terminal


def _begin() -> Handler:
    watchdog.start(FUNCTIONS["worker"].settings(os.environ), logger)  # while this process is small, and has one thread
    # Here, since it is this import that may fail.
    from graphjobs.worker.handler import begin

    return begin()


start: Final = Start(_begin)
handler: Final = start.handle

if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    start.at_init()  # the init phase has a full CPU, and is what SnapStart keeps
