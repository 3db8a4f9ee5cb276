"""Keys of a job's items in the Jobs table: its row, and what is stored beside it."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Final

PREFIX: Final = "job#"
"""Of a row's key."""

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
