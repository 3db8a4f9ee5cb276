"""The HTTP answer of a stream: ends when its frames do, when the client goes, or when it reads too slowly."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from starlette.responses import Response

from graphjobs.http import sse
from graphjobs.http.problem import SECURITY_HEADERS

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from starlette.types import Receive, Scope, Send


# `no-transform`: a proxy that compresses would keep what it has until it is worth compressing (RFC 9111, 5.2.2.6).
HEADERS: Final = {
    "Content-Type": sse.CONTENT_TYPE,  # not as `media_type`, to which Starlette would add a charset
    **SECURITY_HEADERS,
    "Cache-Control": "no-store, no-transform",
    "X-Accel-Buffering": "no",
}


def _nothing() -> None:
    """What is left to do once a stream is closed."""


class EventStreamResponse(Response):
    """200 ``text/event-stream`` with the bytes of `frames`."""

    def __init__(
        self,
        frames: AsyncGenerator[bytes, None] | AsyncIterator[bytes],
        slow_reader_seconds: float,
        *,
        on_close: Callable[[], None] = _nothing,
    ) -> None:
        """A client that takes nothing for `slow_reader_seconds` is let go."""
        super().__init__(headers=HEADERS)
        del self.headers["content-length"]
        self._frames = frames
        self._on_close = on_close
        self._slow_reader_seconds = slow_reader_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send until one of the ends above."""
        sending = asyncio.ensure_future(self._send(send))
        leaving = asyncio.ensure_future(_disconnected(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            leaving.cancel()
            sending.cancel()
            results = await asyncio.gather(sending, leaving, return_exceptions=True)
            self._close()
        if isinstance(results[0], Exception) and not isinstance(results[0], OSError | TimeoutError):
            raise results[0]

    async def _send(self, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        async with aclosing(self._frames) as frames:  # type: ignore[type-var]
            async for frame in frames:
                if frame:
                    async with asyncio.timeout(self._slow_reader_seconds):
                        await send({"type": "http.response.body", "body": frame, "more_body": True})
        # First: Lambda freezes the process as soon as the last byte is out, and metrics would wait for the next viewer.
        self._close()
        await send({"type": "http.response.body", "body": b"", "more_body": False})

    def _close(self) -> None:
        on_close, self._on_close = self._on_close, _nothing
        on_close()


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
