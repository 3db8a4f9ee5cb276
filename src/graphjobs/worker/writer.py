"""The writer: numbers a run's events and puts them in the log, coalesced, from a thread of its own.

What holds:

* One put is in flight at a time; a slot is frozen when first sent, and a retry sends the identical slot.
* The first event after a pause is put at once. What arrives while a put is under way, or within the flush
  interval after its start, goes into the next slot together.
* Once `abandon` has returned, nothing more of this run reaches the log.

A thread, not a task: a node that blocks the event loop must not hold back what was produced before it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from graphjobs.aws.claims import Claim
from graphjobs.aws.clients import is_transient
from graphjobs.aws.transition import backoff, log_expires_at
from graphjobs.core.event import UPDATE, event_line
from graphjobs.core.event_log import EventLog, Fenced
from graphjobs.core.slot import Mark, Slot, freeze
from graphjobs.core.times import Clock, now_ms, rfc3339
from graphjobs.worker.jsonable import encode
from graphjobs.worker.pace import Pace

MAX_SLOT_EVENTS: Final = 500
MAX_SLOT_CHARACTERS: Final = 256 * 1024
MAX_PENDING_CHARACTERS: Final = 8 * 1024 * 1024
UPDATE_HOLD_SECONDS: Final = 0.1
"""An `update` waits this long for its step's checkpoint, so that one slot carries both the event and the mark."""


class WriterClosed(RuntimeError):
    """The run was stopped: the event is dropped."""


class LogWriter:
    """Writes the events of one claim."""

    def __init__(
        self,
        log: EventLog,
        claim: Claim,
        *,
        flush_seconds: float,
        on_failure: Callable[[Exception], None],
        clock: Clock = now_ms,
    ) -> None:
        self._log = log
        self._claim = claim
        self._pace = Pace(flush_seconds)
        self._on_failure = on_failure
        self._clock = clock
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._pending: deque[str] = deque()  # JSON lines
        self._held_until = 0.0  # if the newest is an `update`, when it is written without its mark (monotonic)
        self._characters = 0
        self._now, self._ts = 0, ""
        self._marks: list[Mark] = []
        self._mark = claim.mark
        self._first_at: int | None = None
        self._tail = claim.tail
        self._next_seq = claim.tail.next_seq
        self._closing = False
        self._abandoned = False
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._work, name="log-writer", daemon=True)
        self._thread.start()

    @property
    def last_seq(self) -> int:
        """Seq of the newest event that was accepted, written or not."""
        with self._changed:
            return self._next_seq - 1

    @property
    def first_at(self) -> int | None:
        """When the first event was accepted, in epoch milliseconds."""
        return self._first_at

    @property
    def mark_to_resume(self) -> Mark | None:
        """The newest mark that all written events allow, in a slot already or not; final after `close`."""
        with self._changed:
            self._advance_mark(self._tail.last_seq)
            return self._mark

    @property
    def full(self) -> bool:
        """Whether so much is waiting that the graph should be held up."""
        return self._characters > MAX_PENDING_CHARACTERS

    def append(self, kind: str, data: Any) -> int:
        """Accept an event, whose data `encode` makes JSON of, and return its seq.

        Raises:
            EventTooLarge: see `event_line`; nothing was accepted.
            WriterClosed: the run is being stopped.
        """
        encoded = encode(data)
        with self._lock:
            if self._closing or self._abandoned or self._failure:
                raise WriterClosed(self._claim.job.job_id)
            seq, pending = self._next_seq, self._pending
            line = event_line(seq, kind, self._timestamp(), encoded)
            # Waking the writer's thread costs more than all the rest: only for what changes how long it waits.
            wake = not pending or self._held_until
            before = self._characters
            self._held_until = time.monotonic() + UPDATE_HOLD_SECONDS if kind == UPDATE else 0.0
            pending.append(line)
            self._characters = before + len(line)
            self._next_seq = seq + 1
            if wake or len(pending) == MAX_SLOT_EVENTS or before < MAX_SLOT_CHARACTERS <= self._characters:
                self._changed.notify_all()
            return seq

    def _timestamp(self) -> str:
        now = self._clock()
        if now != self._now:  # many events come within a millisecond
            self._now, self._ts = now, rfc3339(now)
            self._first_at = self._first_at or now
        return self._ts

    def mark(self, mark: Mark) -> None:
        """Note a confirmed checkpoint; it goes into the first slot that reaches its boundary."""
        with self._changed:
            self._marks.append(mark)
            self._changed.notify_all()

    def wait_for_room(self) -> None:
        """Block until the writer is no longer `full`, or is stopped."""
        with self._changed:
            self._changed.wait_for(lambda: not self.full or self._stopped)

    def close(self) -> Slot:
        """Write all that was accepted, stop, and return the last slot of the log.

        Raises:
            Fenced, ClientError, BotoCoreError: what stopped the writer before that.
        """
        with self._changed:
            self._closing = True
            self._changed.notify_all()
        return self._join()

    def refuse(self) -> None:
        """Accept nothing more and drop what waits; does not wait for the put in flight."""
        with self._changed:
            self._abandoned = True
            self._pending.clear()
            self._characters = 0
            self._changed.notify_all()

    def abandon(self) -> Slot:
        """`refuse`, wait for the put in flight, and return the last slot of the log.

        Raises:
            Fenced, ClientError, BotoCoreError: what stopped the writer before that.
        """
        self.refuse()
        return self._join()

    @property
    def _stopped(self) -> bool:
        return self._abandoned or self._failure is not None

    def _join(self) -> Slot:
        if self._thread is not threading.current_thread():
            self._thread.join()
        if self._failure is not None:
            raise self._failure
        return self._tail

    def _work(self) -> None:
        try:
            while (slot := self._next_slot()) is not None:
                self._put(slot)
                with self._changed:
                    self._tail = slot
                    self._changed.notify_all()
        except Exception as error:
            with self._changed:
                self._failure = error
                self._changed.notify_all()
            self._on_failure(error)

    def _next_slot(self) -> Slot | None:
        with self._changed:
            while True:
                if self._abandoned:
                    return None
                if not self._pending:
                    if self._closing:
                        return None
                    self._changed.wait()
                    continue
                wait = 0.0 if self._closing or self._enough() else self._wait_seconds()
                if wait <= 0:
                    return self._freeze()
                self._changed.wait(wait)

    def _enough(self) -> bool:
        return len(self._pending) >= MAX_SLOT_EVENTS or self._characters >= MAX_SLOT_CHARACTERS

    def _wait_seconds(self) -> float:
        now = time.monotonic()
        wait = self._pace.wait_seconds(now)
        marked = self._marks and self._marks[-1].boundary_seq >= self._next_seq - 1
        return wait if marked else max(wait, self._held_until - now)

    def _freeze(self) -> Slot:
        lines: list[str] = []
        characters = 0
        while self._pending and len(lines) < MAX_SLOT_EVENTS:
            line = self._pending[0]
            if lines and characters + len(line) > MAX_SLOT_CHARACTERS:
                break
            self._pending.popleft()
            lines.append(line)
            characters += len(line)
        self._characters -= characters
        self._pace.put_started(time.monotonic(), len(lines))
        first = self._tail.next_seq
        self._advance_mark(first + len(lines) - 1)
        self._changed.notify_all()
        job = self._claim.job
        return freeze(
            job.job_id,
            first,
            lines,
            nonce=self._claim.nonce,
            mark=self._mark,
            expires_at=log_expires_at(job),
        )

    def _advance_mark(self, last_seq: int) -> None:
        """Take the newest mark whose boundary is at or before `last_seq`: a later one would point past the log."""
        while self._marks and self._marks[0].boundary_seq <= last_seq:
            self._mark = self._marks.pop(0)

    def _put(self, slot: Slot) -> None:
        attempt = 0
        while True:
            try:
                self._log.append(slot)
                return
            except Fenced:
                raise
            except (ClientError, BotoCoreError) as error:
                # The frozen slot again: it may have been written, and then this tells so.
                if not is_transient(error) or attempt >= 30 or self._abandoned:
                    raise
            time.sleep(backoff(attempt))
            attempt += 1
