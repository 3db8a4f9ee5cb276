"""The Jobs table: rows, inputs and idempotency records.

Every change of a row is conditional on what was read of it (`GUARD`), so that of two writers who read the same
row one wins and the other is told (`RowChanged`). Changes that also write the log are in `transition.py`; what is
read through the indexes is in `job_lists.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError

from graphjobs.aws.clients import cancellation_codes, error_code
from graphjobs.aws.input_bodies import INLINE_BYTES, InputBodies
from graphjobs.aws.job_items import RECORD, Idempotency, index_keys, input_key, row_key, webhook_key
from graphjobs.aws.job_lists import JobLists
from graphjobs.aws.owner_limit import OwnerLimit, OwnerLimitReached
from graphjobs.aws.retry import Retry
from graphjobs.core.job import Job, job_from_item, row_attributes

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

GUARD: Final = ("status", "epoch", "lease_until")
"""A row in which these three are as they were read is in the same state, held by the same claim or by none."""

CREATE_PATIENCE: Final = Retry(tries=10, seconds=8)
"""For creating a job, which a person waits for; the HTTP API gives up after 30 s."""

WEBHOOK: Final = "webhook"
"""Attribute of a row whose caller named a webhook."""

UNSET: Final = ("thread_id", "rollback", "deleting")
"""What others may add to a row without changing its state: a row that was read without them is still without them."""


class RowChanged(Exception):
    """The row is no longer as it was read."""


class KeyReused(Exception):
    """An idempotency key was used before, with another body or for a job that is deleted."""


class JobStore:
    """Rows of the Jobs table."""

    def __init__(self, client: DynamoDBClient, table: str, bodies: InputBodies | None = None) -> None:
        """`bodies` takes inputs that are too large for an item; needed by those who create jobs or run them."""
        self._client = client
        self._table = table
        self.lists = JobLists(client, table)
        self.owner_limit = OwnerLimit(table)
        self._bodies = bodies

    def create(
        self,
        job: Job,
        body: str,
        idempotency: Idempotency | None,
        now: int,
        *,
        webhook: str | None = None,
        also: Sequence[dict[str, Any]] = (),
    ) -> tuple[Job, bool]:
        """Store row, input, idempotency record and the webhook's URL in one transaction, with the updates of `also`.

        Returns the job and whether it is new; an earlier one under the same key and body is not new.

        Raises:
            KeyReused: the key was used with another body, or for a job that is deleted.
            OwnerLimitReached: the owner has `job.owner_limit` jobs that have not ended.
            ClientError, BotoCoreError: as DynamoDB answers; nothing was stored, or all of it was.
        """
        expires = {"expires_at": {"N": str(job.expires_at)}}
        row = {"pk": row_key(job.job_id), **row_attributes(job), **index_keys(job)}
        items: list[dict[str, Any]] = [
            {"Item": row, "ConditionExpression": "attribute_not_exists(pk)"},
            {"Item": {"pk": input_key(job.job_id), **self._input_attributes(job.job_id, body), **expires}},
        ]
        if webhook is not None:
            # An item of its own, since the row must stay small; the row says that there is one.
            row[WEBHOOK] = {"BOOL": True}
            items.append({"Item": {"pk": webhook_key(job.job_id), "url": {"S": webhook}, **expires}})
        if idempotency is not None:
            record = {
                "pk": {"S": idempotency.record_key},
                "job_id": {"S": job.job_id},
                "body_hash": {"S": idempotency.body_hash},
                **expires,
            }
            items[1]["Item"][RECORD] = record["pk"]
            items.append(
                {
                    "Item": record,
                    "ConditionExpression": "attribute_not_exists(pk) OR expires_at <= :now",
                    "ExpressionAttributeValues": {":now": {"N": str(now // 1000)}},
                }
            )
        puts: list[Any] = [{"Put": {"TableName": self._table, **item}} for item in items]
        if job.owner_limit:
            puts.append({"Update": self.owner_limit.taken(job)})
        puts += [{"Update": update} for update in also]
        try:
            self._create(puts)
        except ClientError as error:
            codes = cancellation_codes(error)
            if idempotency is not None and "ConditionalCheckFailed" in codes:
                earlier = self.recorded(idempotency, now)
                if earlier is not None:
                    return earlier, earlier.job_id == job.job_id  # new if it is our own, whose answer was lost
            if job.owner_limit and codes[len(items) :][:1] == ["ConditionalCheckFailed"]:
                raise OwnerLimitReached(job.owner) from error
            raise
        return job, True

    def _create(self, items: list[Any]) -> None:
        """Write the items of a new job, again as long as only other jobs of the same owner are in the way."""
        for last in CREATE_PATIENCE:
            try:
                self._client.transact_write_items(TransactItems=items)
                return
            except ClientError as error:
                if last or set(cancellation_codes(error)) - {"None"} != {"TransactionConflict"}:
                    raise

    def recorded(self, idempotency: Idempotency, now: int) -> Job | None:
        """The job that was created under the key; None if there is none.

        Raises:
            KeyReused: the key was used with another body, or for a job that is deleted.
        """
        answer = self._client.get_item(
            TableName=self._table, Key={"pk": {"S": idempotency.record_key}}, ConsistentRead=True
        )
        record = answer.get("Item")
        if record is None or int(record["expires_at"]["N"]) * 1000 <= now:
            return None
        job = self.get(record["job_id"]["S"])
        if record["body_hash"]["S"] != idempotency.body_hash or (job is not None and job.deleting):
            raise KeyReused(idempotency.key)
        return job

    def get(self, job_id: str) -> Job | None:
        """The row, read consistently; None if there is none. Half a kilobyte: one read unit."""
        answer = self._client.get_item(TableName=self._table, Key={"pk": row_key(job_id)}, ConsistentRead=True)
        return job_from_item(answer["Item"]) if "Item" in answer else None

    def peek(self, job_id: str) -> Job | None:
        """The row, perhaps a moment old: half a read unit."""
        answer = self._client.get_item(TableName=self._table, Key={"pk": row_key(job_id)})
        return job_from_item(answer["Item"]) if "Item" in answer else None

    def input(self, job_id: str) -> str | None:
        """The JSON text that the job was created with."""
        answer = self._client.get_item(TableName=self._table, Key={"pk": input_key(job_id)}, ConsistentRead=True)
        item = answer.get("Item")
        if item is None:
            return None
        if "body_key" in item:
            return self._large_inputs().load(item["body_key"]["S"])
        return item["body"]["S"]

    def _input_attributes(self, job_id: str, body: str) -> dict[str, Any]:
        if len(body.encode()) <= INLINE_BYTES:
            return {"body": {"S": body}}
        return {"body_key": {"S": self._large_inputs().save(job_id, body)}}

    def _large_inputs(self) -> InputBodies:
        if self._bodies is None:
            raise RuntimeError("This job store was made without a place for large inputs.")
        return self._bodies

    def webhook(self, job_id: str) -> str | None:
        """The URL that is told of the job's end; None if there is none, or the job is gone."""
        answer = self._client.get_item(TableName=self._table, Key={"pk": webhook_key(job_id)})
        return answer["Item"]["url"]["S"] if "Item" in answer else None

    def update(self, before: Job, after: Job, *, guard: tuple[str, ...] = GUARD) -> Job:
        """Change the row from `before` to `after`.

        Raises:
            RowChanged: one of the attributes in `guard` is no longer as in `before`.
        """
        try:
            self._client.update_item(**self.change(before, after, guard))
        except ClientError as error:
            if error_code(error) == "ConditionalCheckFailedException":
                raise RowChanged(before.job_id) from error
            raise
        return after

    def change(self, before: Job, after: Job, guard: tuple[str, ...] = GUARD) -> dict[str, Any]:
        """The conditional update from `before` to `after`, for `update` and for a transaction."""
        old = {**row_attributes(before), **index_keys(before)}
        new = {**row_attributes(after), **index_keys(after)}
        # The version even if it is the same here: the row may be of an older release.
        changed = {name: value for name, value in new.items() if old.get(name) != value or name == "v"}
        gone = [name for name in old if name not in new]
        names = {f"#{name}": name for name in (*changed, *gone, *guard)}
        absent = [name for name in UNSET if name not in old]
        names |= {f"#{name}": name for name in absent}
        expression = "SET " + ", ".join(f"#{name} = :{name}" for name in changed) if changed else ""
        if gone:
            expression += " REMOVE " + ", ".join(f"#{name}" for name in gone)
        return {
            "TableName": self._table,
            "Key": {"pk": row_key(before.job_id)},
            "UpdateExpression": expression.strip(),
            "ConditionExpression": " AND ".join(
                [f"#{name} = :old_{name}" for name in guard] + [f"attribute_not_exists(#{name})" for name in absent]
            ),
            "ExpressionAttributeNames": names,
            "ExpressionAttributeValues": {
                **{f":{name}": value for name, value in changed.items()},
                **{f":old_{name}": old[name] for name in guard},
            },
        }

    def renew(self, job: Job, lease_until: int, due_at: int) -> Job:
        """Extend the lease of the claim with `job`'s epoch, whether or not a cancel has been asked for since.

        Returns the row as it is now, so that a heartbeat is also a look for cancellation.

        Raises:
            RowChanged: another claim has taken over, or the job is terminal.
        """
        try:
            answer = self._client.update_item(
                TableName=self._table,
                Key={"pk": row_key(job.job_id)},
                UpdateExpression="SET lease_until = :lease, due_at = :due",
                ConditionExpression="epoch = :epoch AND #status IN (:running, :cancelling)",
                ExpressionAttributeNames={"#status": "status"},
                ExpressionAttributeValues={
                    ":lease": {"N": str(lease_until)},
                    ":due": {"N": str(due_at)},
                    ":epoch": {"N": str(job.epoch)},
                    ":running": {"S": "running"},
                    ":cancelling": {"S": "cancelling"},
                },
                ReturnValues="ALL_NEW",
            )
        except ClientError as error:
            if error_code(error) == "ConditionalCheckFailedException":
                raise RowChanged(job.job_id) from error
            raise
        return job_from_item(answer["Attributes"])

    def note_watched(self, job_id: str, until: int) -> bool:
        """Note that somebody follows the job until `until`, whatever else happens to its row; False if it is over.

        One write unit: no index has the attribute. It is no part of `GUARD`, so it costs no other change its turn.
        """
        try:
            self._client.update_item(
                TableName=self._table,
                Key={"pk": row_key(job_id)},
                UpdateExpression="SET watched_until = :until",
                ConditionExpression="attribute_exists(active)",
                ExpressionAttributeValues={":until": {"N": str(until)}},
            )
        except ClientError as error:
            if error_code(error) == "ConditionalCheckFailedException":
                return False
            raise
        return True

    def revoke_tickets(self, job_id: str) -> Job | None:
        """Let no stream ticket of the job that was issued until now open a stream; the row then, None if it is gone.

        One write unit; like `note_watched` it costs no other change its turn.
        """
        try:
            answer = self._client.update_item(
                TableName=self._table,
                Key={"pk": row_key(job_id)},
                UpdateExpression="ADD tickets_revoked :one",
                ConditionExpression="attribute_exists(job_id)",
                ExpressionAttributeValues={":one": {"N": "1"}},
                ReturnValues="ALL_NEW",
            )
        except ClientError as error:
            if error_code(error) == "ConditionalCheckFailedException":
                return None
            raise
        return job_from_item(answer["Attributes"])
