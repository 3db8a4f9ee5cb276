"""The SQS event source mapping: receives messages, builds the Lambda event, honours what the function answers."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

LONG_POLL_SECONDS = 10

logger = logging.getLogger("graphjobs.local.poller")


def sqs_event(message: dict[str, Any], queue_arn: str) -> dict[str, Any]:
    """The Lambda event for one received message: batch size 1."""
    record = {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": message.get("MessageAttributes", {}),
        "md5OfBody": message.get("MD5OfBody")
        or hashlib.md5(message["Body"].encode(), usedforsecurity=False).hexdigest(),
        "eventSource": "aws:sqs",
        "eventSourceARN": queue_arn,
        "awsRegion": queue_arn.split(":")[3],
    }
    return {"Records": [record]}


@dataclass(slots=True)
class Poller:
    """Feeds one function from one queue."""

    client: SQSClient
    queue_url: str
    queue_arn: str
    invoke: Callable[[dict[str, Any]], Any]

    def poll(self, *, wait_seconds: int = LONG_POLL_SECONDS) -> bool:
        """Receive at most one message and see it through; returns whether there was one.

        It is deleted unless the function raises or names it in ``batchItemFailures``; then it comes back when
        its visibility runs out.
        """
        answer = self.client.receive_message(
            QueueUrl=self.queue_url,
            MaxNumberOfMessages=1,
            WaitTimeSeconds=wait_seconds,
            AttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        for message in answer.get("Messages", []):
            if self._succeeds(dict(message)):
                self.client.delete_message(QueueUrl=self.queue_url, ReceiptHandle=message["ReceiptHandle"])
        return bool(answer.get("Messages"))

    def _succeeds(self, message: dict[str, Any]) -> bool:
        try:
            result = self.invoke(sqs_event(message, self.queue_arn))
        except Exception:
            logger.exception("the function failed; message %s comes back", message["MessageId"])
            return False
        failures = (result or {}).get("batchItemFailures", [])
        return message["MessageId"] not in {failure["itemIdentifier"] for failure in failures}
