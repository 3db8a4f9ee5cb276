"""Checkpoints as items of one table: what is in them is bytes here, and knows neither LangGraph nor the graph.

All items of a checkpoint thread are one partition. A body over `LARGE` bytes is in S3, in an object per key: what is
put at a key takes the place of what was there, body and all. Reads are consistent. What fails for a moment is tried
again (`bulk`); a backend that goes on failing is `BackendUnavailable`.
"""

from __future__ import annotations

import hashlib
import zlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from graphjobs.aws import bulk
from graphjobs.aws.bulk import BackendUnavailable, persistently, queried
from graphjobs.aws.schema import CHECKPOINT_TTL_ATTRIBUTE
from graphjobs.core.times import Clock, now_ms
from graphjobs.core.version import NewerVersion, stamp, version_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

PREFIX: Final = "checkpoints"
"""Of large bodies in the payload bucket, which expire by a rule on this prefix."""

LARGE: Final = 350 * 1024
COMPRESS_ABOVE: Final = 600

VERSION: Final = 1
"""Of the items' form; see `graphjobs.core.version`."""


class NewerCheckpoint(BackendUnavailable, NewerVersion):
    """A checkpoint in a form that only a newer release can read."""


@dataclass(frozen=True, slots=True)
class Item:
    """One item.

    Attributes:
        key: its place in the thread's partition, at which another one may be put later.
        namespace: of the checkpoint that it is, or belongs to.
        checkpoint_id: the same.
        body: opaque here.
        is_checkpoint: else it holds pending writes of one.
        needs: keys of items without which `body` cannot be read.
    """

    key: str
    namespace: str
    checkpoint_id: str
    body: bytes
    is_checkpoint: bool = True
    needs: frozenset[str] = frozenset()


class CheckpointTable:
    """The table, and the bucket for what is too large for it."""

    def __init__(
        self,
        dynamodb: DynamoDBClient,
        table: str,
        s3: S3Client,
        bucket: str,
        ttl_seconds: int,
        *,
        clock: Clock = now_ms,
    ) -> None:
        self.dynamodb = dynamodb
        self.s3 = s3
        self._table = table
        self._bucket = bucket
        self._ttl_seconds = ttl_seconds
        self._clock = clock

    def put(self, thread: str, item: Item) -> None:
        """Store one in the place of what is at its key.

        Raises:
            BackendUnavailable, ClientError, BotoCoreError: a fault that lasts; one that no trying again mends.
        """
        body = zlib.compress(item.body, 1) if len(item.body) > COMPRESS_ABOVE else item.body
        deflated = len(body) < len(item.body)
        body = body if deflated else item.body
        attributes: dict[str, Any] = {
            "PK": {"S": thread},
            "SK": {"S": item.key},
            "ns": {"S": item.namespace},
            "id": {"S": item.checkpoint_id},
            CHECKPOINT_TTL_ATTRIBUTE: {"N": str(self._clock() // 1000 + self._ttl_seconds)},
            **stamp(VERSION),
        }
        if not item.is_checkpoint:
            attributes["writes"] = {"BOOL": True}
        if item.needs:
            attributes["needs"] = {"SS": sorted(item.needs)}
        if deflated:
            attributes["deflated"] = {"BOOL": True}
        if len(body) <= LARGE:
            attributes["body"] = {"B": body}
        else:
            object_key = f"{PREFIX}/{thread}/{hashlib.sha256(item.key.encode()).hexdigest()}"
            attributes["object"] = {"S": object_key}
            persistently(lambda: self.s3.put_object(Bucket=self._bucket, Key=object_key, Body=body))
        persistently(lambda: self.dynamodb.put_item(TableName=self._table, Item=attributes))

    def under(self, thread: str, prefix: str) -> list[Item]:
        """The items whose keys begin with `prefix`, in their order."""
        return [self._item(found) for found in self._query(thread, prefix)]

    def get(self, thread: str, keys: Iterable[str]) -> list[Item]:
        """The items at these keys, as far as there are any, in no order."""
        wanted = [{"PK": {"S": thread}, "SK": {"S": key}} for key in sorted(set(keys))]
        return [self._item(found) for found in bulk.got(self.dynamodb, self._table, wanted)]

    def delete(self, thread: str) -> int:
        """Delete all of a thread; how many items there were, with their objects."""
        items = list(self._query(thread, ""))
        for each in items:
            if "object" in each:
                key = each["object"]["S"]
                persistently(partial(self.s3.delete_object, Bucket=self._bucket, Key=key))
        return bulk.delete(self.dynamodb, self._table, ({"PK": each["PK"], "SK": each["SK"]} for each in items))

    def _query(self, thread: str, prefix: str) -> Iterator[Mapping[str, Any]]:
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "PK = :thread AND begins_with(SK, :prefix)" if prefix else "PK = :thread",
            "ExpressionAttributeValues": {":thread": {"S": thread}, **({":prefix": {"S": prefix}} if prefix else {})},
            "ConsistentRead": True,
        }
        return queried(lambda **page: persistently(partial(self.dynamodb.query, **page)), request)

    def _item(self, found: Mapping[str, Any]) -> Item:
        if version_of(found) > VERSION:
            raise NewerCheckpoint(f"Checkpoint {found['SK']['S']} was written by a newer release.")
        if "object" in found:
            key = found["object"]["S"]
            body = persistently(lambda: self.s3.get_object(Bucket=self._bucket, Key=key)["Body"].read())
        else:
            body = bytes(found["body"]["B"])
        return Item(
            key=found["SK"]["S"],
            namespace=found["ns"]["S"],
            checkpoint_id=found["id"]["S"],
            body=zlib.decompress(body) if "deflated" in found else body,
            is_checkpoint="writes" not in found,
            needs=frozenset(found["needs"]["SS"]) if "needs" in found else frozenset(),
        )
