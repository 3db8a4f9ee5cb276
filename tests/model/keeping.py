"""One deployment over tables in this process, and what must be there at each moment: said here once more, from what
happened, not from any row's own time to live. The stores and the saver are the real ones.
"""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from itertools import count
from random import Random
from typing import Any, NamedTuple, cast

from graphjobs.api.joining import Joining
from graphjobs.api.submission import Submission
from graphjobs.aws.checkpoint_table import CheckpointTable
from graphjobs.aws.claims import Claims
from graphjobs.aws.dynamo_log import DynamoEventLog
from graphjobs.aws.erasure import Erasure
from graphjobs.aws.input_bodies import InputBodies
from graphjobs.aws.job_items import row_key
from graphjobs.aws.job_store import JobStore
from graphjobs.aws.payload_store import PayloadStore
from graphjobs.aws.queue import JobQueue
from graphjobs.aws.state_store import StateStore
from graphjobs.aws.thread_history import ThreadHistory
from graphjobs.aws.thread_store import ThreadStore
from graphjobs.core.job import Job, Status, job_from_item
from graphjobs.core.lifetimes import MAX_AFTER_SECONDS, Lifetimes
from graphjobs.core.settings import Settings
from graphjobs.core.slot import Slot
from graphjobs.core.thread import Position, Thread, position_from_attribute
from graphjobs.reconcile.service import Reconciler, Stores
from graphjobs.testing import FakeClock, MemoryQueue
from graphjobs.worker.checkpoints import ConfirmingSaver
from tests.model.rows import Rows
from tests.support.backend import transitions_of
from tests.support.tables import Item, MemoryBucket, MemoryTables

DAY = 86_400
TTL = {"jobs": "expires_at", "events": "expires_at", "checkpoints": "ttl"}
"""What the deployment declares: `test_storage` has the same."""


class Saved(NamedTuple):
    """What was saved at a checkpoint, and by which job."""

    path: tuple[int, ...]
    line: tuple[str, ...]
    job_id: str


@dataclass
class Promise:
    """A thread's head, and until when (epoch milliseconds) it can be gone on from whatever happens."""

    head: Position
    until: int


class Keeping:
    """Stores, what they were given, and what they owe."""

    def __init__(self, settings: Settings, client: Callable[[Any], Any] = lambda tables: tables) -> None:
        """`client` may wrap the tables."""
        self.settings = settings
        self.clock = FakeClock()
        self.items = MemoryTables(self._written)
        self.tables = client(self.items)
        self._rows = Rows(self.items, "job#", job_from_item)
        self.bucket: Any = cast(Any, MemoryBucket(self.clock))
        self.jobs = JobStore(self.tables, "jobs", InputBodies(lambda: self.bucket, "payloads"))
        self.log = DynamoEventLog(self.tables, "events", PayloadStore(self.bucket, "payloads"))
        self.threads = ThreadStore(self.tables, "jobs", settings.thread_retention_seconds)
        self.lives = Lifetimes.of(settings)
        state = self.lives.state
        self.states = StateStore(self.tables, "checkpoints", lambda: self.bucket, "payloads", state, clock=self.clock)
        self.history = ThreadHistory(self.jobs, self.log, self.states)
        queue = JobQueue(cast(Any, MemoryQueue()), "queue")
        retention = settings.thread_retention_seconds
        self.transitions = transitions_of(self.tables, self.jobs, self.log, self.clock, queue.announce, retention)
        self.claims = Claims(self.jobs, self.transitions, settings, clock=self.clock)
        joining = Joining(self.jobs, self.threads, self.log, self.transitions, self.history, self.clock)
        self.submission = Submission(self.jobs, queue, settings, joining, self.clock)
        logger: Any = Quiet()
        erasure = Erasure(self.tables, self.bucket, self.threads, self.states, settings)
        stores = Stores(self.jobs, self.transitions, queue, self.threads, erasure)
        self.reconciler = Reconciler(stores, settings, logger, self.clock)
        self.numbers = count(1)
        self.saved: dict[str, Saved] = {}
        self.accepted: dict[str, Job] = {}
        self.ends: dict[str, tuple[Status, int]] = {}
        self.results: dict[str, tuple[int, ...]] = {}
        self.heads: dict[str, list[Position]] = defaultdict(list)
        self.promises: dict[str, Promise] = {}
        self.wrong: list[str] = []
        self._checked: Any = None
        longest = MAX_AFTER_SECONDS + settings.max_timeout_seconds
        self.longest_life = 2 * longest + 2 * settings.max_timeout_seconds + 3 * DAY
        self.longest_life += settings.retention_seconds + settings.thread_retention_seconds
        """In which whatever is used no more is gone."""

    # What the tables tell.

    def rows(self) -> list[Job]:
        """All rows of jobs, the oldest first."""
        return sorted(self._rows.all(), key=lambda job: job.job_id)

    def open_jobs(self) -> list[Job]:
        """Those that have not ended and are there for everybody."""
        return [job for job in self.rows() if not job.status.terminal and not job.expired(self.clock())]

    def thread(self, thread_id: str) -> Thread | None:
        """As everybody sees it."""
        thread = self.threads.get(thread_id)
        return None if thread is None or thread.expired(self.clock()) else thread

    def visible(self, thread_id: str) -> set[str]:
        """Checkpoints that a thread's heads and its running job's mark have come from, stored still or not."""
        tips = {head.checkpoint_id for head in self.heads[thread_id]}
        thread = self.thread(thread_id)
        turn = self.jobs.get(thread.turn) if thread is not None and thread.turn is not None else None
        tail = self.log.tail(turn.job_id) if turn is not None and not turn.rollback else None
        if tail is not None and tail.mark is not None:
            tips.add(tail.mark.checkpoint_id)
        return {each for tip in tips for each in self.saved[tip].line}

    def _written(self, table: str, before: Item | None, after: Item | None) -> None:
        if after is None:
            return
        now = self.clock()
        if TTL[table] not in after:
            self.wrong.append(f"an item lives for ever: {after}")
        elif int(after[TTL[table]]["N"]) > now // 1000 + self.longest_life:
            self.wrong.append(f"an item lives for longer than anything may need it: {after}")
        if "thread_owner" in after:
            self._thread_written(str(after["thread_id"]["S"]), before, after)
        elif "job_id" in after and "graph" in after:
            job = job_from_item(dict(after))
            if job.status.terminal and job.job_id not in self.ends:
                self.ends[job.job_id] = job.status, now

    def _thread_written(self, thread_id: str, before: Item | None, after: Item) -> None:
        head, now = position_from_attribute(after.get("head")), self.clock()
        first = after["revision"]["N"] == "1"
        anew = first or before is None or (head is None and int(before["expires_at"]["N"]) * 1000 <= now)
        heads = self.heads[thread_id]
        if anew and heads and head != heads[-1]:
            if head is not None and head in heads:
                self.wrong.append("a thread that has expired is back as it once was")
            heads.clear()
            self.promises.pop(thread_id, None)
        if head is None or (heads and heads[-1] == head):
            return
        heads.append(head)
        job = self.accepted[self.saved[head.checkpoint_id].job_id]
        status, ended = self.ends[job.job_id]
        retention = self.settings.thread_retention_seconds * 1000
        # That of a job which had no thread when it ended is kept as long as the job's row.
        adopted = first and (status is not Status.INTERRUPTED or ended < now)
        until = job.expires_at * 1000 if adopted else min(now, job.deadline_at) + retention
        self.promises[thread_id] = Promise(head, until // 1000 * 1000)
        row = self.items.get_item(TableName="jobs", Key={"pk": row_key(job.job_id)}).get("Item", {})
        if "rollback" in row:
            self.wrong.append("a head is of a job that was rolled back")

    # What time does.

    def time_to_live(self, number: int, share: float) -> None:
        """DynamoDB deletes some of what has expired, and S3 what its rules say."""
        now, chance = self.clock() // 1000, Random(number)
        for table, name in TTL.items():
            for item in list(self.items.all(table)):
                if int(item[name]["N"]) <= now and chance.random() < share:
                    self.items.expire(table, item)
        lives = {"events": self.lives.job, "inputs": self.lives.job}
        lives |= {"checkpoints": self.lives.checkpoint, "states": self.lives.state}
        for key, found in list(self.bucket.objects.items()):
            days = math.ceil(lives[key.partition("/")[0]] / DAY) + 1
            if found["LastModified"] // 1000 + days * DAY <= now:
                del self.bucket.objects[key]

    def left(self) -> list[Any]:
        """Whatever is stored."""
        return [*self.bucket.objects, *(item for table in TTL for item in self.items.all(table))]

    # What must be there.

    def check(self) -> None:
        """Assert it; where nothing has been written and no time has passed since the last time, it is so still."""
        assert not self.wrong, self.wrong
        now = self.items.writes, set(self.bucket.objects), self.clock(), self.results.copy()
        if self._checked == now:
            return
        for job in self.open_jobs():
            self._lives(job)
        for thread_id in self.heads:
            self._readable(thread_id)
        for job_id in self.accepted:
            self._log(job_id)
        self._checked = now

    def _lives(self, job: Job) -> None:
        assert self.jobs.input(job.job_id) is not None, "the input of a job that may run is gone"
        if job.thread_id is not None:
            thread = self.thread(job.thread_id)
            assert thread is not None, "a thread expired before its jobs"
            assert job.job_id in (thread.turn, *thread.waiting), "a job that its thread does not know"
        tail = self.log.tail(job.job_id)
        if tail is not None and tail.mark is not None:
            self.assert_stored(Position(tail.mark.thread, tail.mark.checkpoint_id), "of a job that may go on")

    def _readable(self, thread_id: str) -> None:
        thread, promise = self.thread(thread_id), self.promises.get(thread_id)
        if promise is not None and self.clock() < promise.until:
            assert thread is not None, "a thread expired before its retention was over"
            assert thread.head == promise.head, "a thread has another head than was left"
            self.assert_stored(promise.head, "of a head")
        if thread is None:
            return
        visible = self.visible(thread_id)
        for record in self.history.records(thread, self.history.notes(thread)):
            checkpoint_id = record.note.position.checkpoint_id
            path = list(self.saved[checkpoint_id].path)
            assert json.loads(record.body)["values"] == {"path": path}, "a state that was never saved there"
            assert checkpoint_id in visible, "a state that is not to be seen"

    def assert_stored(self, position: Position, what: str) -> None:
        """Assert that a checkpoint can be gone on from."""
        found = self.saver().get_tuple(config_at(position.checkpoint_thread, position.checkpoint_id))
        path = self.saved[position.checkpoint_id].path
        assert found is not None, f"a checkpoint {what} is gone"
        assert tuple(found.checkpoint["channel_values"]["path"]) == path, f"a checkpoint {what} is another"

    def _log(self, job_id: str) -> None:
        job, accepted, now = self.jobs.get(job_id), self.accepted[job_id], self.clock()
        _, ended = self.ends.get(job_id, (None, accepted.deadline_at))
        kept_until = min(ended, accepted.deadline_at) // 1000 + self.settings.retention_seconds
        if job is None or job.expired(now):
            assert now >= kept_until * 1000, "a job expired before its retention was over"
            return
        slots: list[Slot] = []
        while more := self.log.following(job_id, slots[-1].next_seq if slots else 1, max_slots=100):
            slots += more
        tail = self.log.tail(job_id)
        assert (tail and tail.last_seq) == (slots[-1].last_seq if slots else None), "a log has lost its middle"
        last = slots[-1].events()[-1].parse() if slots else None
        assert job.status.terminal == (last is not None and last.type == "done"), "row and log do not end together"
        if last is not None and job.status.terminal:
            assert last.data["status"] == job.status.value == self.ends[job_id][0].value, "another end than it came to"
            if job.status is Status.COMPLETED:
                assert last.data["result"] == list(self.results[job_id]), "another result than it came to"

    def saver(self) -> ConfirmingSaver:
        """That of another process."""
        ttl = Lifetimes.of(self.settings).checkpoint
        table = CheckpointTable(self.tables, "checkpoints", self.bucket, "payloads", ttl, clock=self.clock)
        return ConfirmingSaver(table)


class Quiet:
    """A logger that keeps quiet, but for what went wrong."""

    def __getattr__(self, name: str) -> Any:
        assert name != "exception", "the reconciler has failed"
        return lambda *args, **kwargs: None


def config_at(thread: str, checkpoint_id: str | None) -> Any:
    """As LangGraph names a checkpoint."""
    configurable = {"thread_id": thread, "checkpoint_ns": ""}
    return {"configurable": configurable | ({"checkpoint_id": checkpoint_id} if checkpoint_id else {})}
