"""The writer: puts a run's events into the log, from a thread of its own. What waits is in a `SlotBuffer`.

What holds:

* One put is in flight at a time; a slot is frozen when first sent, and a retry sends the identical slot.
* Once `abandon` has returned, nothing more of this run reaches the log.

A thread, not a task: a node that blocks the event loop must not hold back what was produced before it.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from enum import Enum, auto
from typing import Final

from botocore.exceptions import BotoCoreError, ClientError

from graphjobs.aws.claims import Claim
from graphjobs.aws.clients import is_transient
from graphjobs.aws.retry import Retry
from graphjobs.core.event_log import EventLog
from graphjobs.core.slot import Mark, Slot
from graphjobs.core.times import Clock, now_ms
from graphjobs.worker.slot_buffer import SlotBuffer
from graphjobs.worker.tasks import Place

PATIENCE: Final = Retry(tries=31, seconds=120)
"""With the put of one slot: about a quarter of a minute if each try fails at once, two minutes if it times out."""


class WriterClosed(RuntimeError):
    """The run was stopped: the event is dropped."""


class State(Enum):
    """What a writer still does. Each may become one further down, none goes back up."""

    OPEN = auto()
    CLOSING = auto()
    """Accepts nothing more, and writes what waits."""
    REFUSING = auto()
    """Accepts and writes nothing more."""
    FAILED = auto()
    """The log could not be written."""


class LogWriter:
    """Writes the events of one claim. Its methods may be called from any thread."""

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
        self._job_id = claim.job.job_id
        self._on_failure = on_failure
        self._clock = clock
        self._changed = threading.Condition(threading.Lock())
        # Both by any thread, under the lock; the buffer's slots are cut and confirmed by the writer's alone. `full` and
        # `first_at` are read without it: one value each, and a moment old is good enough.
        self._buffer = SlotBuffer(claim, flush_seconds=flush_seconds)
        self._state = State.OPEN
        self._failure: Exception | None = None  # by the writer's thread
        self._thread = threading.Thread(target=self._work, name="log-writer", daemon=True)
        self._thread.start()

    @property
    def last_seq(self) -> int:
        """Seq of the newest event that was accepted, written or not."""
        with self._changed:
            return self._buffer.last_seq

    @property
    def first_at(self) -> int | None:
        """When the first event was accepted, in epoch milliseconds."""
        return self._buffer.first_at

    @property
    def mark_to_resume(self) -> Mark | None:
        """The newest mark that all written events allow, in a slot already or not; final after `close`."""
        with self._changed:
            return self._buffer.mark_to_resume

    def may_name(self, checkpoint_id: str) -> bool:
        """Whether the log names a checkpoint or may still come to name it: from others nobody will resume."""
        with self._changed:
            return self._buffer.may_name(checkpoint_id)

    @property
    def full(self) -> bool:
        """Whether so much is waiting that the graph should be held up."""
        return self._buffer.full

    def append(self, kind: str, data: str, place: Place | None = None, cut: tuple[str, ...] = ()) -> int:
        """Accept an event, `data` being its JSON on one line, and return its seq; the rest: see `SlotBuffer.accept`.

        Raises:
            EventTooLarge: see `event_line`; nothing was accepted.
            WriterClosed: the run is being stopped.
        """
        with self._changed:
            if self._state is not State.OPEN:
                raise WriterClosed(self._job_id)
            # Waking the writer's thread costs more than all the rest: only for what changes how long it waits.
            if self._buffer.accept(kind, data, place, cut, now=time.monotonic(), at=self._clock()):
                self._changed.notify_all()
            return self._buffer.last_seq

    def mark(self, mark: Mark) -> None:
        """Note a confirmed checkpoint; it goes into the first slot that reaches its boundary."""
        with self._changed:
            self._buffer.mark(mark)
            self._changed.notify_all()

    def watch(self, watched: bool) -> None:
        """Note whether somebody may be following the job: while nobody does, slots are fewer and larger."""
        with self._changed:
            if self._buffer.watch(watched):
                self._changed.notify_all()

    def wait_for_room(self) -> None:
        """Block until the writer is no longer `full`, or is stopped."""
        with self._changed:
            self._changed.wait_for(lambda: not self._buffer.full or self._state in (State.REFUSING, State.FAILED))

    def close(self) -> Slot:
        """Write all that was accepted, stop, and return the last slot of the log.

        Raises:
            Fenced, ClientError, BotoCoreError: what stopped the writer before that.
        """
        self._become(State.CLOSING)
        return self._join()

    def refuse(self) -> None:
        """Accept nothing more and drop what waits; does not wait for the put in flight."""
        self._become(State.REFUSING)

    def abandon(self) -> Slot:
        """`refuse`, wait for the put in flight, and return the last slot of the log.

        Raises:
            Fenced, ClientError, BotoCoreError: what stopped the writer before that.
        """
        self.refuse()
        return self._join()

    def _become(self, state: State) -> None:
        with self._changed:
            if state.value > self._state.value:
                self._state = state
            if state is not State.CLOSING:
                self._buffer.drop()
            self._changed.notify_all()

    def _join(self) -> Slot:
        if self._thread is not threading.current_thread():
            self._thread.join()
        if self._failure is not None:
            raise self._failure
        return self._buffer.tail

    def _work(self) -> None:
        try:
            while (slot := self._next_slot()) is not None:
                put(self._log, slot, given_up=lambda: self._state is State.REFUSING)
                with self._changed:
                    self._buffer.confirm(slot)
                    self._changed.notify_all()
        except Exception as error:
            self._failure = error
            self._become(State.FAILED)
            self._on_failure(error)

    def _next_slot(self) -> Slot | None:
        with self._changed:
            while self._state in (State.OPEN, State.CLOSING):
                wait = self._buffer.due(time.monotonic())
                if self._state is State.CLOSING:
                    if self._buffer.empty:
                        return None
                    wait = 0.0
                if wait <= 0:
                    slot = self._buffer.cut(time.monotonic(), closing=self._state is State.CLOSING)
                    self._changed.notify_all()  # there is room
                    return slot
                self._changed.wait(None if wait == math.inf else wait)
            return None


def put(log: EventLog, slot: Slot, *, given_up: Callable[[], bool]) -> None:
    """Put a frozen slot, again and again while the log fails for the moment and nobody has given up.

    Raises:
        Fenced: another writer's slot is there.
        ClientError, BotoCoreError: the log goes on failing; the slot may or may not be there.
    """
    for last in PATIENCE:
        try:
            log.append(slot)
            return
        except (ClientError, BotoCoreError) as error:
            # The frozen slot again: it may have been written, and then this tells so.
            if last or not is_transient(error) or given_up():
                raise
