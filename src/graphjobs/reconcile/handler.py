"""Scheduled: look after the jobs that nothing else will bring to an end."""

from __future__ import annotations

import os
from functools import lru_cache
from typing import Any

from graphjobs.aws.backend import Backend
from graphjobs.core.manifest import FUNCTIONS
from graphjobs.observability import ENDS, Metric, record
from graphjobs.observability import logger as make_logger
from graphjobs.observability import metrics as make_metrics
from graphjobs.reconcile.service import Done, Reconciler, Stores

logger = make_logger("reconcile")
metrics = make_metrics("reconcile")


class Incomplete(RuntimeError):
    """A run that could not treat all that was due."""


@lru_cache(maxsize=1)
def reconciler() -> Reconciler:
    """The reconciler of this process."""
    settings = FUNCTIONS["reconcile"].settings(os.environ)
    backend = Backend(settings)
    stores = Stores(backend.jobs, backend.transitions, backend.queue, backend.threads, backend.erasure)
    return Reconciler(stores, settings, logger, on_end=lambda job: record(metrics, ENDS[job.status]))


def handler(event: dict[str, Any], context: Any) -> dict[str, int]:
    """Run once; returns how many jobs were treated how.

    Raises:
        Incomplete: some could not be; the others were. An alarm counts these, and the next run tries again.
    """
    record(metrics, Metric.JOBS_FAILED, 0)  # there from the first run on: see `record_end`
    counts = reconciler().run()
    stuck = counts[Done.SENT] + counts[Done.ENDED]
    record(metrics, Metric.STUCK_JOBS, stuck)
    metrics.flush_metrics()
    if stuck or counts[Done.WAITING]:
        logger.info("reconciled", extra={done.value: count for done, count in counts.items()})
    if counts[Done.FAILED]:
        raise Incomplete(f"{counts[Done.FAILED]} due jobs or shards could not be treated.")
    return {done.value: count for done, count in counts.items()}


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    reconciler()
