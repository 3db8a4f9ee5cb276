"""An event log in memory, which can be told to fail, to lose an answer, to lag and to wait: what moto never does."""

from __future__ import annotations

import threading
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import replace

from graphjobs.core.event import Event
from graphjobs.core.event_log import Batch, Fenced, Key
from graphjobs.core.slot import Slot

PATIENCE_SECONDS = 30


class MemoryLog:
    """`EventLog` of any number of jobs, for any number of threads.

    Attributes:
        written: every slot, under its key.
        tries: every slot that `append` was given, in order.
        calls: how often each reading method was called.
        keys_read: the keys of each `read`.
        failures: errors that the next calls of any reading method raise, one each.
        hidden: how many more eventually consistent reads do not see the slot under a key.
        withheld: how many more `read`s do not answer for a key.
        corrupt: keys under which there is no slot but something else.
        in_s3: keys of slots whose body is in S3, and what S3 does before it gives it.
        before: called at the start of every eventually consistent read.
    """

    def __init__(self) -> None:
        self.written: dict[Key, Slot] = {}
        self.tries: list[Slot] = []
        self.calls: Counter[str] = Counter()
        self.keys_read: list[list[Key]] = []
        self.failures: deque[Exception] = deque()
        self.hidden: Counter[Key] = Counter()
        self.withheld: Counter[Key] = Counter()
        self.corrupt: set[Key] = set()
        self.in_s3: dict[Key, Callable[[], object]] = {}
        self.before: Callable[[], object] = lambda: None
        self._faults: deque[Callable[[Slot], None]] = deque()
        self._lock = threading.Lock()

    # What the next appends do in place of appending.

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
            if not go_on.wait(PATIENCE_SECONDS):
                raise TimeoutError("The append that is held was never let go on.")

        self._faults.append(fault)
        return begun, go_on

    # The log past all faults, for who looks at it from outside.

    def store(self, slot: Slot) -> None:
        """Append without fault or trace, as another writer does."""
        with self._lock:
            if not self.written.setdefault((slot.job_id, slot.seq), slot).same_write(slot):
                raise Fenced(f"Slot {slot.seq} was written by another.")

    def slots(self, job_id: str) -> list[Slot]:
        """All slots of a job, in order."""
        with self._lock:
            return [self.written[key] for key in sorted(key for key in self.written if key[0] == job_id)]

    def events(self, job_id: str) -> list[Event]:
        """All events of a job, in order."""
        return [event.parse() for slot in self.slots(job_id) for event in slot.events()]

    # EventLog.

    def append(self, slot: Slot) -> None:
        """See `EventLog.append`."""
        self.tries.append(slot)
        if self._faults:
            self._faults.popleft()(slot)
        self.store(slot)

    def tail(self, job_id: str) -> Slot | None:
        """See `EventLog.tail`."""
        self._called("tail")
        return next(reversed(self.slots(job_id)), None)

    def containing(self, job_id: str, seq: int) -> Slot | None:
        """See `EventLog.containing`."""
        self._called("containing")
        return next((slot for slot in reversed(self.slots(job_id)) if slot.seq <= seq), None)

    def read(self, keys: Iterable[Key]) -> Batch:
        """See `EventLog.read`."""
        wanted = list(keys)
        self.keys_read.append(wanted)
        self.before()
        self._called("read")
        unknown = frozenset(key for key in wanted if _counted_down(self.withheld, key))
        found = {key: slot for key in wanted if key not in unknown and (slot := self._seen(key))}
        for key in self.in_s3.keys() & found.keys():
            found[key] = replace(found[key], body="", object_key="somewhere")
        return Batch(found, unknown, frozenset(self.corrupt & set(wanted)))

    def whole(self, slot: Slot) -> Slot:
        """See `EventLog.whole`."""
        key = (slot.job_id, slot.seq)
        if key in self.in_s3:
            self._called("whole")
            self.in_s3[key]()
        return self.written[key]

    def following(self, job_id: str, seq: int, *, max_slots: int) -> list[Slot]:
        """See `EventLog.following`."""
        self.before()
        self._called("following")
        found: list[Slot] = []
        while len(found) < max_slots and (slot := self._seen((job_id, found[-1].next_seq if found else seq))):
            found.append(slot)
        return found

    def _seen(self, key: Key) -> Slot | None:
        return None if key in self.written and _counted_down(self.hidden, key) else self.written.get(key)

    def _called(self, method: str) -> None:
        with self._lock:
            self.calls[method] += 1
            if self.failures:
                raise self.failures.popleft()


def _counted_down(counter: Counter[Key], key: Key) -> bool:
    counter[key] -= 1
    return counter[key] >= 0
