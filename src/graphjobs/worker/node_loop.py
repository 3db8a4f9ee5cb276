"""The event loop that graphs run on: it holds up a synchronous node that writes faster than its parts are taken.

LangGraph's queue of stream parts has no bound, so a node's burst would be in memory whole before the log's writer,
which has one, sees any of it. A node's thread reaches that queue by `call_soon_threadsafe` alone, and there it waits
while `MAX_PARTS` are not yet taken. What a coroutine writes without awaiting cannot be held up so: what takes the
parts runs on the very loop that it keeps.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import Context
from typing import Any, Final

from langgraph._internal._queue import AsyncQueue  # type: ignore[attr-defined]

MAX_PARTS: Final = 32
PATIENCE_SECONDS: Final = 1.0
"""A thread that waits goes on after this time, one part further: a graph that waits for itself must not lock up."""


class NodeLoop(asyncio.SelectorEventLoop):
    """An event loop for one graph at a time."""

    def __init__(self) -> None:
        super().__init__()
        self._room = threading.Condition()
        self._waiting = 0  # threads
        self._on_the_way = 0  # parts that threads have handed over and the queue has not got yet
        self._run: object | None = None

    @contextmanager
    def bounded(self) -> Iterator[Callable[[], None]]:
        """Hold up threads that write within it; what is given is to be called after each part that was taken.

        Threads that still wait at its end go on: nobody takes anything any more.
        """
        self._run = object()
        try:
            yield self._taken
        finally:
            with self._room:
                self._run = None
                self._room.notify_all()

    def _taken(self) -> None:
        if self._waiting:
            with self._room:
                self._room.notify_all()

    def call_soon_threadsafe(  # type: ignore[override]
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Hand over to the loop; a part of a stream only when there is room for it."""
        if self._run is None or asyncio._get_running_loop() is self:
            return super().call_soon_threadsafe(callback, *args, context=context)
        queue = getattr(callback, "__self__", None)
        if not isinstance(queue, AsyncQueue):
            return super().call_soon_threadsafe(callback, *args, context=context)
        self._wait_for_room(queue)
        return super().call_soon_threadsafe(self._arrived, callback, args, context=context)

    def _wait_for_room(self, queue: AsyncQueue) -> None:
        with self._room:
            run = self._run
            self._waiting += 1
            self._room.wait_for(
                lambda: self._on_the_way + queue.qsize() < MAX_PARTS or self._run is not run, PATIENCE_SECONDS
            )
            self._waiting -= 1
            self._on_the_way += 1

    def _arrived(self, callback: Callable[..., object], args: tuple[Any, ...]) -> None:
        with self._room:
            self._on_the_way -= 1
        callback(*args)
