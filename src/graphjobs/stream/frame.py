"""Frames: slots as streams send them, and what one client has been sent of them.

Holds true: a slot is inflated once when it is read, and its events are encoded once per encoder, however many streams
of the process send them. A stream only cuts off what its client has seen.
"""

from __future__ import annotations

from collections.abc import Callable

from graphjobs.core.event import DONE, StoredEvent
from graphjobs.core.event_log import Key
from graphjobs.core.slot import CorruptSlot, Slot
from graphjobs.core.times import from_rfc3339
from graphjobs.http import sse

Encoder = Callable[[StoredEvent], bytes]
"""One event as it goes over the wire. A frame keeps the bytes per encoder: pass the same object for every stream."""


class Frame:
    """One slot, ready to be sent. Used on the event loop only, once it is made.

    Attributes:
        first: seq of the first event.
        last: seq of the last event.
        produced_at: epoch milliseconds at which the last event was produced.
        ends: whether the last event is ``done``.
        quiet: seconds after it in which no other frame is expected; see `Slot.quiet_ms`.
    """

    __slots__ = ("_chunks", "_events", "ends", "first", "last", "produced_at", "quiet")

    def __init__(self, slot: Slot) -> None:
        """Inflate `slot`, which has its body.

        Raises:
            CorruptSlot: the slot does not hold the events that it promises.
        """
        self._events = slot.events()
        self._chunks: dict[Encoder, list[bytes]] = {}
        newest = self._events[-1]
        self.first = slot.seq
        self.last = slot.last_seq
        self.quiet = slot.quiet_ms / 1000
        try:
            self.produced_at = from_rfc3339(newest.ts)
            self.ends = newest.type == DONE
        except ValueError as error:
            raise CorruptSlot(f"The last line of slot {slot.seq} of {slot.job_id} is no event.") from error

    def after(self, seq: int, encode: Encoder) -> bytes:
        """The bytes of the events with a seq above `seq`.

        Raises:
            ValueError: a line is no event.
        """
        chunks = self._chunks.get(encode)
        if chunks is None:
            chunks = self._chunks[encode] = [encode(event) for event in self._events]
        return b"".join(chunks[max(0, seq + 1 - self.first) :])


class Delivery:
    """What one client has been sent of a job's log: everything after its cursor, once, in order.

    Attributes:
        sent: seq of the last event that was given to be sent.
        ended: whether that was ``done``.
    """

    def __init__(self, job_id: str, after: int, encode: Encoder = sse.encode) -> None:
        """`after` is the client's cursor."""
        self.sent = after
        self.ended = False
        self._job_id = job_id
        self._encode = encode

    @property
    def next(self) -> Key:
        """The key of the only frame that may follow, once all of the last one has been sent."""
        return self._job_id, self.sent + 1

    def take(self, frames: list[Frame]) -> bytes:
        """The bytes of what the client has not seen of consecutive `frames`; noted as sent.

        Raises:
            CorruptSlot: a frame does not follow what was sent.
            ValueError: a line is no event.
        """
        chunks = []
        for frame in frames:
            if not frame.first <= self.sent + 1 <= frame.last + 1:
                raise CorruptSlot(f"Slot {frame.first} of {self._job_id} does not follow event {self.sent}.")
            chunks.append(frame.after(self.sent, self._encode))
            self.sent, self.ended = frame.last, frame.ends
        return b"".join(chunks)
