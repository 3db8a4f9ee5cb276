"""What one client is sent: everything after its cursor, once, in order, until ``done`` or the window's end.

The follower asks only for the exact next seq, so it can neither skip nor repeat an event. While behind it reads
pages of slots; once it has caught up it waits at the poller. It holds one page at most, and fetches the next only
when the client has taken this one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from graphjobs.core.event import DONE, StoredEvent
from graphjobs.core.slot import CorruptSlot, Slot
from graphjobs.core.times import Clock, from_rfc3339, now_ms
from graphjobs.http import sse
from graphjobs.stream.pages import PAGE_SLOTS, Pages
from graphjobs.stream.poller import Poller

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

RETRY_MS: Final = 1_000
BEHIND_MS: Final = 1_000
"""A slot older than this when it is read means that a page of them is waiting, at a writer's twenty a second."""
UNREADABLE: Final = (ClientError, BotoCoreError, CorruptSlot, ValueError, KeyError)
"""What reading a log raises: its backend fails, a slot is not what it says, or its lines are no events."""


@dataclass(frozen=True, slots=True)
class Pacing:
    """Times of a stream, in seconds."""

    window: float
    heartbeat: float


class Follower:
    """One client's stream."""

    def __init__(
        self,
        job_id: str,
        after: int,
        *,
        first: Slot | None,
        pages: Pages,
        poller: Poller,
        pacing: Pacing,
        on_lag: Callable[[float], None],
        logger: Logger,
        clock: Clock = now_ms,
    ) -> None:
        """`first` is the slot that holds event `after` + 1, if the open has read it already."""
        self._job_id = job_id
        self._sent = after
        self._first = first
        self._pages = pages
        self._poller = poller
        self._pacing = pacing
        self._on_lag = on_lag
        self._logger = logger
        self._clock = clock
        self._heard = time.monotonic()
        self._caught_up = False
        self._ended = False

    async def frames(self) -> AsyncIterator[bytes]:
        """The bytes to send; ends cleanly also when the backend fails, since the client then resumes."""
        yield sse.retry(RETRY_MS)
        closes = time.monotonic() + self._pacing.window
        try:
            if self._first is not None:
                yield self._frame([self._first])
            while page := await self._page():
                yield self._frame(page)
                if time.monotonic() >= closes:
                    return  # one page at least, so that the client comes forward; it resumes after it
            while not self._ended and (left := closes - time.monotonic()) > 0:
                slot = await self._wait(min(left, self._pacing.heartbeat))
                if slot is None:
                    yield sse.comment("heartbeat")
                    continue
                lag = self._lag(slot)
                yield self._frame([slot])
                self._on_lag(lag)
                self._caught_up = lag <= BEHIND_MS
                while time.monotonic() < closes and (page := await self._page()):
                    yield self._frame(page)
        except UNREADABLE as error:
            self._logger.warning(
                "stream closed, its log cannot be read", extra={"job_id": self._job_id, "error": str(error)}
            )
            yield sse.comment("come back")

    async def _page(self) -> list[Slot]:
        """The next page; none after one that was not full: what follows it is awaited at the poller."""
        if self._ended or self._caught_up:
            return []
        page = await self._pages.page((self._job_id, self._sent + 1))
        self._caught_up = len(page) < PAGE_SLOTS
        return page

    async def _wait(self, seconds: float) -> Slot | None:
        try:
            async with asyncio.timeout(seconds):
                return await self._poller.slot((self._job_id, self._sent + 1), self._heard)
        except TimeoutError:
            return None

    def _frame(self, slots: list[Slot]) -> bytes:
        """Encode what the client has not seen of consecutive slots, and note it as sent."""
        events: list[StoredEvent] = []
        for slot in slots:
            if not slot.seq <= self._sent + 1 <= slot.next_seq:
                raise CorruptSlot(f"Slot {slot.seq} of {self._job_id} does not follow event {self._sent}.")
            events += slot.events()[self._sent + 1 - slot.seq :]
            self._sent = slot.last_seq
        self._heard = time.monotonic()
        self._ended = bool(events) and events[-1].type == DONE
        return sse.encode(events)

    def _lag(self, slot: Slot) -> float:
        """Milliseconds since the newest event of `slot` was produced."""
        return max(0.0, self._clock() - from_rfc3339(slot.events()[-1].parse().ts))
