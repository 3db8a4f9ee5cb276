"""An `AsyncClient` that is called like a `Client`, so that one set of tests holds both to the same."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Generator
from typing import Any

from graphjobs.client.answers import Event
from graphjobs.client.async_client import AsyncClient
from graphjobs.client.client import Client


class Awaited:
    """Runs each call on an event loop of its own; ends what it began."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._loop = asyncio.new_event_loop()

    def __getattr__(self, name: str) -> Any:
        return lambda *args, **options: self._loop.run_until_complete(getattr(self._client, name)(*args, **options))

    def stream(self, job_id: str, after: int = 0) -> Generator[Event]:
        events = self._client.stream(job_id, after)
        try:
            while True:
                try:
                    event = self._loop.run_until_complete(anext(events))
                except StopAsyncIteration:
                    return
                yield event
        finally:
            self._loop.run_until_complete(events.aclose())

    def __enter__(self) -> Awaited:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        self._loop.run_until_complete(self._end())
        self._loop.close()

    async def _end(self) -> None:
        await self._client.aclose()
        # httpx leaves its generators to the loop, which closes one after the other, each in a task.
        await asyncio.sleep(0)
        while others := asyncio.all_tasks() - {asyncio.current_task()}:
            await asyncio.wait(others)
            await asyncio.sleep(0)


def awaited(url: str, token: Any, *, sleep: Callable[[float], None], **options: Any) -> Client:
    """An `AsyncClient` with these options, as if it were a `Client`."""

    async def asleep(seconds: float) -> None:
        sleep(seconds)

    client: Any = Awaited(AsyncClient(url, token, sleep=asleep, **options))
    found: Client = client
    return found
