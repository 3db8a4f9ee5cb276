"""The queue: one SQS message says "look at this job"; it carries the id and nothing else.

A message is a hint, never the truth: a duplicate, a late or a lost one changes nothing that the row says.
"""

from __future__ import annotations

import hashlib
import json
import logging
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from graphjobs.core.job import is_job_id

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

RESEND_AFTER_MS: Final = 900_000
"""A queued job's message is taken for lost after this long, then twice as long: a backlog breeds few messages."""


logger = logging.getLogger(__name__)


UNSENT_GRACE_MS: Final = 15_000
"""A job that may run and still has no message after this long was left by a crash."""

MAX_DELAY_SECONDS: Final = 900
"""The longest that SQS holds a message back."""


class BadMessage(ValueError):
    """A message body that names no job."""


class JobQueue:
    """The queue of jobs to look at."""

    def __init__(self, client: SQSClient, url: str) -> None:
        self._client = client
        self._url = url

    def send(self, job_id: str, owner: str, *, delay_seconds: int = 0) -> None:
        """Send a message for `job_id` of `owner`, seen by workers after `delay_seconds` (0 to 900).

        The message names its owner's group, which makes the queue a fair one: an owner who holds many workers waits
        behind those who hold few. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-fair-queues.html
        """
        self._client.send_message(
            QueueUrl=self._url,
            MessageBody=message_body(job_id),
            MessageGroupId=group_of(owner),
            DelaySeconds=delay_seconds,
        )

    def announce(self, job_id: str, owner: str) -> None:
        """`send` for a job that the reconciler would find anyway: a failure is noted, not raised."""
        try:
            self.send(job_id, owner)
        except (ClientError, BotoCoreError) as error:
            logger.warning("a message was not sent, the reconciler will do it: %s", error)

    def set_visibility(self, receipt_handle: str, seconds: int) -> None:
        """Let a received message come back in `seconds` from now (0 to 43,200)."""
        self._client.change_message_visibility(
            QueueUrl=self._url, ReceiptHandle=receipt_handle, VisibilityTimeout=seconds
        )

    def delete(self, receipt_handle: str) -> None:
        """Delete a received message."""
        self._client.delete_message(QueueUrl=self._url, ReceiptHandle=receipt_handle)


def url_of(arn: str, client: SQSClient) -> str:
    """The URL of the queue `arn`, as far as `client` is of its region."""
    account, name = arn.split(":")[4:6]
    return f"{client.meta.endpoint_url.rstrip('/')}/{account}/{name}"


def group_of(owner: str) -> str:
    """The message group of an owner: 32 characters that say nothing of who it is."""
    return hashlib.sha256(owner.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def message_body(job_id: str) -> str:
    """The body of the message for `job_id`."""
    return json.dumps({"job_id": job_id})


def job_id_of(body: str) -> str:
    """The job id in a message body.

    Raises:
        BadMessage: it is not such a body.
    """
    try:
        job_id = json.loads(body)["job_id"]
    except (ValueError, KeyError, TypeError):
        raise BadMessage("The message body is not a JSON object with a job_id.") from None
    if not isinstance(job_id, str) or not is_job_id(job_id):
        raise BadMessage("The job_id of the message is none.")
    return job_id
