"""A worker process: what one Lambda environment of the worker is, with its share of the event source mapping."""

from __future__ import annotations

import os
import signal
import threading
import time
from types import FrameType
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from graphjobs.core.settings import Settings
from graphjobs.local.child import end_with_parent, say_ready
from graphjobs.local.lambda_context import LambdaContext
from graphjobs.local.poller import LONG_POLL_SECONDS, Poller

TIMED_OUT = 124
BETWEEN_FAILURES_SECONDS = 0.5


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


def main() -> None:
    """Poll until told to stop; a message in hand is given up and comes back, as if the environment was reclaimed."""
    end_with_parent()
    settings = Settings.from_env(os.environ, required=("queue_url",))

    def leave(number: int, frame: FrameType | None) -> None:
        os._exit(0)

    signal.signal(signal.SIGTERM, leave)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    from graphjobs.worker.handler import worker

    worker()
    client = boto3.client("sqs", config=Config(read_timeout=LONG_POLL_SECONDS + 10, tcp_keepalive=True))
    attributes = client.get_queue_attributes(QueueUrl=settings.queue_url, AttributeNames=["QueueArn"])
    poller = Poller(
        client,
        settings.queue_url,
        attributes["Attributes"]["QueueArn"],
        lambda event: invoke_with_deadline(event, settings.function_timeout_seconds),
    )
    say_ready()
    while True:
        try:
            poller.poll()
        except (ClientError, BotoCoreError):
            time.sleep(BETWEEN_FAILURES_SECONDS)


if __name__ == "__main__":
    main()
