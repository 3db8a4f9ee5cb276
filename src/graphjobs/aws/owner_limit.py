"""How many jobs an owner has that have not ended: one counter per owner, only where a limit is configured.

It is raised in the transaction that creates a job and lowered in the one that ends it, so it is exact whatever crashes
in between. A row says of itself that it was counted; turning the limit on or off therefore needs no repair.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from graphjobs.core.job import Job

COUNT: Final = "active_jobs"
KEPT_SECONDS: Final = 2 * 365 * 86_400
"""A counter outlives every job that it counts: a job's delay, timeout and retention are less than this together."""


class OwnerLimitReached(Exception):
    """The owner has as many jobs that have not ended as are allowed."""


@dataclass(frozen=True, slots=True)
class OwnerLimit:
    """Makes the parts of transactions that count, on the Jobs table."""

    table: str

    def key(self, owner: str) -> dict[str, Any]:
        """Key of an owner's counter: hashed, since an owner's name may be of any length and form."""
        digest = hashlib.sha256(owner.encode("utf-8", "surrogatepass")).hexdigest()
        return {"pk": {"S": f"owner#{digest}"}}

    def taken(self, job: Job) -> dict[str, Any]:
        """The update that counts a new job; its condition fails at the limit."""
        return {
            "TableName": self.table,
            "Key": self.key(job.owner),
            "UpdateExpression": f"ADD {COUNT} :one SET expires_at = :expires",
            "ConditionExpression": f"attribute_not_exists({COUNT}) OR {COUNT} < :limit",
            "ExpressionAttributeValues": {
                ":one": {"N": "1"},
                ":limit": {"N": str(job.owner_limit)},
                ":expires": {"N": str(job.created_at // 1000 + KEPT_SECONDS)},
            },
        }

    def given_back(self, job: Job) -> dict[str, Any]:
        """The update that counts a job no more. It has no condition: nothing of it may keep a job from ending."""
        return {
            "TableName": self.table,
            "Key": self.key(job.owner),
            "UpdateExpression": f"ADD {COUNT} :one SET expires_at = if_not_exists(expires_at, :expires)",
            "ExpressionAttributeValues": {":one": {"N": "-1"}, ":expires": {"N": str(job.expires_at)}},
        }
