"""An event log in memory that can hide, withhold and fail: what moto never does. And a way to fill it."""

from __future__ import annotations

import threading
import zlib
from collections import Counter, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Any

from graphjobs.core.event import DONE, Event
from graphjobs.core.event_log import Batch, Fenced, Key
from graphjobs.core.slot import Slot, freeze
from graphjobs.core.times import now_ms, rfc3339

EXPIRES = 1_900_000_000


class MemoryLog:
    """`EventLog` in a dictionary.

    Attributes:
        calls: how often each method was called.
        keys_read: the keys of each `read`.
        failures: errors that the next calls of any reading method raise, one each.
        hidden: how many more eventually consistent reads do not see the slot under a key.
        withheld: how many more `read`s do not answer for a key.
        corrupt: keys under which there is no slot but something else.
        in_s3: keys of slots whose body is in S3, and what S3 does before it gives it.
        before: called at the start of every eventually consistent read.
    """

    def __init__(self) -> None:
        self.slots: dict[Key, Slot] = {}
        self.calls: Counter[str] = Counter()
        self.keys_read: list[list[Key]] = []
        self.failures: deque[Exception] = deque()
        self.hidden: Counter[Key] = Counter()
        self.withheld: Counter[Key] = Counter()
        self.corrupt: set[Key] = set()
        self.in_s3: dict[Key, Callable[[], object]] = {}
        self.before: Callable[[], object] = lambda: None
        self._lock = threading.Lock()

    def append(self, slot: Slot) -> None:
        with self._lock:
            if not self.slots.setdefault((slot.job_id, slot.seq), slot).same_write(slot):
                raise Fenced(slot.job_id)

    def tail(self, job_id: str) -> Slot | None:
        self._called("tail")
        return self._last(job_id, 10**15)

    def containing(self, job_id: str, seq: int) -> Slot | None:
        self._called("containing")
        return self._last(job_id, seq)

    def _last(self, job_id: str, seq: int) -> Slot | None:
        keys = [key for key in list(self.slots) if key[0] == job_id and key[1] <= seq]
        return self.slots[max(keys)] if keys else None

    def read(self, keys: Iterable[Key]) -> Batch:
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
        key = (slot.job_id, slot.seq)
        if key in self.in_s3:
            self._called("whole")
            self.in_s3[key]()
        return self.slots[key]

    def following(self, job_id: str, seq: int, *, max_slots: int) -> list[Slot]:
        self.before()
        self._called("following")
        found: list[Slot] = []
        while len(found) < max_slots and (slot := self._seen((job_id, found[-1].next_seq if found else seq))):
            found.append(slot)
        return found

    def _seen(self, key: Key) -> Slot | None:
        return None if key in self.slots and _counted_down(self.hidden, key) else self.slots.get(key)

    def _called(self, method: str) -> None:
        with self._lock:
            self.calls[method] += 1
            if self.failures:
                raise self.failures.popleft()


def _counted_down(counter: Counter[Key], key: Key) -> bool:
    counter[key] -= 1
    return counter[key] >= 0


class Script:
    """The log of one job, written slot by slot."""

    def __init__(self, log: MemoryLog, job_id: str) -> None:
        self.log = log
        self.job_id = job_id
        self.events: list[dict[str, Any]] = []

    def slot(self, *texts: str, ts: int | None = None) -> Slot:
        """Append a slot of one token an item."""
        return self._append([("token", {"text": text}) for text in texts], ts)

    def foreign(self, *lines: str) -> Slot:
        """The next slot as nobody of ours writes it: its lines need not be events. It is not appended."""
        return freeze(self.job_id, len(self.events) + 1, lines, nonce="foreign", mark=None, expires_at=EXPIRES)

    def done(self, *texts: str) -> Slot:
        """Append the last slot: tokens, then `done`."""
        return self._append([*(("token", {"text": t}) for t in texts), (DONE, {"status": "completed", "result": None})])

    def _append(self, members: Sequence[tuple[str, dict[str, Any]]], ts: int | None = None) -> Slot:
        first = len(self.events) + 1
        when = rfc3339(now_ms() if ts is None else ts)
        events = [Event(first + i, kind, when, data) for i, (kind, data) in enumerate(members)]
        lines = [event.line() for event in events]
        slot = freeze(self.job_id, first, lines, nonce="writer", mark=None, expires_at=EXPIRES)
        # Known before it can be read: a reader may be faster than this thread.
        self.events += [{"seq": e.seq, "type": e.type, "ts": e.ts, "data": e.data} for e in events]
        self.log.append(slot)
        return slot


def corrupt(slot: Slot) -> Slot:
    """`slot` with fewer events than it says."""
    text = zlib.decompress(slot.body).decode() if isinstance(slot.body, bytes) else slot.body
    return Slot(slot.job_id, slot.seq, slot.count + 1, slot.nonce, text, None, slot.expires_at)
