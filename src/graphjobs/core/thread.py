"""The thread row: a conversation, its head, and whose turn it is. `turns` has its rules.

A **thread** here is always a conversation; a **checkpoint thread** is LangGraph's name for one sequence of
checkpoints. Each claim of a job has a checkpoint thread of its own, so the head of a thread names which.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Final, NamedTuple

from graphjobs.core.version import ATTRIBUTE, NewerVersion, version_of

THREAD_ID: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}", re.ASCII)


NUMBERS: Final = ("created_at", "updated_at", "expires_at", "revision")


LISTS: Final = ("interrupts", "waiting")

VERSION: Final = 1
"""Of the row's form; see `version`."""


class Position(NamedTuple):
    """One confirmed checkpoint: LangGraph's thread and checkpoint id."""

    checkpoint_thread: str
    checkpoint_id: str


class ThreadStatus(StrEnum):
    """What a thread is doing."""

    IDLE = "idle"
    BUSY = "busy"
    """A job has the turn."""
    INTERRUPTED = "interrupted"
    """Its last job stopped before the graph's end: it asks a person, or was told to stop."""
    ERROR = "error"
    """Its last job has failed."""


_STATUSES: Final = frozenset(status.value for status in ThreadStatus)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thread:
    """One thread row. Times are epoch milliseconds, but `expires_at`, which is DynamoDB's TTL, in seconds.

    Attributes:
        revision: +1 at every change; each change is conditional on it.
        head: the checkpoint that the next job begins with; None if no job has saved any.
        kept_until: until when the head is kept, in epoch seconds: the retention from when it was moved there; 0 where
            that is now, or nothing is to be kept.
        branches: heads that were left when a job began at an older checkpoint, the newest last.
        interrupts: ids of the questions that are open at the head.
        resting: its status while nobody has the turn.
        turn: the job whose turn it is.
        waiting: jobs that come after it, the oldest first.
        deleting: whether its owner has deleted it: gone for everybody, to be erased with all its jobs.
        due_at: of one that is deleted: when the reconciler is to look at it.
    """

    thread_id: str
    owner: str
    graph: str
    created_at: int
    updated_at: int
    expires_at: int
    revision: int = 0
    head: Position | None = None
    kept_until: int = 0
    branches: tuple[Position, ...] = ()
    interrupts: tuple[str, ...] = ()
    resting: ThreadStatus = ThreadStatus.IDLE
    turn: str | None = None
    waiting: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)
    deleting: bool = False
    due_at: int = 0

    @property
    def status(self) -> ThreadStatus:
        """What it is doing."""
        return ThreadStatus.BUSY if self.turn else self.resting

    def expired(self, now: int) -> bool:
        """Whether the row is past its TTL: gone for everybody, deleted by DynamoDB or not."""
        return now >= self.expires_at * 1000


def new_thread_id() -> str:
    """An unguessable id."""
    return str(uuid.uuid4())


def is_thread_id(text: str) -> bool:
    """Whether `text` is a UUID in its usual form, in small letters."""
    return THREAD_ID.fullmatch(text) is not None


def position_attribute(position: Position) -> dict[str, Any]:
    """`position` as a DynamoDB attribute."""
    return {"L": [{"S": position.checkpoint_thread}, {"S": position.checkpoint_id}]}


def position_from_attribute(attribute: dict[str, Any] | None) -> Position | None:
    """The reverse of `position_attribute`."""
    return _position(attribute) if attribute else None


def _position(attribute: dict[str, Any]) -> Position:
    return Position(*(part["S"] for part in attribute["L"]))


def thread_attributes(thread: Thread) -> dict[str, Any]:
    """The row's attributes in DynamoDB's low-level form, without its key.

    The owner is `thread_owner`: `owner` would put the row into the index of jobs.
    """
    item: dict[str, Any] = {
        "thread_id": {"S": thread.thread_id},
        ATTRIBUTE: {"N": str(VERSION)},
        "thread_owner": {"S": thread.owner},
        "graph": {"S": thread.graph},
        "resting": {"S": thread.resting.value},
        "metadata": {"S": json.dumps(thread.metadata, ensure_ascii=False, separators=(",", ":"))},
    }
    for name in NUMBERS:
        item[name] = {"N": str(getattr(thread, name))}
    if thread.head:
        item["head"] = position_attribute(thread.head)
        item["kept"] = {"L": [{"N": str(thread.revision)}, {"N": str(thread.kept_until)}]}
    if thread.turn:
        item["turn"] = {"S": thread.turn}
    if thread.deleting:
        item |= {"deleting": {"BOOL": True}, "due_at": {"N": str(thread.due_at)}}
    if thread.branches:
        item["branches"] = {"L": [position_attribute(each) for each in thread.branches]}
    for name in LISTS:
        if values := getattr(thread, name):
            item[name] = {"L": [{"S": value} for value in values]}
    return item


def _kept_until(item: dict[str, Any]) -> int:
    """A release that does not know of it leaves that of an earlier revision, and extends the row with each turn."""
    if "head" not in item:
        return 0
    revision, until = (int(each["N"]) for each in item["kept"]["L"]) if "kept" in item else (0, 0)
    return until if revision == int(item["revision"]["N"]) else int(item["expires_at"]["N"])


def thread_from_item(item: dict[str, Any]) -> Thread:
    """The thread that a row holds.

    Raises:
        NewerVersion: a newer release has written it.
    """
    if version_of(item) > VERSION or item["resting"]["S"] not in _STATUSES:
        raise NewerVersion(item["thread_id"]["S"])
    numbers: dict[str, Any] = {name: int(item[name]["N"]) for name in NUMBERS}
    lists: dict[str, Any] = {name: tuple(each["S"] for each in item.get(name, {"L": []})["L"]) for name in LISTS}
    return Thread(
        **numbers,
        **lists,
        thread_id=item["thread_id"]["S"],
        owner=item["thread_owner"]["S"],
        graph=item["graph"]["S"],
        resting=ThreadStatus(item["resting"]["S"]),
        head=position_from_attribute(item.get("head")),
        kept_until=_kept_until(item),
        branches=tuple(_position(each) for each in item.get("branches", {"L": []})["L"]),
        turn=item.get("turn", {}).get("S"),
        metadata=json.loads(item["metadata"]["S"]),
        deleting="deleting" in item,
        due_at=int(item.get("due_at", {"N": "0"})["N"]),
    )
