"""Logs and metrics: the one logger and metrics provider of each function, and the names of all metrics.

Logs are JSON lines of Powertools' Logger; metrics are CloudWatch's embedded metric format, written with the
logs, so that no call is made for them. Tokens and tickets never reach either: `redact` is applied to every
message, and no handler logs its event.
"""

from __future__ import annotations

import logging
import re
from enum import StrEnum
from typing import Any, Final

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit

NAMESPACE: Final = "graphjobs"


class Metric(StrEnum):
    """Every metric, with its unit where that is not a count."""

    JOBS_CREATED = "JobsCreated"
    JOBS_COMPLETED = "JobsCompleted"
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


MILLISECONDS: Final = frozenset({Metric.QUEUE_WAIT, Metric.SUBMIT_TO_FIRST_EVENT, Metric.RUN_TIME, Metric.DELIVERY_LAG})

_SECRET: Final = re.compile(r"(?i)(bearer\s+|ticket=)[^\s\"'&,}]+|eyJ[\w-]+\.[\w-]+\.[\w-]*")


def redact(text: str) -> str:
    """`text` without the tokens and tickets in it."""
    return _SECRET.sub(lambda match: (match.group(1) or "") + "[redacted]", text)


class RedactingFilter(logging.Filter):
    """Takes tokens and tickets out of a record's message, whatever put them there."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Rewrite the record; always keep it."""
        message = record.getMessage()
        clean = redact(message)
        if clean != message:
            record.msg, record.args = clean, None
        return True


def logger(service: str) -> Logger:
    """The logger of a function, with `service` on every line."""
    log = Logger(service=service)
    # Powertools gives one standard logger a service, however often it is asked.
    if not any(isinstance(existing, RedactingFilter) for existing in logging.getLogger(service).filters):
        log.addFilter(RedactingFilter())
    return log


def metrics(service: str) -> Metrics:
    """The metrics of a function, with `service` as their dimension."""
    return Metrics(namespace=NAMESPACE, service=service)


def record(sink: Any, metric: Metric, value: float = 1) -> None:
    """Add one value to `sink` (a Powertools `Metrics`), in the metric's unit."""
    unit = MetricUnit.Milliseconds if metric in MILLISECONDS else MetricUnit.Count
    sink.add_metric(name=metric.value, unit=unit, value=value)
