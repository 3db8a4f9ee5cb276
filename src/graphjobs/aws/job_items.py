"""Keys of the items of the Jobs table and its indexes: a job's row, what is stored beside it, a thread's row."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any, Final

from graphjobs.aws.schema import ACTIVE_SHARDS
from graphjobs.core.job import Job

PREFIX: Final = "job#"
"""Of a row's key."""

THREAD_PREFIX: Final = "thread#"
"""Of a thread's key."""

RECORD: Final = "record"
"""Attribute of a job's input: the key of its idempotency record, so that who has the job finds the record."""


def row_key(job_id: str) -> dict[str, str]:
    """Of the row."""
    return {"S": f"{PREFIX}{job_id}"}


def input_key(job_id: str) -> dict[str, str]:
    """Of what the graph is given."""
    return {"S": f"input#{job_id}"}


def webhook_key(job_id: str) -> dict[str, str]:
    """Of the URL that is told of the job's end."""
    return {"S": f"webhook#{job_id}"}


def thread_key(thread_id: str) -> dict[str, str]:
    """Of a thread's row."""
    return {"S": f"{THREAD_PREFIX}{thread_id}"}


def shard_of(name: str) -> dict[str, str]:
    """The partition of the active index for the row of this id."""
    return {"S": str(hashlib.sha256(name.encode()).digest()[0] % ACTIVE_SHARDS)}


def job_id_of(pk: str) -> str:
    """The job of a row's key."""
    return pk.removeprefix(PREFIX)


def index_keys(job: Job) -> dict[str, Any]:
    """Attributes of a row that put it into the indexes. A deleted job is in no list, and is due until it is erased."""
    keys = {} if job.deleting else {"created": {"S": created_key(job)}}
    if not job.status.terminal or job.deleting:
        keys["active"] = shard_of(job.job_id)
        keys["due_at"] = {"N": str(job.due_at)}
    return keys


def created_key(job: Job) -> str:
    """Sort key of the row in `by_owner`: times of equal length sort as text."""
    return f"{job.created_at:013d}#{job.job_id}"


@dataclass(frozen=True, slots=True)
class Idempotency:
    """A caller's key and the digest of the body that came with it."""

    owner: str
    key: str
    body_hash: str

    @property
    def record_key(self) -> str:
        """Key of the record: hashed, since a caller's key may be of any length and form."""
        return "idem#" + hashlib.sha256(f"{self.owner}\0{self.key}".encode()).hexdigest()
