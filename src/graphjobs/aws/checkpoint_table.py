"""Checkpoints as items of one table: what is in them is bytes here, and knows neither LangGraph nor the graph.

All items of a checkpoint thread are one partition. A body over `LARGE` bytes is in S3, in an object per key: what is
put at a key takes the place of what was there, body and all. Reads are consistent. What fails for a moment is tried
again, by botocore and then here, so each call may be made twice. A backend that goes on failing is
`CheckpointsUnavailable`, which says nothing of the graph.
"""

from __future__ import annotations

import hashlib
import time
import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Final, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from graphjobs.aws.clients import is_transient
from graphjobs.aws.retry import Retry
from graphjobs.aws.schema import CHECKPOINT_TTL_ATTRIBUTE
from graphjobs.core.version import NewerVersion, stamp, version_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

T = TypeVar("T")

PREFIX: Final = "checkpoints"
"""Of large bodies in the payload bucket, which expire by a rule on this prefix."""

LARGE: Final = 350 * 1024
COMPRESS_ABOVE: Final = 600
PATIENCE: Final = Retry(tries=10, seconds=30)
BATCH_GET: Final = 100
BATCH_WRITE: Final = 25


VERSION: Final = 1
"""Of the items' form; see `graphjobs.core.version`."""


class CheckpointsUnavailable(RuntimeError):
    """The backend of the checkpoints is failing for now: says nothing of the graph."""


class NewerCheckpoint(CheckpointsUnavailable, NewerVersion):
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

    def __init__(self, dynamodb: DynamoDBClient, table: str, s3: S3Client, bucket: str, ttl_seconds: int) -> None:
        self.dynamodb = dynamodb
        self.s3 = s3
        self._table = table
        self._bucket = bucket
        self._ttl_seconds = ttl_seconds

    def put(self, thread: str, item: Item) -> None:
        """Store one in the place of what is at its key.

        Raises:
            CheckpointsUnavailable, ClientError, BotoCoreError: a fault that lasts; one that no trying again mends.
        """
        body = zlib.compress(item.body, 1) if len(item.body) > COMPRESS_ABOVE else item.body
        deflated = len(body) < len(item.body)
        body = body if deflated else item.body
        attributes: dict[str, Any] = {
            "PK": {"S": thread},
            "SK": {"S": item.key},
            "ns": {"S": item.namespace},
            "id": {"S": item.checkpoint_id},
            CHECKPOINT_TTL_ATTRIBUTE: {"N": str(int(time.time()) + self._ttl_seconds)},
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
        found: list[Item] = []
        for some in _chunks(wanted, BATCH_GET):
            request = {self._table: {"Keys": some, "ConsistentRead": True}}
            for answer in until_taken(lambda left: self.dynamodb.batch_get_item(RequestItems=left), request):
                found += [self._item(each) for each in answer["Responses"].get(self._table, [])]
        return found

    def delete(self, thread: str) -> int:
        """Delete all of a thread; how many items there were, with their objects."""
        items = list(self._query(thread, ""))
        for each in items:
            if "object" in each:
                key = each["object"]["S"]
                persistently(partial(self.s3.delete_object, Bucket=self._bucket, Key=key))
        requests = [{"DeleteRequest": {"Key": {"PK": each["PK"], "SK": each["SK"]}}} for each in items]
        for some in _chunks(requests, BATCH_WRITE):
            for _ in until_taken(lambda left: self.dynamodb.batch_write_item(RequestItems=left), {self._table: some}):
                pass
        return len(items)

    def _query(self, thread: str, prefix: str) -> Iterator[Mapping[str, Any]]:
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "PK = :thread AND begins_with(SK, :prefix)" if prefix else "PK = :thread",
            "ExpressionAttributeValues": {":thread": {"S": thread}, **({":prefix": {"S": prefix}} if prefix else {})},
            "ConsistentRead": True,
        }
        while True:
            answer = persistently(lambda: self.dynamodb.query(**request))
            yield from answer["Items"]
            if "LastEvaluatedKey" not in answer:
                return
            request["ExclusiveStartKey"] = answer["LastEvaluatedKey"]

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


def persistently(call: Callable[[], T]) -> T:
    """The answer to `call`, in which what fails for a moment is tried again.

    Raises:
        CheckpointsUnavailable: it failed for long.
    """
    failure: Exception | None = None
    for _ in PATIENCE:
        try:
            return call()
        except (ClientError, BotoCoreError) as error:
            if not is_transient(error):
                raise
            failure = error
    raise CheckpointsUnavailable(str(failure)) from failure


def until_taken(send: Callable[[Any], Any], request: Any) -> Iterator[Any]:
    """The answers to a batch, of which DynamoDB takes what it has capacity for; `send` again what it has left."""
    for _ in PATIENCE:
        answer = persistently(partial(send, request))
        yield answer
        request = answer.get("UnprocessedKeys") or answer.get("UnprocessedItems")
        if not request:
            return
    raise CheckpointsUnavailable("A batch was not taken whole.")


def _chunks(items: list[dict[str, Any]], size: int) -> Iterator[list[dict[str, Any]]]:
    return (items[start : start + size] for start in range(0, len(items), size))
