"""Logs and metrics: the one logger and metrics provider of each function, and the names of all metrics.

Logs are JSON lines of Powertools' Logger; metrics are CloudWatch's embedded metric format, written with the
logs, so that no call is made for them. Tokens and tickets never reach either: `redact` is applied to every
line, and no handler logs its event.
"""

from __future__ import annotations

import json
import logging
import os
import re
import traceback
from enum import StrEnum
from io import TextIOBase
from typing import Any, Final, TextIO, cast

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

from graphjobs.core.job import Status

NAMESPACE: Final = "graphjobs"
"""Unless POWERTOOLS_METRICS_NAMESPACE is set, as in a deployment: each stage's metrics are its own."""


class Metric(StrEnum):
    """Every metric, with its unit where that is not a count."""

    JOBS_CREATED = "JobsCreated"
    JOBS_COMPLETED = "JobsCompleted"
    JOBS_INTERRUPTED = "JobsInterrupted"
    JOBS_FAILED = "JobsFailed"
    JOBS_CANCELLED = "JobsCancelled"
    QUEUE_WAIT = "QueueWait"
    SUBMIT_TO_FIRST_EVENT = "SubmitToFirstEvent"
    RUN_TIME = "RunTime"
    DELIVERY_LAG = "DeliveryLag"
    ATTEMPTS = "Attempts"
    FENCED_WRITES = "FencedWrites"
    HANDOFFS = "HandOffs"
    OPEN_STREAMS = "OpenStreams"
    STUCK_JOBS = "StuckJobs"
    START_FAILURES = "StartFailures"
    CANARY_PASSES = "CanaryPasses"
    WEBHOOKS_DELIVERED = "WebhooksDelivered"
    WEBHOOKS_FAILED = "WebhooksFailed"


ENDS: Final = {
    Status.COMPLETED: Metric.JOBS_COMPLETED,
    Status.INTERRUPTED: Metric.JOBS_INTERRUPTED,
    Status.FAILED: Metric.JOBS_FAILED,
    Status.CANCELLED: Metric.JOBS_CANCELLED,
}
"""What counts the jobs that ended so; whoever ends a job counts it."""

MILLISECONDS: Final = frozenset({Metric.QUEUE_WAIT, Metric.SUBMIT_TO_FIRST_EVENT, Metric.RUN_TIME, Metric.DELIVERY_LAG})

_SECRET: Final = re.compile(r"(?i)(bearer\s+|ticket=)[^\s\"'&,}\\]+|eyJ[\w-]+\.[\w-]+\.[\w-]*")


def redact(text: str) -> str:
    """`text` without the tokens and tickets in it."""
    return _SECRET.sub(lambda match: (match.group(1) or "") + "[redacted]", text)


_OWN: dict[str, logging.Logger] = {}


def own_logger(service: str) -> logging.Logger:
    """What the logger of `service` writes through; `logging.getLogger` does not know it once it is made."""
    return _OWN.get(service) or logging.getLogger(service)


def logger(service: str, stream: TextIOBase | TextIO | None = None) -> Logger:
    """The logger of a function, with `service` and the deployment's `release` on every line, on `stream` or stdout.

    Nobody else can reach it: `logging.config`, `logging.disable` and a `getLogger` of its name do not concern it.

    Times are of RFC 3339: where Lambda itself has no part in logging, as behind the adapter, it takes a line with any
    other for INFO.
    """
    registered = logging.root.manager.loggerDict
    if service in _OWN:
        registered[service] = _OWN[service]
    made = Logger(service=service, json_serializer=_line, use_rfc3339=True, stream=cast(Any, stream))
    own = _OWN[service] = logging.getLogger(service)  # Powertools', by its name
    del registered[service]
    own.manager = logging.Manager(logging.RootLogger(logging.WARNING))
    if os.environ.get("GRAPHJOBS_RELEASE"):
        made.append_keys(release=os.environ["GRAPHJOBS_RELEASE"])
    return made


def _line(members: dict[str, Any]) -> str:
    """A log line, redacted as a whole: a credential may be in the message, a member or an exception alike."""
    return redact(json.dumps(members, default=str, separators=(",", ":"), ensure_ascii=False))


class _NoMessages(logging.Filter):
    """Keeps of an exception its type and where it was raised; its message may quote what users wrote."""

    def filter(self, record: logging.LogRecord) -> bool:
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            record.exc_info = record.exc_text = None
            record.error_type = f"{type(error).__module__}.{type(error).__qualname__}"
            frames = traceback.extract_tb(error.__traceback__)
            record.raised_at = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
        return True


def log_no_messages(logger: Logger) -> None:
    """Let `logger` write no text of an exception any more: its type and its places in the code only."""
    logger.addFilter(_NoMessages())


def metrics(service: str) -> Metrics:
    """The metrics of a function, with `service` as their dimension."""
    return Metrics(namespace=os.environ.get("POWERTOOLS_METRICS_NAMESPACE") or NAMESPACE, service=service)


def record_end(sink: Any, status: Status) -> None:
    """Count that a worker has ended a job: 1 of its kind, and 0 failed or completed.

    So both are there from the first job on. An alarm on their ratio needs both: CloudWatch fills gaps of a metric, and
    may have nothing to fill of one that never was.
    """
    record(sink, ENDS[status])
    for metric in {Metric.JOBS_FAILED, Metric.JOBS_COMPLETED} - {ENDS[status]}:
        record(sink, metric, 0)


def record(sink: Any, metric: Metric, value: float = 1) -> None:
    """Add one value to `sink` (a Powertools `Metrics`), in the metric's unit."""
    unit = MetricUnit.Milliseconds if metric in MILLISECONDS else MetricUnit.Count
    sink.add_metric(name=metric.value, unit=unit, value=value)
