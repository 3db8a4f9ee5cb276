"""Erasing what is deleted: every place where something of it is kept, in the one order that survives a crash.

Where something of a job is: its input, webhook and idempotency record (Jobs table), its slots (Events table), its
checkpoints (Checkpoints table), the objects of all three (bucket), and its row. The row is last: whoever finds it can
begin again. A job whose thread is a conversation leaves its checkpoints there: they are the conversation's state.
Of a thread there are, beside its jobs, the records of its states, and checkpoints of jobs whose rows have expired.

A worker that was lost may wake up and write a slot or a checkpoint after that. So the row stays, as a mark without
content, for as long as an invocation can live, and then everything is looked for once more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from graphjobs.aws import bulk, checkpoint_table, input_bodies, state_store
from graphjobs.aws.checkpoint_table import CheckpointTable
from graphjobs.aws.clients import error_code
from graphjobs.aws.job_items import RECORD, input_key, job_id_of, row_key, webhook_key
from graphjobs.aws.schema import BY_OWNER_INDEX
from graphjobs.core import slot
from graphjobs.core.job import Job
from graphjobs.core.thread import Thread

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient
    from mypy_boto3_s3 import S3Client

    from graphjobs.aws.state_store import StateStore
    from graphjobs.aws.thread_store import ThreadStore
    from graphjobs.core.settings import Settings

ZOMBIE_MS: Final = 20 * 60_000
"""How long after a job's end something may still write for it: Lambda ends an invocation after 15 minutes."""


SLOTS: Final = "slots of events"
CHECKPOINTS: Final = "checkpoint items"
STATES: Final = "states"
OBJECTS: Final = "objects"
INPUTS: Final = "inputs"
WEBHOOKS: Final = "webhooks"
RECORDS: Final = "idempotency keys"
"""Kinds of what is deleted."""


class ObjectsLeft(RuntimeError):
    """S3 has kept objects that it was told to delete."""


class Erasure:
    """Erases jobs, whole. Every step may be made again."""

    def __init__(
        self, dynamodb: DynamoDBClient, s3: S3Client, threads: ThreadStore, states: StateStore, settings: Settings
    ) -> None:
        self._dynamodb = dynamodb
        self._states = states
        self._s3 = s3
        self._threads = threads
        self._jobs_table = settings.jobs_table
        self._events_table = settings.events_table
        self._bucket = settings.payload_bucket
        self._table = CheckpointTable(dynamodb, settings.checkpoints_table, s3, self._bucket, ttl_seconds=0)
        self.removed: Counter[str] = Counter()
        """What it has deleted since it was made, by kind: for who wants to know."""

    def erase(self, job: Job, now: int) -> int | None:
        """Erase everything of `job`, which is deleted and has ended.

        Returns:
            When it must be done once more (epoch milliseconds); None if nothing is left, not even the row.

        Raises:
            ObjectsLeft, BackendUnavailable, ClientError, BotoCoreError: the backend fails; the row is still there.
        """
        self._slots(job.job_id)
        prefixes = [f"{slot.PREFIX}/{job.job_id}/", f"{input_bodies.PREFIX}/{job.job_id}."]
        thread = self._threads.get(job.thread)
        if thread is None:
            self._states_of(job.thread)  # that of a job which asked, and was ended before its thread was made
        if thread is None or thread.deleting:
            for epoch in range(1, job.epoch + 1):
                self._checkpoints(job.checkpoint_thread(epoch))
            prefixes.append(f"{checkpoint_table.PREFIX}/{job.job_id}:")
        for prefix in prefixes:
            self._objects(prefix)
        self._beside(job.job_id)
        again = (job.finished_at or now) + ZOMBIE_MS
        if now < again:
            return again
        self._dynamodb.delete_item(
            TableName=self._jobs_table,
            Key={"pk": row_key(job.job_id)},
            ConditionExpression="attribute_not_exists(pk) OR attribute_exists(deleting)",
        )
        return None

    def jobs_of(self, thread: Thread) -> Iterator[str]:
        """The jobs of a thread that are not deleted yet; one that was made a moment ago may be missing.

        It reads all jobs of the owner: one read unit per 8 KB of the index.
        """
        query: dict[str, Any] = {
            "TableName": self._jobs_table,
            "IndexName": BY_OWNER_INDEX,
            "KeyConditionExpression": "#owner = :owner",
            "FilterExpression": "thread_id = :thread",
            "ExpressionAttributeNames": {"#owner": "owner"},
            "ExpressionAttributeValues": {":owner": {"S": thread.owner}, ":thread": {"S": thread.thread_id}},
        }
        for item in bulk.queried(self._dynamodb.query, query):
            yield job_id_of(item["pk"]["S"])
        yield f"job-{thread.thread_id}"  # the job that it was made for, which may not name it

    def erase_states(self, thread: Thread) -> None:
        """Erase the records of the states of `thread`, and what they are of; its jobs are erased by themselves.

        Raises:
            ObjectsLeft, BackendUnavailable, ClientError, BotoCoreError: the backend fails.
        """
        for position in (thread.head, *thread.branches):
            if position is not None:
                self._checkpoints(position.checkpoint_thread)
        self._states_of(thread.thread_id)

    def _checkpoints(self, checkpoint_thread: str) -> None:
        self.removed[CHECKPOINTS] += self._table.delete(checkpoint_thread)

    def _states_of(self, thread_id: str) -> None:
        for each in self._states.checkpoint_threads(thread_id):
            self._checkpoints(each)
            self._objects(f"{checkpoint_table.PREFIX}/{each}/")
        self.removed[STATES] += self._states.delete(thread_id)  # after what only they name
        self._objects(f"{state_store.PREFIX}/{thread_id}/")

    def _slots(self, job_id: str) -> None:
        query: dict[str, Any] = {
            "TableName": self._events_table,
            "KeyConditionExpression": "job_id = :job",
            "ExpressionAttributeValues": {":job": {"S": job_id}},
            "ProjectionExpression": "job_id, seq",
            "ConsistentRead": True,
        }
        keys = bulk.queried(self._dynamodb.query, query)
        self.removed[SLOTS] += bulk.delete(self._dynamodb, self._events_table, keys)

    def _objects(self, prefix: str) -> None:
        """By prefix, since a write that crashed has left objects that no item names."""
        pages: Iterable[Any] = self._s3.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
        for page in pages:
            if found := [{"Key": each["Key"]} for each in page.get("Contents", [])]:
                answer = self._s3.delete_objects(Bucket=self._bucket, Delete={"Objects": found, "Quiet": True})  # type: ignore[typeddict-item]
                if failed := answer.get("Errors"):
                    raise ObjectsLeft(f"{len(failed)} objects under {prefix} were not deleted: {failed[0].get('Code')}")
                self.removed[OBJECTS] += len(found)

    def _beside(self, job_id: str) -> None:
        answer = self._dynamodb.get_item(
            TableName=self._jobs_table,
            Key={"pk": input_key(job_id)},
            ProjectionExpression="#record",
            ExpressionAttributeNames={"#record": RECORD},
            ConsistentRead=True,
        )
        record = answer.get("Item", {}).get(RECORD)
        if record:
            self._forget(record, job_id)
        # The input last: it knows the record.
        for kind, key in ((WEBHOOKS, webhook_key(job_id)), (INPUTS, input_key(job_id))):
            old = self._dynamodb.delete_item(TableName=self._jobs_table, Key={"pk": key}, ReturnValues="ALL_OLD")
            self.removed[kind] += "Attributes" in old

    def _forget(self, record: Any, job_id: str) -> None:
        """Delete an idempotency record, unless it has expired and is another job's by now."""
        try:
            self._dynamodb.delete_item(
                TableName=self._jobs_table,
                Key={"pk": record},
                ConditionExpression="job_id = :job",
                ExpressionAttributeValues={":job": {"S": job_id}},
            )
            self.removed[RECORDS] += 1
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise
