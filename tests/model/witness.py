"""What the tables hold, and a client that judges every write at the moment it is committed.

The tables are in this thread, so a write is atomic between "before" and "after": what must hold of each single write
(the fence, the lease, a terminal row, a frozen slot) is judged here, whatever races the model arranges around it.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphjobs.core.event import DONE
from graphjobs.core.job import Job, job_from_item
from graphjobs.core.slot import Slot, slot_from_item
from graphjobs.core.thread import Thread, thread_from_item
from graphjobs.core.times import Clock
from tests.model.rows import Rows
from tests.support.tables import MemoryTables

if TYPE_CHECKING:
    from tests.model.conversation import Judge

WRITES = frozenset({"put_item", "update_item", "transact_write_items"})


class Storage:
    """The tables as they are, read without a call."""

    def __init__(self, tables: MemoryTables) -> None:
        self._tables = tables
        self._jobs = Rows(tables, "job#", job_from_item)
        self._threads = Rows(tables, "thread#", thread_from_item)
        self._slots: dict[tuple[str, int], Slot] = {}

    def item(self, table: str, key: dict[str, Any]) -> dict[str, Any]:
        """The answer to a `GetItem`."""
        return self._tables.get_item(TableName=table, Key=key)

    def job(self, job_id: str) -> Job | None:
        return self._jobs.get(job_id)

    def thread(self, thread_id: str) -> Thread | None:
        return self._threads.get(thread_id)

    def threads(self) -> list[Thread]:
        return self._threads.all()

    def jobs(self) -> list[Job]:
        return self._jobs.all()

    def log(self, job_id: str) -> list[Slot]:
        """The slots by key; each is parsed once, since `Witness` reports any that is written twice."""
        slots = []
        for seq, item in self._tables.items["events"].get(job_id, {}).items():
            if (job_id, seq) not in self._slots:
                self._slots[job_id, seq] = slot_from_item(dict(item))
            slots.append(self._slots[job_id, seq])
        return sorted(slots, key=lambda slot: slot.seq)


@dataclass(eq=False)
class Actor:
    """Who is making calls: a worker with the epoch of its claim, or anybody else.

    Attributes:
        claimed: the epoch that it has just claimed, as the table says.
        ended: whether it has ended the job, as the table says.
    """

    name: str
    job_id: str | None = None
    epoch: int | None = None
    claimed: int | None = None
    ended: bool = False


class Witness:
    """Wraps the DynamoDB client; `violations` is what must never be."""

    def __init__(self, client: Any, storage: Storage, clock: Clock) -> None:
        self._client = client
        self._storage = storage
        self._clock = clock
        self.meta = client.meta
        self.violations: list[str] = []
        self.judge: Judge | None = None
        """Judges threads."""
        self.actors: list[Actor] = [Actor("nobody")]

    @contextmanager
    def acting(self, actor: Actor) -> Iterator[Actor]:
        """Calls made inside are `actor`'s."""
        self.actors.append(actor)
        try:
            yield actor
        finally:
            self.actors.pop()

    def __getattr__(self, operation: str) -> Any:
        method = getattr(self._client, operation)
        if operation not in WRITES:
            return method

        def write(**arguments: Any) -> Any:
            keys = _updated(operation, arguments)
            slots = _puts(operation, arguments)
            job_ids = {key.removeprefix("job#") for key in keys if key.startswith("job#")}
            job_ids |= {slot.job_id for slot in slots}
            rows = {job_id: self._storage.job(job_id) for job_id in job_ids}
            logs = {job_id: self._storage.log(job_id) for job_id in job_ids}
            thread_ids = {key.removeprefix("thread#") for key in keys if key.startswith("thread#")}
            threads = {thread_id: self._storage.thread(thread_id) for thread_id in thread_ids}
            answer = method(**arguments)
            for slot in slots:
                self._judge_slot(logs[slot.job_id], slot)
            for job_id, row in rows.items():
                self._judge_row(row, self._storage.job(job_id), job_id)
            for thread_id, thread in threads.items():
                self._judge_thread(thread, thread_id, rows, _created(operation, arguments))
            return answer

        return write

    def _judge_thread(
        self, before: Thread | None, thread_id: str, rows: dict[str, Job | None], created: str | None
    ) -> None:
        if self.judge is None:
            return
        ended = None
        for job_id, row in rows.items():
            after = self._storage.job(job_id)
            if row and after and after.status.terminal and not row.status.terminal:
                ended = row, after
        for wrong in self.judge.wrong(before, self._storage.thread(thread_id), ended):
            self._report(wrong)
        for wrong in self.judge.answered(before, created) if created else ():
            self._report(wrong)

    def _judge_slot(self, log: list[Slot], slot: Slot) -> None:
        if any(slot.seq == other.seq for other in log):
            self._report(f"slot {slot.seq} was written over")
        elif slot.seq != (log[-1].next_seq if log else 1):
            self._report(f"slot {slot.seq} does not follow the log")
        elif log and log[-1].events()[-1].type == DONE:
            self._report(f"slot {slot.seq} follows done")

    def _judge_row(self, before: Job | None, after: Job | None, job_id: str) -> None:
        actor = self.actors[-1]
        if before is None or after is None:
            return
        if before.status.terminal and after != before:
            self._report(f"terminal row changed: {before} -> {after}")
        if actor.epoch is not None and actor.job_id == job_id and before.epoch != actor.epoch:
            self._report(f"wrote with epoch {actor.epoch} while epoch {before.epoch} holds the job")
        held = before.lease_until > self._clock()
        if after.epoch != before.epoch:
            actor.claimed = after.epoch
            if after.epoch != before.epoch + 1:
                self._report(f"epoch {before.epoch} -> {after.epoch}")
            if held:
                self._report("claimed under a lease in force")
            if (before.not_before or 0) > self._clock():
                self._report("claimed before its time")
        if after.status.terminal and not before.status.terminal:
            actor.ended = True
            if (actor.epoch is None or actor.job_id != job_id) and held:
                self._report("ended under a lease in force")
        log = self._storage.log(job_id)
        if after.status.terminal != bool(log and log[-1].events()[-1].type == DONE):
            self._report("row and log do not end together")

    def _report(self, what: str) -> None:
        # Not raised here: the code under test would take it for a fault of the backend.
        self.violations.append(f"{self.actors[-1].name}: {what}")


def _items(operation: str, arguments: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    if operation == "transact_write_items":
        return [next(iter(item.items())) for item in arguments["TransactItems"]]
    return [("Put" if operation == "put_item" else "Update", arguments)]


def _puts(operation: str, arguments: dict[str, Any]) -> list[Slot]:
    items = _items(operation, arguments)
    return [slot_from_item(item["Item"]) for kind, item in items if kind == "Put" and "seq" in item["Item"]]


def _updated(operation: str, arguments: dict[str, Any]) -> list[str]:
    """The keys of the rows that are changed; a create puts what is not there yet."""
    return [str(item["Key"]["pk"]["S"]) for kind, item in _items(operation, arguments) if kind == "Update"]


def _created(operation: str, arguments: dict[str, Any]) -> str | None:
    """The job that is created."""
    for kind, item in _items(operation, arguments):
        if kind == "Put" and item["Item"].get("pk", {}).get("S", "").startswith("job#"):
            return str(item["Item"]["job_id"]["S"])
    return None
