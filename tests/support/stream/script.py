"""The log of a job, written as a test tells."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import Any

from graphjobs.core.event import DONE, Event
from graphjobs.core.slot import Slot, freeze
from graphjobs.core.times import now_ms, rfc3339
from graphjobs.testing import MemoryLog

EXPIRES = 1_900_000_000


class Script:
    """The log of one job, written slot by slot."""

    def __init__(self, log: MemoryLog, job_id: str) -> None:
        self.log = log
        self.job_id = job_id
        self.events: list[dict[str, Any]] = []

    def slot(self, *texts: str, ts: int | None = None, quiet_ms: int = 0) -> Slot:
        """Append a slot of one token an item."""
        return self._append([("token", {"text": text}) for text in texts], ts, quiet_ms)

    def foreign(self, *lines: str) -> Slot:
        """The next slot as nobody of ours writes it: its lines need not be events. It is not appended."""
        return freeze(self.job_id, len(self.events) + 1, lines, nonce="foreign", mark=None, expires_at=EXPIRES)

    def done(self, *texts: str) -> Slot:
        """Append the last slot: tokens, then `done`."""
        return self._append([*(("token", {"text": t}) for t in texts), (DONE, {"status": "completed", "result": None})])

    def _append(self, members: Sequence[tuple[str, dict[str, Any]]], ts: int | None = None, quiet_ms: int = 0) -> Slot:
        first = len(self.events) + 1
        when = rfc3339(now_ms() if ts is None else ts)
        events = [Event(first + i, kind, when, data) for i, (kind, data) in enumerate(members)]
        lines = [event.line() for event in events]
        slot = freeze(self.job_id, first, lines, nonce="writer", mark=None, expires_at=EXPIRES, quiet_ms=quiet_ms)
        # Known before it can be read: a reader may be faster than this thread.
        self.events += [{"seq": e.seq, "type": e.type, "ts": e.ts, "data": e.data} for e in events]
        self.log.append(slot)
        return slot


def corrupt(slot: Slot) -> Slot:
    """`slot` with fewer events than it says."""
    text = zlib.decompress(slot.body).decode() if isinstance(slot.body, bytes) else slot.body
    return Slot(slot.job_id, slot.seq, slot.count + 1, slot.nonce, text, None, slot.expires_at)
