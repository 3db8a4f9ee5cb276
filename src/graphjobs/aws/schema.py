"""The key schema of the four tables: the one place where keys and indexes are named.

CDK, the local emulator and the tests all create tables from the constants here.

Jobs table, one item each, told apart by the prefix of ``pk``:

* ``job#<job_id>``: the job row, under 1 KB, since every heartbeat bills all of it;
* ``input#<job_id>``: what the graph is given, written once;
* ``webhook#<job_id>``: the URL that is told of the job's end, where the caller gave one;
* ``idem#<sha256(owner, key)>``: the idempotency record;
* ``thread#<thread_id>``: the row of a thread.

Whatever belongs to a thread: its row; the records of its states, each of which names a job and the checkpoint thread
that it has saved on (``thread#<thread_id>`` in the Checkpoints table, large ones under ``states/`` in the bucket); and
of each of its jobs the row, the input, the slots and the checkpoint threads ``<job_id>:<epoch>``.

Events table: one item is a *slot* of 1..N consecutive events under the seq of its first event.
"""

from typing import Any, Final

TTL_ATTRIBUTE: Final = "expires_at"
"""Epoch seconds, on the Jobs and Events tables."""

CHECKPOINT_TTL_ATTRIBUTE: Final = "ttl"
"""Epoch seconds."""

BY_OWNER_INDEX: Final = "by_owner"
"""Sparse: only job rows have ``owner``. Newest first by ``created``."""

BY_OWNER_PROJECTION: Final = (
    "job_id",
    "graph",
    "status",
    "created_at",
    "started_at",
    "finished_at",
    "attempt",
    "thread_id",
    TTL_ATTRIBUTE,
)

ACTIVE_INDEX: Final = "active"
"""Sparse: only rows that are not terminal have ``active``; ``due_at`` is when to look at them."""

ACTIVE_SHARDS: Final = 4
"""Partitions of the active index, so that its write rate is not that of one partition."""


def _table(hash_key: tuple[str, str], range_key: tuple[str, str] | None = None) -> dict[str, Any]:
    keys = [(hash_key, "HASH")] + ([(range_key, "RANGE")] if range_key else [])
    return {
        "AttributeDefinitions": [{"AttributeName": name, "AttributeType": kind} for (name, kind), _ in keys],
        "KeySchema": [{"AttributeName": name, "KeyType": role} for (name, _), role in keys],
        "BillingMode": "PAY_PER_REQUEST",
    }


def _index(name: str, hash_key: str, range_key: str, projection: dict[str, Any]) -> dict[str, Any]:
    return {
        "IndexName": name,
        "KeySchema": [
            {"AttributeName": hash_key, "KeyType": "HASH"},
            {"AttributeName": range_key, "KeyType": "RANGE"},
        ],
        "Projection": projection,
    }


JOBS_TABLE: Final[dict[str, Any]] = _table(("pk", "S")) | {
    "AttributeDefinitions": [
        {"AttributeName": "pk", "AttributeType": "S"},
        {"AttributeName": "owner", "AttributeType": "S"},
        {"AttributeName": "created", "AttributeType": "S"},
        {"AttributeName": "active", "AttributeType": "S"},
        {"AttributeName": "due_at", "AttributeType": "N"},
    ],
    "GlobalSecondaryIndexes": [
        _index(
            BY_OWNER_INDEX,
            "owner",
            "created",
            {"ProjectionType": "INCLUDE", "NonKeyAttributes": list(BY_OWNER_PROJECTION)},
        ),
        _index(ACTIVE_INDEX, "active", "due_at", {"ProjectionType": "KEYS_ONLY"}),
    ],
}

EVENTS_TABLE: Final[dict[str, Any]] = _table(("job_id", "S"), ("seq", "N"))

CHECKPOINTS_TABLE: Final[dict[str, Any]] = _table(("PK", "S"), ("SK", "S"))
"""A checkpoint thread is one partition (`graphjobs.aws.checkpoint_table`), and so are the states of a thread
(`graphjobs.aws.state_store`)."""

STORE_TABLE: Final[dict[str, Any]] = _table(("PK", "S"), ("SK", "S"))
"""LangGraph's store: the first label of a namespace; its other labels and the item's key. TTL on `TTL_ATTRIBUTE`."""
