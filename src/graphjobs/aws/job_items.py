"""Keys of the items of the Jobs table: a job's row and what is stored beside it, and a thread's row."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

from graphjobs.aws.schema import ACTIVE_SHARDS

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
