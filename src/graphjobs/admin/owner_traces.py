"""Where something of an owner is: found by reading the Jobs table and the Store table whole.

No index has it all: rows of threads and of deleted jobs are in none of owners, and LangGraph's store knows no owners.
One read unit per 4 KB of both tables.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from graphjobs.aws import bulk
from graphjobs.aws.job_items import PREFIX, THREAD_PREFIX, job_id_of
from graphjobs.aws.owner_limit import OwnerLimit
from graphjobs.aws.store_keys import read_back
from graphjobs.aws.viewer_counts import PREFIX as VIEWERS

if TYPE_CHECKING:
    from graphjobs.aws.backend import Backend


@dataclass(slots=True)
class Traces:
    """What there is of an owner.

    Attributes:
        jobs: ids, of deleted jobs too.
        threads: ids.
        counters: keys in the Jobs table: of jobs that have not ended, and of viewers.
        items: keys in the Store table.
    """

    jobs: set[str] = field(default_factory=set)
    threads: set[str] = field(default_factory=set)
    counters: list[str] = field(default_factory=list)
    items: list[dict[str, Any]] = field(default_factory=list)


def traces_of(backend: Backend, owner: str) -> Traces:
    """All of `owner` that is stored now.

    Raises:
        ClientError, BotoCoreError: as DynamoDB answers.
    """
    found = Traces(items=list(_store_items(backend, owner)))
    viewers = []
    for item in _rows(backend, owner):
        key = item["pk"]["S"]
        if key.startswith(PREFIX):
            found.jobs.add(job_id_of(key))
        elif key.startswith(THREAD_PREFIX):
            found.threads.add(key.removeprefix(THREAD_PREFIX))
        elif key.startswith(VIEWERS):
            viewers.append(key)
        else:
            found.counters.append(key)
    subjects = {_digest(each) for each in (f"owner\0{owner}", *found.jobs)}
    found.counters += [key for key in viewers if key.split("#")[1] in subjects]
    return found


def _rows(backend: Backend, owner: str) -> Iterator[dict[str, Any]]:
    table = backend.settings.jobs_table
    yield from _scanned(
        backend,
        TableName=table,
        FilterExpression="#owner = :owner OR thread_owner = :owner OR begins_with(pk, :viewers) OR pk = :counter",
        ProjectionExpression="pk",
        ExpressionAttributeNames={"#owner": "owner"},
        ExpressionAttributeValues={
            ":owner": {"S": owner},
            ":viewers": {"S": VIEWERS},
            ":counter": OwnerLimit(table).key(owner)["pk"],
        },
    )


def _store_items(backend: Backend, owner: str) -> Iterator[dict[str, Any]]:
    """Keys of the items in whose namespace a label is the owner's name."""
    for key in _scanned(backend, TableName=backend.settings.store_table, ProjectionExpression="PK, SK"):
        namespace, _ = read_back(key["PK"]["S"], key["SK"]["S"])
        if owner in namespace:
            yield key


def _scanned(backend: Backend, **request: Any) -> Iterator[dict[str, Any]]:
    return bulk.queried(backend.dynamodb.scan, {"ConsistentRead": True, **request})


def _digest(subject: str) -> str:
    return hashlib.sha256(subject.encode("utf-8", "surrogatepass")).hexdigest()
