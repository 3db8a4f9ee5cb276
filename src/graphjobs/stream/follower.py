"""What one client is sent: everything after its cursor, once, in order, until ``done`` or the window's end.

The follower asks only for the exact next seq, so it can neither skip nor repeat an event. While behind it reads
pages of frames; once it has caught up it waits at the poller. It holds one page at most, and fetches the next only
when the client has taken this one.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from graphjobs.core.slot import CorruptSlot
from graphjobs.core.times import Clock, now_ms
from graphjobs.http import sse
from graphjobs.stream.frame import Delivery, Encoder, Frame
from graphjobs.stream.pages import PAGE_SLOTS, Pages
from graphjobs.stream.poller import Poller

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

RETRY_MS: Final = 1_000
"""Clients wait this long after a connection that broke, or that ended with a fault."""
ROTATION_RETRY_MS: Final = 100
"""... and this long when the window is over: nothing is wrong, and a viewer sees the pause."""
BEHIND_MS: Final = 1_000
"""A slot older than this when it is read means that a page of them is waiting, at a writer's twenty a second."""
UNREADABLE: Final = (ClientError, BotoCoreError, CorruptSlot, ValueError, KeyError)
"""What reading a log raises: its backend fails, a slot is not what it says, or its lines are no events."""


@dataclass(frozen=True, slots=True)
class Pacing:
    """Times of a stream, in seconds.

    Attributes:
        window: how long one connection is open.
        heartbeat: how long it is silent at most.
        slow_reader: how long the client may take nothing; the server holds one page for it until then.
    """

    window: float
    heartbeat: float
    slow_reader: float = 30.0


@dataclass(frozen=True, slots=True)
class Feed:
    """What the streams of a process share: where their frames come from, in which form they are sent, and how fast."""

    pages: Pages
    poller: Poller
    pacing: Pacing
    logger: Logger
    encode: Encoder = sse.encode
    clock: Clock = now_ms


class Follower:
    """One client's stream."""

    def __init__(
        self,
        job_id: str,
        after: int,
        feed: Feed,
        *,
        first: Frame | None,
        on_lag: Callable[[float], None],
        on_wait: Callable[[], None],
    ) -> None:
        """`first` is the frame that holds event `after` + 1, if the open has read it already.

        `on_lag` is told the milliseconds from an event's making to its sending; `on_wait` is called whenever the
        client has all that there is, and waits for more.
        """
        self._job_id = job_id
        self._delivery = Delivery(job_id, after, feed.encode)
        self._first = first
        self._feed = feed
        self._on_lag = on_lag
        self._on_wait = on_wait
        self._heard = time.monotonic()
        self._quiet = 0.0
        self._caught_up = False

    async def frames(self) -> AsyncIterator[bytes]:
        """The bytes to send; ends cleanly also when the backend fails, since the client then resumes."""
        yield sse.retry(RETRY_MS)
        closes = time.monotonic() + self._feed.pacing.window
        try:
            if self._first is not None:
                yield self._take([self._first])
            while page := await self._page():
                yield self._take(page)
                if time.monotonic() >= closes:
                    break  # one page at least, so that the client comes forward; it resumes after it
            while not self._delivery.ended and (left := closes - time.monotonic()) > 0:
                self._on_wait()
                frame = await self._wait(min(left, self._feed.pacing.heartbeat))
                if frame is None:
                    if time.monotonic() < closes:  # else the end of the window says that the connection was alive
                        yield sse.comment("heartbeat")
                    continue
                lag = max(0.0, self._feed.clock() - frame.produced_at)
                yield self._take([frame], frame.quiet)
                self._on_lag(lag)
                self._caught_up = lag <= BEHIND_MS
                while time.monotonic() < closes and (page := await self._page()):
                    yield self._take(page)
            if not self._delivery.ended:
                yield sse.retry(ROTATION_RETRY_MS)
        except UNREADABLE as error:
            self._feed.logger.warning(
                "stream closed, its log cannot be read", extra={"job_id": self._job_id, "error": str(error)}
            )
            yield sse.comment("come back")

    async def _page(self) -> list[Frame]:
        """The next page; none after one that was not full: what follows it is awaited at the poller."""
        if self._delivery.ended or self._caught_up:
            return []
        page = await self._feed.pages.page(self._delivery.next)
        self._caught_up = len(page) < PAGE_SLOTS
        return page

    async def _wait(self, seconds: float) -> Frame | None:
        try:
            async with asyncio.timeout(seconds):
                return await self._feed.poller.frame(self._delivery.next, self._heard, self._quiet)
        except TimeoutError:
            return None

    def _take(self, frames: list[Frame], quiet: float = 0.0) -> bytes:
        """`quiet` is known of a frame that was awaited: of one on a page nobody knows how long it has been there."""
        data = self._delivery.take(frames)
        self._heard, self._quiet = time.monotonic(), quiet
        return data
