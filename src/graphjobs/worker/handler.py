"""Worker Lambda: an SQS event of one message in, partial batch response out."""

from __future__ import annotations

import asyncio
import math
import os
from collections.abc import Callable
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Final

from graphjobs.aws import clients
from graphjobs.aws.backend import Backend
from graphjobs.aws.claims import Claims
from graphjobs.core.manifest import FUNCTIONS
from graphjobs.observability import log_no_messages
from graphjobs.worker import watchdog
from graphjobs.worker.checkpoints import checkpoint_saver
from graphjobs.worker.graph_loader import GraphLoader, GraphReport
from graphjobs.worker.leftovers import adopt_orphans
from graphjobs.worker.parts import Graphs, Host, Keepalive, Reports, Stores
from graphjobs.worker.scratch import Scratch, lambda_scratch
from graphjobs.worker.secrets import load_secrets
from graphjobs.worker.store import GraphStore, graph_store
from graphjobs.worker.telemetry import logger, metrics
from graphjobs.worker.tracers import flush_tracers
from graphjobs.worker.user_environment import enter_project
from graphjobs.worker.worker import Worker

PRELOAD_SECONDS: Final = 4.0
"""Of the ten that Lambda's init phase has: after these the graphs that are left wait for their first job."""


@lru_cache(maxsize=1)
def worker() -> Worker:
    """The worker of this process."""
    settings = FUNCTIONS["worker"].settings(os.environ)
    adopt_orphans()
    if settings.log_graph_errors != "full":
        log_no_messages(logger)
    backend = Backend(settings, clients.WORKER)
    heartbeat = Backend(settings, clients.HEARTBEAT)
    claims = Claims(backend.jobs, backend.transitions, settings)
    stores = Stores(backend.jobs, backend.log, claims, backend.queue, backend.threads, backend.history)
    keepalive = Keepalive(heartbeat.jobs, heartbeat.queue, watchdog.current())
    saver = checkpoint_saver(settings)
    store = graph_store(settings)
    config = str(Path(settings.config).resolve())
    secrets = clients.secrets_manager(clients.WORKER) if settings.secrets else None
    variables = enter_project(config)  # last: the project's variables are for its graphs, not for the clients above
    if secrets is not None:
        load_secrets(settings.secrets, secrets, os.environ)
    return Worker(
        settings,
        stores,
        keepalive,
        Graphs(
            loader=GraphLoader(config),
            saver=saver,
            states=backend.states,
            store=store,
            # A project whose own `env` sets this one says which model its graphs use, as the built-in ones do.
            model=variables.get("GRAPHJOBS_MODEL"),
            error_detail=settings.error_detail,
        ),
        Host(asyncio.new_event_loop(), scratch=Scratch(lambda_scratch())),
        Reports(
            logger,
            metrics,
            flush_tracers=partial(flush_tracers, logger) if "AWS_LAMBDA_RUNTIME_API" in os.environ else lambda: None,
        ),
    )


def check(*, seconds: float = math.inf) -> list[GraphReport]:
    """Import every graph of the project; a report for each, and one more if the index of its store cannot be had.

    Once `seconds` have passed no further graph is begun with.
    """
    made = worker()
    reason = made.graphs.store.check() if isinstance(made.graphs.store, GraphStore) else ""
    return [*made.graphs.loader.check(seconds=seconds), *([GraphReport("store.index", reason)] if reason else [])]


def begin() -> Callable[[dict[str, Any], Any], dict[str, Any]]:
    """Make the worker, and import its graphs: in the init phase that is cheapest, and SnapStart keeps them.

    A graph that cannot be imported is no failure of the worker: its jobs are told, and others run.

    Raises:
        Exception: there can be no worker.
    """
    for report in check(seconds=PRELOAD_SECONDS):
        if report.reason:
            logger.error("graph cannot be loaded", extra={"graph": report.name, "reason": report.reason})
    return handler


def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Process each record; those that failed are named, and come back."""
    failures = []
    logger.append_keys(function_request_id=context.aws_request_id)
    for message in event["Records"]:
        try:
            worker().process(message, context.get_remaining_time_in_millis())
        except Exception:
            logger.exception("the message will come back", extra={"message_id": message["messageId"]})
            failures.append({"itemIdentifier": message["messageId"]})
    if metrics.metric_set:
        metrics.flush_metrics()
    return {"batchItemFailures": failures}
