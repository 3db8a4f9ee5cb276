"""What the Jobs table's stream calls: each change of a job's status goes to the event bus, and to the webhook's queue.

At least once, in the order of the job's changes. A record that cannot be told is reported to Lambda, which comes
again with it and with all that follow it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from graphjobs.aws import clients as aws
from graphjobs.core.manifest import FUNCTIONS
from graphjobs.notify.change import StatusChange, status_change
from graphjobs.observability import logger as make_logger

if TYPE_CHECKING:
    from mypy_boto3_sqs import SQSClient

SOURCE: Final = "graphjobs"
DETAIL_TYPE: Final = "graphjobs Job Status Change"

logger = make_logger("publish_status")


class NotTaken(Exception):
    """The event bus did not take the event."""


@dataclass(frozen=True, slots=True)
class Publisher:
    """Tells of changes.

    Attributes:
        bus: name of the event bus; empty for none.
        webhooks_url: the queue of webhooks; empty for none.
    """

    events: Any
    sqs: SQSClient
    bus: str
    webhooks_url: str

    def publish(self, change: StatusChange) -> None:
        """Tell of one change.

        Raises:
            NotTaken, ClientError, BotoCoreError: it is to be told again; what was told twice has the same id.
        """
        body = change.body()
        if self.bus:
            entry: Any = {
                "Source": SOURCE,
                "DetailType": DETAIL_TYPE,
                "Detail": json.dumps(body, ensure_ascii=False),
                "EventBusName": self.bus,
            }
            answer = self.events.put_events(Entries=[entry])
            if answer["FailedEntryCount"]:
                raise NotTaken(answer["Entries"][0].get("ErrorCode", "unknown"))
        if self.webhooks_url and change.has_webhook and change.job.status.terminal:
            self.sqs.send_message(QueueUrl=self.webhooks_url, MessageBody=json.dumps(body, ensure_ascii=False))


@lru_cache(maxsize=1)
def publisher() -> Publisher:
    """The publisher of this process."""
    settings = FUNCTIONS["publish_status"].settings(os.environ)
    return Publisher(aws.events(), aws.sqs(), settings.event_bus, settings.webhooks_url)


def handler(event: Mapping[str, Any], context: Any) -> dict[str, Any]:
    """Tell of each record; the first one that cannot be told is where Lambda comes again."""
    for record in event["Records"]:
        change = status_change(record)
        if change is None:
            continue
        try:
            publisher().publish(change)
        except (NotTaken, ClientError, BotoCoreError) as error:
            logger.warning("not told, tried again", extra={"change": change.id, "error": str(error)})
            return {"batchItemFailures": [{"itemIdentifier": record["dynamodb"]["SequenceNumber"]}]}
        logger.info("told", extra={"change": change.id})
    return {"batchItemFailures": []}


if "AWS_LAMBDA_RUNTIME_API" in os.environ:
    publisher()
