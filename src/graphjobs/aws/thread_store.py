"""Thread rows of the Jobs table, and the parts of a transaction that change them and whose turn it is."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from graphjobs.aws.clients import error_code, lost_a_race
from graphjobs.aws.job_items import row_key, shard_of, thread_key
from graphjobs.aws.job_store import RowChanged
from graphjobs.core.thread import Thread, position_attribute, thread_attributes, thread_from_item
from graphjobs.core.turns import Turn

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient


class ThreadStore:
    """Thread rows; each change of one is conditional on the revision that was read."""

    def __init__(self, client: DynamoDBClient, table: str, retention_seconds: int) -> None:
        self._client = client
        self._table = table
        self._retention_seconds = retention_seconds

    def get(self, thread_id: str) -> Thread | None:
        """The row, read consistently; None if there is none."""
        answer = self._client.get_item(TableName=self._table, Key=_key(thread_id), ConsistentRead=True)
        return thread_from_item(answer["Item"]) if "Item" in answer else None

    def touched(self, thread: Thread, now: int, moved_at: int | None = None) -> Thread:
        """`thread` as it is stored now: one revision on, to be kept for the retention from when its head was moved.

        That is now, or else at `moved_at` (epoch milliseconds), if it has been moved since it was read.

        Not from now, since what the head needs is not kept longer for a turn that left nothing. Without a head, and
        once it is deleted and to be erased, from now. While it has jobs it is kept at least as long as it was to be,
        which is as long as their rows: see `turns.join`.
        """
        from_now = now // 1000 + self._retention_seconds
        moved = from_now if moved_at is None else moved_at // 1000 + self._retention_seconds
        kept = (thread.kept_until or moved) if thread.head else 0
        expires = from_now if thread.head is None or thread.deleting else kept
        if thread.turn is not None:
            expires = max(expires, thread.expires_at)
        return replace(thread, revision=thread.revision + 1, updated_at=now, expires_at=expires, kept_until=kept)

    def commit(self, after: Thread) -> None:
        """Store `after` by itself; see `change`.

        Raises:
            RowChanged: the row is no longer as it was read.
            ClientError, BotoCoreError: as DynamoDB answers.
        """
        try:
            self._client.update_item(**self.change(after))
        except ClientError as error:
            if error_code(error) == "ConditionalCheckFailedException":
                raise RowChanged(after.thread_id) from error
            raise

    def pass_on(self, after: Thread, turn: Turn | None, due_at: int) -> None:
        """Store `after` together with the job that is given the turn there; see `give`.

        Raises:
            RowChanged: thread or job are no longer as they were read.
            ClientError, BotoCoreError: as DynamoDB answers.
        """
        items: list[Any] = [{"Update": self.change(after)}]
        if turn is not None:
            items.append({"Update": self.give(turn, due_at)})
        try:
            self._client.transact_write_items(TransactItems=items)
        except ClientError as error:
            if lost_a_race(error):
                raise RowChanged(after.thread_id) from error
            raise

    def change(self, after: Thread) -> dict[str, Any]:
        """The update to `after`, as `touched` gave it; it fails unless the row has the revision before that.

        Revision 1 makes the row.
        """
        values = thread_attributes(after)
        if after.deleting:
            values["active"] = shard_of(after.thread_id)
        gone = [name for name in ("head", "kept", "branches", "turn", "interrupts", "waiting") if name not in values]
        condition = "revision = :before" if after.revision > 1 else "attribute_not_exists(pk) OR expires_at <= :now"
        before = after.revision - 1 if after.revision > 1 else after.updated_at // 1000
        return {
            "TableName": self._table,
            "Key": _key(after.thread_id),
            "UpdateExpression": "SET "
            + ", ".join(f"#{name} = :{name}" for name in values)
            + (" REMOVE " + ", ".join(f"#{name}" for name in gone) if gone else ""),
            "ConditionExpression": condition,
            "ExpressionAttributeNames": {f"#{name}": name for name in (*values, *gone)},
            "ExpressionAttributeValues": {
                **{f":{name}": value for name, value in values.items()},
                ":before" if after.revision > 1 else ":now": {"N": str(before)},
            },
        }

    def give(self, turn: Turn, due_at: int) -> dict[str, Any]:
        """The update that gives a waiting job the turn; it fails if the job does not wait any more."""
        values: dict[str, Any] = {":due": {"N": str(due_at)}}
        start = ""
        if turn.start is not None:
            # One that goes on from an older checkpoint has its start already.
            start = ", #start = if_not_exists(#start, :start)"
            values[":start"] = position_attribute(turn.start)
        return {
            "TableName": self._table,
            "Key": {"pk": row_key(turn.job_id)},
            "UpdateExpression": f"SET due_at = :due{start} REMOVE waiting",
            "ConditionExpression": "attribute_exists(waiting)",
            "ExpressionAttributeValues": values,
            **({"ExpressionAttributeNames": {"#start": "start"}} if start else {}),
        }

    def ask_to_stop(self, job_id: str) -> None:
        """Ask a job to be cancelled; nothing if it has ended."""
        try:
            self._client.update_item(**self.stop(job_id, rollback=False))
        except ClientError as error:
            if error_code(error) != "ConditionalCheckFailedException":
                raise

    def delete(self, thread: Thread) -> None:
        """Delete the row of a thread that is deleted.

        Raises:
            RowChanged: it is no longer as it was read.
        """
        try:
            self._client.delete_item(
                TableName=self._table,
                Key=_key(thread.thread_id),
                ConditionExpression="revision = :before AND attribute_exists(deleting)",
                ExpressionAttributeValues={":before": {"N": str(thread.revision)}},
            )
        except ClientError as error:
            if error_code(error) == "ConditionalCheckFailedException":
                raise RowChanged(thread.thread_id) from error
            raise

    def stop(self, job_id: str, *, rollback: bool) -> dict[str, Any]:
        """The update that asks a job to be cancelled, whoever has it; it fails if the job has ended."""
        values = {f":{name}": {"S": name} for name in ("queued", "running", "cancelling")}
        more = ", #rollback = :true" if rollback else ""
        return {
            "TableName": self._table,
            "Key": {"pk": row_key(job_id)},
            "UpdateExpression": f"SET #status = :cancelling{more}",
            "ConditionExpression": "#status IN (:queued, :running, :cancelling)",
            "ExpressionAttributeNames": {"#status": "status", **({"#rollback": "rollback"} if rollback else {})},
            "ExpressionAttributeValues": values | ({":true": {"BOOL": True}} if rollback else {}),
        }


def _key(thread_id: str) -> dict[str, Any]:
    return {"pk": thread_key(thread_id)}
