"""The indexes of the Jobs table: jobs of an owner, and jobs that are due. A query may be a moment behind the rows."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from graphjobs.aws.job_items import created_key, job_id_of, row_key
from graphjobs.aws.schema import ACTIVE_INDEX, BY_OWNER_INDEX
from graphjobs.core.job import Job, Status, job_from_item
from graphjobs.core.version import NewerVersion

if TYPE_CHECKING:
    from mypy_boto3_dynamodb import DynamoDBClient

MAX_PAGES: Final = 10
"""Pages that one `by_owner` reads at most while a filter matches little."""


class JobLists:
    """Queries of the two indexes."""

    def __init__(self, client: DynamoDBClient, table: str) -> None:
        self._client = client
        self._table = table

    def queued_before(self, job: Job, *, limit: int) -> int:
        """How many jobs of the same owner are queued, of the last `limit` that were created before `job`.

        One query of the index, perhaps a moment old: half a read unit per 4 KB of rows.
        """
        answer = self._client.query(
            TableName=self._table,
            IndexName=BY_OWNER_INDEX,
            KeyConditionExpression="#owner = :owner AND created < :created",
            FilterExpression="#status = :queued",
            ExpressionAttributeNames={"#owner": "owner", "#status": "status"},
            ExpressionAttributeValues={
                ":owner": {"S": job.owner},
                ":created": {"S": created_key(job)},
                ":queued": {"S": Status.QUEUED.value},
            },
            ScanIndexForward=False,
            Limit=limit,
            Select="COUNT",
        )
        return answer["Count"]

    def by_owner(
        self, owner: str, *, now: int, limit: int, status: str | None, after: tuple[str, str] | None
    ) -> tuple[list[Job], tuple[str, str] | None]:
        """Up to `limit` of an owner's jobs, newest first, and where to go on; `after` is such a place."""
        values: dict[str, Any] = {":owner": {"S": owner}, ":now": {"N": str(now // 1000)}}
        query: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": BY_OWNER_INDEX,
            "KeyConditionExpression": "#owner = :owner",
            "FilterExpression": "expires_at > :now",
            "ExpressionAttributeNames": {"#owner": "owner"},
            "ExpressionAttributeValues": values,
            "ScanIndexForward": False,
            "Limit": limit + 1,
        }
        if status is not None:
            query["FilterExpression"] += " AND #status = :status"
            query["ExpressionAttributeNames"]["#status"] = "status"
            values[":status"] = {"S": status}
        start: Any = _list_start(owner, after) if after else None
        jobs: list[Job] = []
        for _ in range(MAX_PAGES):
            page = query | ({"ExclusiveStartKey": start} if start else {})
            answer = self._client.query(**page)
            jobs += _readable(answer["Items"])
            start = answer.get("LastEvaluatedKey")
            if len(jobs) > limit:
                last = jobs[limit - 1]
                return jobs[:limit], (last.job_id, created_key(last))
            if start is None:
                return jobs, None
        return jobs, (job_id_of(start["pk"]["S"]), start["created"]["S"])

    def due(self, shard: int, now: int, *, limit: int, after: Any = None) -> tuple[list[str], Any]:
        """Ids of up to `limit` jobs of one shard of the active index that are due, the most overdue first.

        A thread that is to be erased is named by its key.

        And where to go on, to be given as `after`; None at the end.
        """
        query: dict[str, Any] = {
            "TableName": self._table,
            "IndexName": ACTIVE_INDEX,
            "KeyConditionExpression": "active = :shard AND due_at <= :now",
            "ExpressionAttributeValues": {":shard": {"S": str(shard)}, ":now": {"N": str(now)}},
            "Limit": limit,
        }
        answer = self._client.query(**query | ({"ExclusiveStartKey": after} if after else {}))
        return [job_id_of(item["pk"]["S"]) for item in answer["Items"]], answer.get("LastEvaluatedKey")


def _readable(items: list[dict[str, Any]]) -> Iterator[Job]:
    """The jobs of rows; those that only a newer release can read are left out."""
    for item in items:
        with suppress(NewerVersion):
            yield job_from_item(item)


def _list_start(owner: str, after: tuple[str, str]) -> dict[str, Any]:
    job_id, created = after
    return {"pk": row_key(job_id), "owner": {"S": owner}, "created": {"S": created}}
