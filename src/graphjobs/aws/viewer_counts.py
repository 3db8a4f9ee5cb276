"""How many streams were opened of a job, or of an owner's jobs, in a stretch of time: a counter for each.

Opens are counted, and not connections: where a stream has a process of its own, as on Lambda, nobody sees that a client
has left before the connection's window is over, and until then it costs what a viewer costs. With a stretch as long as
the window no more than twice the limit are ever open. A counter is an item of its own, which nothing else reads, and
is gone by its TTL.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from botocore.exceptions import ClientError

from graphjobs.aws.clients import error_code

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

KEPT_SECONDS: Final = 3_600
PREFIX: Final = "viewers#"
"""Of a counter's key."""


@dataclass(frozen=True, slots=True)
class ViewerCounts:
    """The counters, in the Jobs table."""

    client: DynamoDBClient
    table: str

    def admit(self, subject: str, limit: int, *, now: int, stretch_ms: int) -> bool:
        """Count one open for `subject`; False if there were `limit` in this stretch, and it is not counted.

        One write unit either way.

        Raises:
            ClientError, BotoCoreError: as DynamoDB answers; it may have been counted.
        """
        stretch = now // stretch_ms
        ends = (stretch + 1) * stretch_ms // 1000
        digest = hashlib.sha256(subject.encode("utf-8", "surrogatepass")).hexdigest()
        try:
            self.client.update_item(
                TableName=self.table,
                Key={"pk": {"S": f"{PREFIX}{digest}#{stretch}"}},
                UpdateExpression="ADD opens :one SET expires_at = :expires",
                ConditionExpression="attribute_not_exists(opens) OR opens < :limit",
                ExpressionAttributeValues={
                    ":one": {"N": "1"},
                    ":limit": {"N": str(limit)},
                    ":expires": {"N": str(ends + KEPT_SECONDS)},
                },
            )
        except ClientError as error:
            if error_code(error) == "ConditionalCheckFailedException":
                return False
            raise
        return True
