"""The job row: its states, its attributes and what may be said of it. Knows nothing of DynamoDB calls.

Statuses::

    queued -> running -> completed | interrupted | failed | cancelled
                 \\-> cancelling -> cancelled (or failed, past the deadline or the attempts)
    queued -> cancelled | failed

The last four are terminal and never change; an interrupted job is answered by the next one on its thread.
"""

import re
import uuid
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from graphjobs.core.slot import Mark, mark_attribute, mark_from_attribute
from graphjobs.core.thread import Position, position_attribute, position_from_attribute
from graphjobs.core.version import NewerVersion, version_of

EVENTS_KEEP_SECONDS: Final = 86_400
"""Events and checkpoints outlive the row by so much."""

JOB_ID: Final = re.compile(r"job-[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}", re.ASCII)


class Status(StrEnum):
    """Where a job is in its life."""

    QUEUED = "queued"
    RUNNING = "running"
    CANCELLING = "cancelling"
    COMPLETED = "completed"
    INTERRUPTED = "interrupted"
    """The graph asks a person, or has stopped where it was asked to; the next job of the thread goes on."""
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """Whether it is final."""
        return self in TERMINAL


TERMINAL: Final = frozenset({Status.COMPLETED, Status.INTERRUPTED, Status.FAILED, Status.CANCELLED})


class Release(StrEnum):
    """How the last worker released the job by itself."""

    HANDOFF = "handoff"
    """Drained at a step boundary: nothing is lost, the attempt goes on."""
    STEP_CUT = "step_cut"
    """A step outlived the function after others had been completed in it: it begins again, the attempt goes on."""
    STEP_LIMIT = "step_limit"
    """A step that had the function to itself outlived it: counts as a crash."""

    @property
    def goes_on(self) -> bool:
        """Whether the attempt goes on, since something was achieved; bounded by the number of hand-offs."""
        return self is not Release.STEP_LIMIT


def new_job_id() -> str:
    """An unguessable id."""
    return f"job-{uuid.uuid4()}"


def is_job_id(text: str) -> bool:
    """Whether `text` has the form of an id; anything else is answered like a job that does not exist."""
    return JOB_ID.fullmatch(text) is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One job row. Times are epoch milliseconds, but `expires_at`, which is DynamoDB's TTL, in seconds.

    Attributes:
        epoch: number of claims so far: the fence.
        attempt: 1 at the first claim, +1 after each crash: what is limited.
        handoffs: times the job was sent on by a worker near its deadline.
        lease_until: until when the row is its worker's; 0 when nobody holds it.
        due_at: when the reconciler should look at it, if nothing happens before.
        released: how the last worker let go, if it did so itself.
        mark: where to resume after a hand-off, if no slot could carry it.
        thread_id: the thread (conversation) that it is a turn of; None if it was created without one.
        waiting: whether other jobs of its thread come first: it is not to be claimed.
        start: the checkpoint that it begins with; None to begin with nothing.
        rollback: whether its cancel takes back whatever it did to its thread.
        deleting: whether its owner has deleted it: gone for everybody; once it has ended, all of it is erased.
        not_before: when it may begin, if that was asked for.
        owner_limit: how many jobs its owner may have that have not ended; 0: no limit, and it is not counted.
        start_failures: times since the last claim that a worker could not be started for it.
        digest: of the graphs that its last worker had; empty if it did not say.
        watched_until: until when somebody is known to follow it; its worker then writes events at once.
    """

    job_id: str
    owner: str
    graph: str
    status: Status
    created_at: int
    deadline_at: int
    expires_at: int
    due_at: int = 0
    epoch: int = 0
    attempt: int = 0
    handoffs: int = 0
    sends: int = 0
    lease_until: int = 0
    sent_at: int | None = None
    started_at: int | None = None
    finished_at: int | None = None
    released: Release | None = None
    mark: Mark | None = None
    thread_id: str | None = None
    waiting: bool = False
    start: Position | None = None
    rollback: bool = False
    deleting: bool = False
    not_before: int | None = None
    owner_limit: int = 0
    start_failures: int = 0
    tickets_revoked: int = 0
    digest: str = ""
    watched_until: int | None = None

    @property
    def thread(self) -> str:
        """The id of its thread: without one given, the UUID in its own id names a thread of its own."""
        return self.thread_id or self.job_id.removeprefix("job-")

    def checkpoint_thread(self, epoch: int) -> str:
        """The checkpoint thread of the claim `epoch`: no two claims share one."""
        return f"{self.job_id}:{epoch}"

    def expired(self, now: int) -> bool:
        """Whether the row is past its TTL: gone for everybody, deleted by DynamoDB or not."""
        return now >= self.expires_at * 1000

    def held(self, now: int) -> bool:
        """Whether some worker's lease on it is in force."""
        return self.lease_until > now

    @property
    def log_expires_at(self) -> int:
        """TTL of its slots, in epoch seconds: a day after the row, so that who reads a live row finds a whole log."""
        return self.expires_at + EVENTS_KEEP_SECONDS

    def waits(self, now: int) -> bool:
        """Whether it is not to run yet: other jobs of its thread come first, or its time has not come."""
        return self.waiting or (self.not_before or 0) > now

    def past_deadline(self, now: int) -> bool:
        """Whether the time that the job was given is over."""
        return now >= self.deadline_at


_NUMBERS = (
    "created_at",
    "deadline_at",
    "expires_at",
    "due_at",
    "epoch",
    "attempt",
    "handoffs",
    "sends",
    "lease_until",
    "sent_at",
    "started_at",
    "finished_at",
    "not_before",
    "watched_until",
)
_STATUSES: Final = frozenset(status.value for status in Status)
_RELEASES: Final = frozenset({None, *(release.value for release in Release)})

VERSION: Final = 1
"""Of the row's form. To be raised with a change that older code would misread; it then leaves such rows alone."""

_COUNTS = ("owner_limit", "start_failures", "tickets_revoked")
"""Most often 0, which is not stored."""

_FLAGS = ("waiting", "rollback", "deleting")


def row_attributes(job: Job) -> dict[str, Any]:
    """The row's attributes in DynamoDB's low-level form, without its key and the index keys (`due_at` is one)."""
    item: dict[str, Any] = {
        "job_id": {"S": job.job_id},
        "owner": {"S": job.owner},
        "graph": {"S": job.graph},
        "status": {"S": job.status.value},
        "v": {"N": str(VERSION)},
    }
    for name in _NUMBERS:
        value = getattr(job, name)
        if value is not None and name != "due_at":
            item[name] = {"N": str(value)}
    if job.released is not None:
        item["released"] = {"S": job.released.value}
    if job.mark is not None:
        item["mark"] = mark_attribute(job.mark)
    if job.thread_id is not None:
        item["thread_id"] = {"S": job.thread_id}
    if job.start is not None:
        item["start"] = position_attribute(job.start)
    if job.digest:
        item["digest"] = {"S": job.digest}
    item |= {name: {"N": str(getattr(job, name))} for name in _COUNTS if getattr(job, name)}
    return item | {name: {"BOOL": True} for name in _FLAGS if getattr(job, name)}


def job_from_item(item: dict[str, Any]) -> Job:
    """The job that a row (or its projection into an index, which has no version) holds.

    Raises:
        NewerVersion: see there.
    """
    known = item["status"]["S"] in _STATUSES and item.get("released", {}).get("S") in _RELEASES
    if version_of(item) > VERSION or not known:
        raise NewerVersion(item["job_id"]["S"])
    numbers = {name: int(item[name]["N"]) for name in _NUMBERS if name in item}
    return Job(
        **{"created_at": 0, "deadline_at": 0, "expires_at": 0, **numbers},
        job_id=item["job_id"]["S"],
        owner=item["owner"]["S"],
        graph=item["graph"]["S"],
        status=Status(item["status"]["S"]),
        released=Release(item["released"]["S"]) if "released" in item else None,
        mark=mark_from_attribute(item.get("mark")),
        thread_id=item.get("thread_id", {}).get("S"),
        digest=item.get("digest", {}).get("S", ""),
        start=position_from_attribute(item.get("start")),
        waiting="waiting" in item,
        rollback="rollback" in item,
        **{name: int(item[name]["N"]) for name in _COUNTS if name in item},
        deleting="deleting" in item,
    )
