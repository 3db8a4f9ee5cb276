"""A worker process: what one Lambda environment of the worker is, with its share of the event source mapping.

It is forked by `worker_pool`, tells it what it does, and ends with it.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Final

from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from graphjobs.aws import clients as aws
from graphjobs.aws.queue import BadMessage, job_id_of
from graphjobs.core.settings import Settings
from graphjobs.local.lambda_context import LambdaContext
from graphjobs.local.log_notes import LogNotes
from graphjobs.local.notes import GRAPHS, RELOADED, STARTED, Note
from graphjobs.local.poller import LONG_POLL_SECONDS, Poller
from graphjobs.local.source_watch import SourceWatch

TIMED_OUT: Final = 124
RELOAD: Final = 75
"""Exit codes: the function's time was over; a file has changed and a fresh process should load it."""

TAKEN: Final = "taken"
IDLE: Final = "idle"
"""Notes for the pool alone: the message in hand, and that there is none."""

BETWEEN_FAILURES_SECONDS: Final = 0.5
PARENT_SECONDS: Final = 0.2


def main(pipe: Connection, log: Path, project: Path) -> None:
    """Poll until told to stop; a message in hand is given up and comes back, as if the environment was reclaimed.

    Args:
        pipe: takes the notes, as objects.
        log: where standard output and standard error go.
        project: the ``langgraph.json``.
    """
    _write_to(log)
    settings = Settings.from_env(os.environ, required=("queue_url",))
    _start_watchdog(settings)  # before there is another thread
    _end_with_parent()
    signal.signal(signal.SIGTERM, lambda number, frame: os._exit(0))
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    process = WorkerProcess(settings, pipe.send, SourceWatch(project.parent, [project]))
    pipe.send({"note": STARTED, "pid": os.getpid()})
    process.run()


class WorkerProcess:
    """Feeds the worker of this process."""

    def __init__(self, settings: Settings, send: Callable[[Note], object], watch: SourceWatch) -> None:
        from graphjobs.worker.handler import worker
        from graphjobs.worker.telemetry import logger

        self._settings = settings
        self._send = send
        self._watch = watch
        # Before the worker: what the project's environment says of AWS is not for this one.
        self._client = aws.sqs(Config(read_timeout=LONG_POLL_SECONDS + 10, tcp_keepalive=True))
        worker()
        logger.addHandler(LogNotes(send, logger.get_current_keys))
        name = settings.queue_url.rpartition("/")[2]
        arn = f"arn:aws:sqs:{self._client.meta.region_name}:000000000000:{name}"
        self._poller = Poller(self._client, settings.queue_url, arn, self._invoke)

    def run(self) -> None:
        """Import every graph and say how that went; then poll for ever."""
        from graphjobs.worker.handler import check

        self._send({"note": GRAPHS, "reports": [[report.name, report.reason] for report in check()]})
        self._watch.look()
        while True:
            try:
                self._poller.poll()
            except (ClientError, BotoCoreError):
                time.sleep(BETWEEN_FAILURES_SECONDS)

    def _invoke(self, event: dict[str, Any]) -> Any:
        (record,) = event["Records"]
        changed = self._watch.changed()
        if changed is not None:
            self._client.change_message_visibility(
                QueueUrl=self._settings.queue_url, ReceiptHandle=record["receiptHandle"], VisibilityTimeout=0
            )
            self._send({"note": RELOADED, "file": str(changed)})
            os._exit(RELOAD)
        self._send({"note": TAKEN, "job_id": _job_id(record["body"]), "receipt": record["receiptHandle"]})
        try:
            return invoke_with_deadline(event, self._settings.function_timeout_seconds)
        finally:
            self._watch.look()
            self._send({"note": IDLE})


def invoke_with_deadline(event: dict[str, Any], seconds: float) -> Any:
    """Call the worker; like Lambda, end the whole process when the time is over."""
    from graphjobs.worker.handler import handler

    watchdog = threading.Timer(seconds, os._exit, args=(TIMED_OUT,))
    watchdog.daemon = True
    watchdog.start()
    try:
        return handler(event, LambdaContext("worker", time.monotonic() + seconds))
    finally:
        watchdog.cancel()


def _job_id(body: str) -> str | None:
    """The job that a message is of; None if it names none, which the worker itself refuses."""
    try:
        return job_id_of(body)
    except BadMessage:
        return None


def _write_to(log: Path) -> None:
    sys.stdout.flush()
    sys.stderr.flush()
    with log.open("ab") as file:
        os.dup2(file.fileno(), 1)
        os.dup2(file.fileno(), 2)
    # Programs that a node starts find it empty, as on Lambda, and not the pipe by which the supervisor holds the pool.
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123
        os.dup2(nothing.fileno(), 0)


def _start_watchdog(settings: Settings) -> None:
    from graphjobs.worker import watchdog
    from graphjobs.worker.telemetry import logger

    watchdog.start(settings, logger)


def _end_with_parent() -> None:
    """End this process when the pool has ended, however it did: a killed pool cannot say so."""
    parent = os.getppid()

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(PARENT_SECONDS)
        os._exit(0)

    threading.Thread(target=watch, name="parent-watch", daemon=True).start()
