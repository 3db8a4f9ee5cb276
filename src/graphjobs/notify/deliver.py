"""Delivers webhooks from their queue, one message each: signed, retried with growing pauses, then a dead letter.

The receiver answers with 2xx within ten seconds. 410 says that it wants no more; an address that we do not call will
not become one that we do: both end the delivery. Anything else is tried again.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Protocol

from botocore.exceptions import BotoCoreError, ClientError

from graphjobs.auth.ticket_keys import SecretKeyring
from graphjobs.aws import clients as aws
from graphjobs.aws.backend import Backend
from graphjobs.aws.queue import JobQueue
from graphjobs.core.manifest import FUNCTIONS
from graphjobs.http.public_url import UrlRefused
from graphjobs.notify.sending import DeliveryFailed, post
from graphjobs.notify.signature import signed_headers
from graphjobs.observability import Metric, record
from graphjobs.observability import logger as make_logger
from graphjobs.observability import metrics as make_metrics

if TYPE_CHECKING:
    from graphjobs.aws.job_store import JobStore

FIRST_PAUSE_SECONDS: Final = 10
LONGEST_PAUSE_SECONDS: Final = 3 * 3_600
GONE: Final = 410

logger = make_logger("deliver_webhook")
metrics = make_metrics("deliver_webhook")


class Post(Protocol):
    """Sends a body and gives the status of the answer; see `sending.post`."""

    def __call__(self, url: str, body: bytes, headers: Mapping[str, str], *, private: bool = False) -> int: ...


@dataclass(frozen=True, slots=True)
class Delivery:
    """Delivers the webhook of one change."""

    jobs: JobStore
    keys: SecretKeyring
    private: bool
    post: Post = post
    clock: Callable[[], float] = time.time

    def deliver(self, body: str) -> None:
        """Send `body`, as `StatusChange.body` made it, to the webhook of its job; none if the job is gone.

        Raises:
            DeliveryFailed: it is to be sent again.
            AuthUnavailable, ClientError, BotoCoreError: the same.
        """
        message = json.loads(body)
        url = self.jobs.webhook(message["data"]["job_id"])
        if url is None:
            return
        kid, key = self.keys.current()
        sent = body.encode()
        headers = {
            "content-type": "application/json",
            "user-agent": "graphjobs",
            **signed_headers(message["id"], sent, kid=kid, key=key, seconds=int(self.clock())),
        }
        try:
            status = self.post(url, sent, headers, private=self.private)
        except UrlRefused as error:
            logger.warning("webhook refused", extra={"change": message["id"], "error": str(error)})
            return
        if status == GONE:
            logger.warning("webhook gone", extra={"change": message["id"]})
        elif not 200 <= status < 300:
            raise DeliveryFailed(f"the receiver answered {status}")


def pause_seconds(receives: int) -> int:
    """How long a message waits after its try number `receives`: 10 s, 40 s, 160 s, ... up to three hours."""
    return int(min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 4 ** (receives - 1)))


@lru_cache(maxsize=1)
def wiring() -> tuple[Delivery, JobQueue]:
    """What this function is made of."""
    settings = FUNCTIONS["deliver_webhook"].settings(os.environ)
    keys = SecretKeyring(aws.secrets_manager(), settings.webhook_secret)
    private = settings.webhook_hosts == "any"
    return Delivery(Backend(settings).jobs, keys, private), JobQueue(aws.sqs(), settings.webhooks_url)


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Deliver each message; those that failed are named, and come back after a pause."""
    delivery, queue = wiring()
    failures = []
    for message in event["Records"]:
        try:
            delivery.deliver(message["body"])
            record(metrics, Metric.WEBHOOKS_DELIVERED)
        except Exception as error:
            logger.warning("not delivered, tried again", extra={"error": str(error)})
            record(metrics, Metric.WEBHOOKS_FAILED)
            failures.append({"itemIdentifier": message["messageId"]})
            _later(queue, message)
    metrics.flush_metrics()
    return {"batchItemFailures": failures}


def _later(queue: JobQueue, message: Mapping[str, Any]) -> None:
    receives = int(message["attributes"]["ApproximateReceiveCount"])
    try:
        queue.set_visibility(message["receiptHandle"], pause_seconds(receives))
    except (ClientError, BotoCoreError) as error:
        logger.warning("visibility not changed", extra={"error": str(error)})


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    wiring()
