"""The one poll loop of a stream process: asks for the next slot of every open stream, and for nothing else.

Any number of streams wait on it. Keys that are due together are read in one `BatchGetItem` (two viewers of one
job cost one key). A key is first read when its writer may have written it: the slot before tells. How often then
depends on how long its job has been silent: `FASTEST` while events flow, `SLOWEST` at last. When the table throttles,
the whole loop backs off, with jitter. What is wrong with one slot (it is corrupt, or S3 does not give its body)
concerns those who wait for it and nobody else.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from graphjobs.aws.clients import is_transient
from graphjobs.aws.retry import JITTER
from graphjobs.core.event_log import Batch, EventLog, Key
from graphjobs.core.slot import CorruptSlot, Slot
from graphjobs.stream.frame import Frame

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
class _Failing:
    """How long, and how often, something has failed."""

    since: float | None = None
    times: int = 0

    def again(self, now: float) -> bool:
        """Note a failure; whether it has gone on for too long."""
        self.since = now if self.since is None else self.since
        self.times += 1
        return now - self.since > GIVE_UP_AFTER

    def backoff(self) -> float:
        """Seconds until the next try."""
        return JITTER.uniform(FASTEST, min(2.0, FASTEST * 2**self.times))


@dataclass(slots=True)
class _Wait:
    """One key that somebody waits for; `since` is when its job was last heard of."""

    since: float
    due: float
    futures: set[asyncio.Future[Frame]] = field(default_factory=set)
    in_flight: bool = False
    failing: _Failing = field(default_factory=_Failing)
    """Of this slot's body alone."""


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
        self._failing = _Failing()

    async def frame(self, key: Key, since: float, quiet: float = 0.0) -> Frame:
        """The frame of the slot at `key`, as soon as it is there.

        Args:
            key: the slot that nobody has seen yet.
            since: when the stream last got one (monotonic).
            quiet: for how many seconds from then none is expected, of which `SLOWEST` are believed.

        Raises:
            ClientError, BotoCoreError: reads have failed for `GIVE_UP_AFTER` seconds.
            CorruptSlot: what is there cannot be read.
        """
        future: asyncio.Future[Frame] = asyncio.get_running_loop().create_future()
        now = self._monotonic()
        # That one was found some time after it was written, and so may this one be there before `quiet` is over.
        due = max(now + _interval(now - since), since + min(quiet, SLOWEST) - FASTEST)
        wait = self._waits.setdefault(key, _Wait(since, due))
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
        self._start(self._read(keys))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._reads.add(task)
        task.add_done_callback(self._reads.discard)

    async def _read(self, keys: list[Key]) -> None:
        loop = asyncio.get_running_loop()
        try:
            batch = await loop.run_in_executor(self._executor, self._log.read, keys)
        except (ClientError, BotoCoreError) as error:
            self._failed(keys, error)
        except Exception as error:  # a defect of ours: whoever waits must not wait for ever
            self._fail(keys, error)
        else:
            self._answered(keys, batch)
        self._changed.set()

    def _answered(self, keys: list[Key], batch: Batch) -> None:
        if batch.unknown:
            self._failing.times += 1  # part of the batch was throttled
        else:
            self._failing = _Failing()
        for key in batch.corrupt:
            self._corrupt(key, CorruptSlot(f"What is under {key} is no slot."))
        now = self._monotonic()
        for key in keys:
            wait = self._waits.get(key)
            if wait is None:
                continue
            slot = batch.found.get(key)
            if slot is None:
                backoff = self._failing.backoff() if key in batch.unknown else _interval(now - wait.since)
                self._later(key, now + backoff)
            elif slot.has_body:
                self._framed(key, slot)
            else:
                self._start(self._fetch(key, slot))

    async def _fetch(self, key: Key, slot: Slot) -> None:
        """The body of one slot from S3: apart, so that nobody else waits for it, and one for all its streams."""
        loop = asyncio.get_running_loop()
        try:
            frame = await loop.run_in_executor(self._executor, lambda: Frame(self._log.whole(slot)))
        except Exception as error:  # whatever it is, it is this slot's
            wait = self._waits.get(key)
            now = self._monotonic()
            if wait is None:
                return
            if is_transient(error) and not wait.failing.again(now):
                self._later(key, now + wait.failing.backoff())
            else:
                extra = {"job_id": key[0], "seq": key[1], "error": str(error)}
                self._logger.warning("body of a slot not read, its streams are closed", extra=extra)
                self._fail([key], error)
        else:
            self._found(key, frame)
        self._changed.set()

    def _failed(self, keys: list[Key], error: Exception) -> None:
        now = self._monotonic()
        if self._failing.again(now):
            self._logger.warning("reads keep failing, streams are closed", extra={"error": str(error)})
            self._failing.since = None
            self._fail(keys, error)
            return
        for key in keys:
            self._later(key, now + self._failing.backoff())

    def _later(self, key: Key, due: float) -> None:
        wait = self._waits.get(key)
        if wait is not None:
            wait.in_flight = False
            wait.due = due

    def _framed(self, key: Key, slot: Slot) -> None:
        try:
            frame = Frame(slot)
        except CorruptSlot as error:
            self._corrupt(key, error)
        else:
            self._found(key, frame)

    def _corrupt(self, key: Key, error: CorruptSlot) -> None:
        self._logger.error("slot is corrupt, its streams are closed", extra={"job_id": key[0], "seq": key[1]})
        self._fail([key], error)

    def _found(self, key: Key, frame: Frame) -> None:
        wait = self._waits.pop(key, None)
        for future in wait.futures if wait else ():
            if not future.done():
                future.set_result(frame)

    def _fail(self, keys: list[Key], error: Exception) -> None:
        for key in keys:
            wait = self._waits.pop(key, None)
            for future in wait.futures if wait else ():
                if not future.done():
                    future.set_exception(error)


def _interval(silence: float) -> float:
    return min(SLOWEST, max(FASTEST, silence * SILENCE_SHARE))
