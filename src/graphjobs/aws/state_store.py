"""Records of the states of threads, in the Checkpoints table: all those of a thread are one partition.

A body over `INLINE_BYTES` as stored is an object in S3, written before the item that names it: from there on that is
cheaper than DynamoDB, and what must be read to tell which states are visible stays small.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from graphjobs.aws import bulk
from graphjobs.aws.clients import error_code
from graphjobs.aws.schema import CHECKPOINT_TTL_ATTRIBUTE
from graphjobs.core.event_log import Fenced
from graphjobs.core.state_record import StateNote, StateRecord
from graphjobs.core.thread import Position, position_attribute, position_from_attribute
from graphjobs.core.times import Clock, now_ms
from graphjobs.core.version import ATTRIBUTE, NewerVersion, stamp, version_of

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

PREFIX: Final = "states"
"""Of large bodies in the payload bucket, which expire by a rule on this prefix."""

INLINE_BYTES: Final = 8 * 1024
COMPRESS_ABOVE: Final = 600
READERS: Final = 8
"""Bodies that are fetched from S3 at the same time."""

VERSION: Final = 1
"""Of a record's form; see `graphjobs.core.version`."""

NOTE: Final = ("position", "parent", "job", "epoch", "asks", ATTRIBUTE, CHECKPOINT_TTL_ATTRIBUTE)
"""Attributes of a record without its body."""


class StateStore:
    """The records of all threads. Its methods may be called from any thread of execution."""

    def __init__(
        self,
        client: DynamoDBClient,
        table: str,
        s3: Callable[[], S3Client],
        bucket: str,
        ttl_seconds: int,
        *,
        clock: Clock = now_ms,
    ) -> None:
        """`ttl_seconds`: how long a record is kept; see `Lifetimes.state`."""
        self._client = client
        self._table = table
        self._make_s3 = s3
        self._bucket = bucket
        self._ttl_seconds = ttl_seconds
        self._clock = clock

    def put(self, thread_id: str, record: StateRecord) -> None:
        """Store one, in the place of an earlier one of the same position, unless that is of a later claim.

        Raises:
            Fenced: a later claim has stored it.
            ClientError, BotoCoreError: as DynamoDB or S3 answer; it may or may not be stored.
        """
        note, body = record.note, record.body.encode()
        if deflated := len(body) > COMPRESS_ABOVE:
            body = zlib.compress(body, 1)
        item: dict[str, Any] = {
            **_key(thread_id, note.position),
            "position": position_attribute(note.position),
            "job": {"S": note.job_id},
            "epoch": {"N": str(note.epoch)},
            CHECKPOINT_TTL_ATTRIBUTE: {"N": str(self._clock() // 1000 + self._ttl_seconds)},
            **stamp(VERSION),
        }
        if note.parent is not None:
            item["parent"] = position_attribute(note.parent)
        if note.interrupts:
            item["asks"] = {"L": [{"S": each} for each in note.interrupts]}
        if deflated:
            item["deflated"] = {"BOOL": True}
        if len(body) <= INLINE_BYTES:
            item["body"] = {"B": body}
        else:
            item["object"] = {"S": f"{PREFIX}/{thread_id}/{'-'.join(note.position)}-{note.epoch}"}
            self._s3.put_object(Bucket=self._bucket, Key=item["object"]["S"], Body=body)
        try:
            self._client.put_item(
                TableName=self._table,
                Item=item,
                ConditionExpression="attribute_not_exists(PK) OR epoch <= :epoch",
                ExpressionAttributeValues={":epoch": item["epoch"]},
            )
        except ClientError as error:
            if error_code(error) == "ConditionalCheckFailedException":
                raise Fenced(f"The state {note.position} is a later claim's.") from error
            raise

    def get(self, thread_id: str, position: Position) -> StateRecord | None:
        """One record, read consistently; None if there is none."""
        found = self.get_all(thread_id, [position])
        return found[0] if found else None

    def get_all(self, thread_id: str, positions: Iterable[Position]) -> list[StateRecord]:
        """The records of these, as far as there are any, in their order; read consistently.

        Raises:
            NewerVersion: a newer release has written one.
            ClientError, BotoCoreError: as DynamoDB or S3 answer.
        """
        wanted = list(dict.fromkeys(positions))
        found = bulk.got(self._client, self._table, (_key(thread_id, each) for each in wanted))
        items = {_position(each): each for each in found if self._live(each)}
        there = [items[each] for each in wanted if each in items]
        if sum("object" in each for each in there) < 2:
            return [self._record(each) for each in there]
        with ThreadPoolExecutor(READERS) as readers:
            return list(readers.map(self._record, there))

    def notes(self, thread_id: str, for_seconds: float = 0) -> dict[Position, StateNote]:
        """All records of a thread that live so much longer, without their bodies; read consistently.

        One read unit per 4 KB of records, bodies in the item included.

        Raises:
            NewerVersion: a newer release has written one.
            ClientError, BotoCoreError: as DynamoDB answers.
        """
        return {_position(item): _note(item) for item in self._query(thread_id) if self._live(item, for_seconds)}

    def checkpoint_threads(self, thread_id: str) -> set[str]:
        """The checkpoint threads that the records of a thread are of; of those past their TTL too."""
        return {_position(each).checkpoint_thread for each in self._query(thread_id, ("position",))}

    def delete(self, thread_id: str) -> int:
        """Delete all records of a thread; how many there were. Their bodies in S3 stay: see `PREFIX`.

        Raises:
            BackendUnavailable, ClientError, BotoCoreError: as DynamoDB answers; some may be deleted.
        """
        return bulk.delete(self._client, self._table, list(self._query(thread_id, ("PK", "SK"))))

    def _query(self, thread_id: str, names: tuple[str, ...] = NOTE) -> Iterator[Mapping[str, Any]]:
        request: dict[str, Any] = {
            "TableName": self._table,
            "KeyConditionExpression": "PK = :thread",
            "ExpressionAttributeValues": {":thread": _partition(thread_id)},
            "ProjectionExpression": ", ".join(f"#{name}" for name in names),
            "ExpressionAttributeNames": {f"#{name}": name for name in names},
            "ConsistentRead": True,
        }
        return bulk.queried(self._client.query, request)

    def _live(self, item: Mapping[str, Any], for_seconds: float = 0) -> bool:
        """Whether it will not be past its TTL after so much time: DynamoDB deletes later than that."""
        return int(item[CHECKPOINT_TTL_ATTRIBUTE]["N"]) > self._clock() / 1000 + for_seconds

    @cached_property
    def _s3(self) -> S3Client:
        return self._make_s3()

    def _record(self, item: Mapping[str, Any]) -> StateRecord:
        if "object" in item:
            body = self._s3.get_object(Bucket=self._bucket, Key=item["object"]["S"])["Body"].read()
        else:
            body = bytes(item["body"]["B"])
        return StateRecord(note=_note(item), body=(zlib.decompress(body) if "deflated" in item else body).decode())


def _partition(thread_id: str) -> dict[str, str]:
    return {"S": f"thread#{thread_id}"}


def _key(thread_id: str, position: Position) -> dict[str, Any]:
    return {"PK": _partition(thread_id), "SK": {"S": f"state#{position.checkpoint_id}#{position.checkpoint_thread}"}}


def _position(item: Mapping[str, Any]) -> Position:
    thread, checkpoint_id = (part["S"] for part in item["position"]["L"])
    return Position(thread, checkpoint_id)


def _note(item: Mapping[str, Any]) -> StateNote:
    if version_of(item) > VERSION:
        raise NewerVersion(f"The state {_position(item)} was written by a newer release.")
    return StateNote(
        position=_position(item),
        parent=position_from_attribute(item.get("parent")),
        job_id=item["job"]["S"],
        epoch=int(item["epoch"]["N"]),
        interrupts=tuple(each["S"] for each in item.get("asks", {"L": []})["L"]),
    )
