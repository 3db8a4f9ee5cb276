"""An event log in memory, which can be told to fail, to lose an answer and to wait."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable

from graphjobs.core.event import Event
from graphjobs.core.event_log import Batch, Fenced, Key
from graphjobs.core.slot import Slot


class MemoryLog:
    """`EventLog` of any number of jobs."""

    def __init__(self) -> None:
        self._jobs: dict[str, dict[int, Slot]] = {}
        self._lock = threading.Lock()
        self._faults: deque[Callable[[Slot], None]] = deque()
        self.tries: list[Slot] = []
        """Every slot that `append` was given, in order."""

    def fail(self, error: Exception, times: int = 1) -> None:
        """The next `times` appends write nothing and raise `error`."""

        def fault(slot: Slot) -> None:
            raise error

        self._faults.extend([fault] * times)

    def lose_answer(self, error: Exception) -> None:
        """The next append is done, and raises `error`."""

        def fault(slot: Slot) -> None:
            self.store(slot)
            raise error

        self._faults.append(fault)

    def overtake(self, other: Slot, error: Exception) -> None:
        """The next append writes nothing and raises `error`; meanwhile another writer has put `other`."""

        def fault(slot: Slot) -> None:
            self.store(other)
            raise error

        self._faults.append(fault)

    def hold(self) -> tuple[threading.Event, threading.Event]:
        """The next append waits; returns what tells that it has begun, and what lets it go on."""
        begun, go_on = threading.Event(), threading.Event()

        def fault(slot: Slot) -> None:
            begun.set()
            assert go_on.wait(30)

        self._faults.append(fault)
        return begun, go_on

    def append(self, slot: Slot) -> None:
        """See `EventLog.append`."""
        self.tries.append(slot)
        if self._faults:
            self._faults.popleft()(slot)
        self.store(slot)

    def store(self, slot: Slot) -> None:
        """Append without fault or trace: as another writer does."""
        with self._lock:
            there = self._jobs.setdefault(slot.job_id, {}).setdefault(slot.seq, slot)
            if not slot.same_write(there):
                raise Fenced(f"Slot {slot.seq} was written by another.")

    def slots(self, job_id: str) -> list[Slot]:
        """All slots of a job, in order."""
        with self._lock:
            found = self._jobs.get(job_id, {})
            return [found[seq] for seq in sorted(found)]

    def events(self, job_id: str) -> list[Event]:
        """All events of a job, in order."""
        return [event.parse() for slot in self.slots(job_id) for event in slot.events()]

    def tail(self, job_id: str) -> Slot | None:
        """See `EventLog.tail`."""
        return next(reversed(self.slots(job_id)), None)

    def containing(self, job_id: str, seq: int) -> Slot | None:
        """See `EventLog.containing`."""
        return next((slot for slot in reversed(self.slots(job_id)) if slot.seq <= seq), None)

    def read(self, keys: Iterable[Key]) -> Batch:
        """See `EventLog.read`."""
        wanted = list(keys)
        found = {(slot.job_id, slot.seq): slot for job_id, _ in wanted for slot in self.slots(job_id)}
        return Batch({key: found[key] for key in wanted if key in found})

    def whole(self, slot: Slot) -> Slot:
        """See `EventLog.whole`."""
        return slot

    def following(self, job_id: str, seq: int, *, max_slots: int) -> list[Slot]:
        """See `EventLog.following`."""
        found: list[Slot] = []
        for slot in self.slots(job_id):
            if slot.seq == (found[-1].next_seq if found else seq) and len(found) < max_slots:
                found.append(slot)
        return found
