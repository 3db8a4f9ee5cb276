"""The one poll loop of a stream process: asks for the next slot of every open stream, and for nothing else.

Any number of streams wait on it. Keys that are due together are read in one `BatchGetItem` (two viewers of one
job cost one key). How often a key is read depends on how long its job has been silent: `FASTEST` while events
flow, `SLOWEST` at last. When the table throttles, the whole loop backs off, with jitter.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from botocore.exceptions import BotoCoreError, ClientError

from graphjobs.event_log import Batch, EventLog, Key
from graphjobs.slot import Slot

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

FASTEST: Final = 0.02
SLOWEST: Final = 0.2
SILENCE_SHARE: Final = 0.05
"""A key is read again after this share of the silence so far: four seconds of silence reach `SLOWEST`."""
TOGETHER: Final = 0.005
"""Keys due within this time of each other are read together."""
BATCH: Final = 100
GIVE_UP_AFTER: Final = 10.0
"""Seconds of failing reads after which the streams that wait are closed; their clients come back."""


@dataclass(slots=True)
class _Wait:
    """One key that somebody waits for; `since` is when its job was last heard of."""

    since: float
    due: float
    futures: set[asyncio.Future[Slot]] = field(default_factory=set)
    in_flight: bool = False


class Poller:
    """Waits for slots on behalf of all streams of the process."""

    def __init__(
        self, log: EventLog, executor: Executor, logger: Logger, *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._log = log
        self._executor = executor
        self._logger = logger
        self._monotonic = monotonic
        self._waits: dict[Key, _Wait] = {}
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._reads: set[asyncio.Task[None]] = set()
        self._failing_since: float | None = None
        self._failures = 0

    async def slot(self, key: Key, since: float) -> Slot:
        """The slot at `key`, as soon as it is there; `since` is when the stream last got one (monotonic).

        Raises:
            ClientError, BotoCoreError: reads have failed for `GIVE_UP_AFTER` seconds.
        """
        future: asyncio.Future[Slot] = asyncio.get_running_loop().create_future()
        now = self._monotonic()
        wait = self._waits.setdefault(key, _Wait(since, now + _interval(now - since)))
        wait.futures.add(future)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._poll())
        self._changed.set()
        try:
            return await future
        finally:
            wait.futures.discard(future)
            if not wait.futures and self._waits.get(key) is wait:
                del self._waits[key]

    async def _poll(self) -> None:
        while self._waits:
            now = self._monotonic()
            due = [key for key, wait in self._waits.items() if not wait.in_flight and wait.due <= now + TOGETHER]
            for start in range(0, len(due), BATCH):
                self._start_read(due[start : start + BATCH])
            idle = [wait.due for wait in self._waits.values() if not wait.in_flight]
            self._changed.clear()
            pause = max(0.0, min(idle, default=now + SLOWEST) - now)
            try:
                await asyncio.wait_for(self._changed.wait(), pause)
            except TimeoutError:
                continue

    def _start_read(self, keys: list[Key]) -> None:
        for key in keys:
            self._waits[key].in_flight = True
        task = asyncio.create_task(self._read(keys))
        self._reads.add(task)
        task.add_done_callback(self._reads.discard)

    async def _read(self, keys: list[Key]) -> None:
        loop = asyncio.get_running_loop()
        try:
            batch = await loop.run_in_executor(self._executor, self._log.read, keys)
        except (ClientError, BotoCoreError) as error:
            self._failed(keys, error)
        except Exception as error:  # a corrupt slot: whoever waits for it must not wait for ever
            self._fail(keys, error)
        else:
            self._answered(keys, batch)
        self._changed.set()

    def _answered(self, keys: list[Key], batch: Batch) -> None:
        if batch.unknown:
            self._failures += 1  # part of the batch was throttled
        else:
            self._failures, self._failing_since = 0, None
        now = self._monotonic()
        for key in keys:
            wait = self._waits.get(key)
            if wait is None:
                continue
            wait.in_flight = False
            slot = batch.found.get(key)
            if slot is None:
                wait.due = now + (self._backoff() if key in batch.unknown else _interval(now - wait.since))
                continue
            del self._waits[key]
            for future in wait.futures:
                if not future.done():
                    future.set_result(slot)

    def _failed(self, keys: list[Key], error: Exception) -> None:
        now = self._monotonic()
        self._failing_since = self._failing_since or now
        self._failures += 1
        if now - self._failing_since > GIVE_UP_AFTER:
            self._logger.warning("reads keep failing, streams are closed", extra={"error": str(error)})
            self._failing_since = None
            self._fail(keys, error)
            return
        for key in keys:
            if key in self._waits:
                self._waits[key].in_flight = False
                self._waits[key].due = now + self._backoff()

    def _fail(self, keys: list[Key], error: Exception) -> None:
        for key in keys:
            wait = self._waits.pop(key, None)
            for future in wait.futures if wait else ():
                if not future.done():
                    future.set_exception(error)

    def _backoff(self) -> float:
        return random.uniform(FASTEST, min(2.0, FASTEST * 2**self._failures))


def _interval(silence: float) -> float:
    return min(SLOWEST, max(FASTEST, silence * SILENCE_SHARE))
