"""The events that wait for the log, and the slots that are cut of them. No thread, no clock: `LogWriter` has both.

What holds:

* Seqs are given in the order of acceptance, without gap.
* One slot is cut at a time: the next only after `confirm`.
* The first event after a pause is due at once; what comes within the flush interval goes into the next slot together.
* A mark is never in a slot that ends before its boundary.
"""

from __future__ import annotations

import math
from collections import deque
from typing import Final

from graphjobs.aws.claims import Claim
from graphjobs.core.event import UPDATE, event_line
from graphjobs.core.slot import Mark, Slot, freeze
from graphjobs.core.times import rfc3339
from graphjobs.worker.pace import Pace
from graphjobs.worker.tasks import Place

MAX_SLOT_EVENTS: Final = 500
MAX_SLOT_CHARACTERS: Final = 256 * 1024
MAX_PENDING_CHARACTERS: Final = 8 * 1024 * 1024
UPDATE_HOLD_SECONDS: Final = 0.1
"""An `update` waits this long for its step's checkpoint, so that one slot carries both the event and the mark."""


class SlotBuffer:
    """What one claim has still to write. `now` is in seconds of a monotonic clock, `at` in epoch milliseconds."""

    def __init__(self, claim: Claim, *, flush_seconds: float) -> None:
        # Without a thread and without a lock of its own: the writer's lock is held by whoever changes any of this.
        self._claim = claim
        self._pace = Pace(flush_seconds)
        self._lines: deque[str] = deque()
        self._characters = 0
        self._next_seq = claim.tail.next_seq
        self._held_until = 0.0  # if the newest event is an `update`, when it is written without its mark
        self._marks: list[Mark] = []
        self._mark = claim.mark
        self._sent_mark = claim.mark  # of the slot that was cut last
        self._tail = claim.tail
        self._at, self._ts = 0, ""
        self.first_at: int | None = None
        """When the first event was accepted."""

    @property
    def empty(self) -> bool:
        """Whether nothing waits."""
        return not self._lines

    @property
    def full(self) -> bool:
        """Whether so much waits that the graph should be held up."""
        return self._characters > MAX_PENDING_CHARACTERS

    @property
    def tail(self) -> Slot:
        """The newest slot that is in the log."""
        return self._tail

    @property
    def last_seq(self) -> int:
        """Seq of the newest event that was accepted, in the log or not."""
        return self._next_seq - 1

    @property
    def mark_to_resume(self) -> Mark | None:
        """The newest mark that the events in the log allow, whether or not a slot carries it."""
        self._advance_mark(self._tail.last_seq)
        return self._mark

    def may_name(self, checkpoint_id: str) -> bool:
        """Whether the log names a checkpoint or may still come to name it."""
        marks = (self._tail.mark, self._sent_mark, self._mark, *self._marks)
        named = {mark.checkpoint_id for mark in marks if mark is not None}
        return checkpoint_id in named or all(checkpoint_id > each for each in named)

    def accept(
        self, kind: str, data: str, place: Place | None = None, cut: tuple[str, ...] = (), *, now: float, at: int
    ) -> bool:
        """Take an event, `data` being its JSON; returns whether `due` has changed by it.

        `place` is where it comes from, if its data does not say so; `cut` what its data does not hold, and why.

        Raises:
            EventTooLarge: see `event_line`; nothing was accepted.
        """
        node, task = (place.node, place.task) if place else (None, None)
        line = event_line(self._next_seq, kind, self._timestamp(at), data, node, task, cut)
        changed = not self._lines or self._held_until > 0
        before, was_full = self._characters, self.full
        self._held_until = now + UPDATE_HOLD_SECONDS if kind == UPDATE else 0.0
        self._lines.append(line)
        self._characters = before + len(line)
        self._next_seq += 1
        changed = changed or self.full != was_full
        return changed or len(self._lines) == MAX_SLOT_EVENTS or before < MAX_SLOT_CHARACTERS <= self._characters

    def mark(self, mark: Mark) -> None:
        """Note a confirmed checkpoint; it goes into the first slot that reaches its boundary.

        Of marks that the next slot reaches together only the newest counts.
        """
        self._advance_mark(self._tail.last_seq)
        if self._fits_a_slot and mark.boundary_seq <= self.last_seq:
            self._marks.clear()
        self._marks.append(mark)

    def watch(self, watched: bool) -> bool:
        """Note whether somebody may be following the job; returns whether `due` has changed by it."""
        changed = self._pace.watched != watched
        self._pace.watched = watched
        return changed

    def due(self, now: float) -> float:
        """Seconds until a slot should be cut; 0 or less for now, infinite while nothing waits."""
        if not self._lines:
            return math.inf
        if not self._fits_a_slot or self.full:
            return 0.0
        marked = bool(self._marks) and self._marks[-1].boundary_seq >= self._next_seq - 1
        wait = self._pace.wait_seconds(now, step_ends=marked)
        return wait if marked else max(wait, self._held_until - now)

    def cut(self, now: float, *, closing: bool = False) -> Slot:
        """Take as many of the waiting events as fit and freeze them into the slot that follows `tail`.

        With `closing` the next slot follows at once, whatever the pace.
        """
        lines: list[str] = []
        characters = 0
        while self._lines and len(lines) < MAX_SLOT_EVENTS:
            line = self._lines[0]
            if lines and characters + len(line) > MAX_SLOT_CHARACTERS:
                break
            self._lines.popleft()
            lines.append(line)
            characters += len(line)
        self._characters -= characters
        self._pace.put_started(now, len(lines))
        first = self._tail.next_seq
        self._advance_mark(first + len(lines) - 1)
        self._sent_mark = self._mark
        job, nonce = self._claim.job, self._claim.nonce
        quiet_ms = 0 if closing or self._lines else int(self._pace.interval * 1000)
        return freeze(
            job.job_id,
            first,
            lines,
            nonce=nonce,
            mark=self._mark,
            expires_at=job.log_expires_at,
            quiet_ms=quiet_ms,
        )

    def confirm(self, slot: Slot) -> None:
        """The slot that was cut is in the log."""
        self._tail = slot

    def drop(self) -> None:
        """Forget what waits."""
        self._lines.clear()
        self._characters = 0

    @property
    def _fits_a_slot(self) -> bool:
        """Whether the next slot takes all that waits, and may take more."""
        return len(self._lines) < MAX_SLOT_EVENTS and self._characters < MAX_SLOT_CHARACTERS

    def _timestamp(self, at: int) -> str:
        if at != self._at:  # many events come within a millisecond
            self._at, self._ts = at, rfc3339(at)
            self.first_at = self.first_at or at
        return self._ts

    def _advance_mark(self, last_seq: int) -> None:
        """Take the newest mark whose boundary is at or before `last_seq`: a later one would point past the log."""
        while self._marks and self._marks[0].boundary_seq <= last_seq:
            self._mark = self._marks.pop(0)
