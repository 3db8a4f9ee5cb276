"""One claimed job, from its claim to its end: graph, writer and heartbeat together, and what stops them.

The end of a job is settled exactly once, by whoever comes first: the main thread when the graph has ended or
was stopped, or the heartbeat's thread when the main thread does not react within `GRACE_SECONDS` because a node
blocks it. A synchronous node cannot be interrupted inside its thread: what outlives the grace takes the process
with it, so that nothing it still does can reach the log or the next job of a warm environment.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from graphjobs.aws.bulk import BackendUnavailable
from graphjobs.aws.claims import Claim, Claims
from graphjobs.aws.queue import JobQueue
from graphjobs.aws.transition import Contended
from graphjobs.core import outcome as ends
from graphjobs.core.event import EventTooLarge
from graphjobs.core.event_log import Fenced
from graphjobs.core.job import Job, Release
from graphjobs.core.outcome import Outcome
from graphjobs.core.slot import Slot
from graphjobs.core.thread import Position
from graphjobs.worker.graph_run import Drained, GraphRun
from graphjobs.worker.heartbeat import Heartbeat, Stop
from graphjobs.worker.leftovers import Leftovers
from graphjobs.worker.node_executor import NodeExecutor
from graphjobs.worker.writer import LogWriter, WriterClosed

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger

T = TypeVar("T")

GRACE_SECONDS: Final = 1.0
"""How long a stopped run may take to react; together with the watch interval, a cancel stops a job within 2 s."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How a run ended.

    Attributes:
        job: the terminal row; None when the job goes on elsewhere.
        code: why it has failed, if it has.
        release: how the job was sent on, if it was.
        stop: what stopped the run, if anything did.
        clean: whether no thread of the graph is left behind.
    """

    job: Job | None = None
    code: str | None = None
    release: Release | None = None
    stop: Stop | None = None
    clean: bool = True


class JobRun:
    """Runs one claim."""

    def __init__(
        self,
        claim: Claim,
        *,
        graph_run: GraphRun,
        writer: LogWriter,
        claims: Claims,
        queue: JobQueue,
        logger: Logger,
        on_stuck: Callable[[Ended], None],
    ) -> None:
        self._claim = claim
        self._graph_run = graph_run
        self._writer = writer
        self._claims = claims
        self._queue = queue
        self._logger = logger
        self._on_stuck = on_stuck
        self._settling = threading.Lock()
        self._ended: Ended | None = None  # by whoever settles, under `_settling`
        self._stopping = threading.Lock()
        # Both by the thread that is the first to call `stop` (the heartbeat's or the writer's), under `_stopping`.
        self._stop: Stop | None = None
        self._stopped_at = 0.0
        self._stop_seen = threading.Event()  # set by the main thread
        self._wake: Callable[[], object] = lambda: None  # by the main thread, once
        self._leftovers: Leftovers | None = None  # by the main thread, once

    def drain(self) -> None:
        """Ask the graph to stop at the next step boundary."""
        self._graph_run.drain()

    @property
    def stopped(self) -> Stop | None:
        """What has stopped the run, if anything has."""
        return self._stop

    def stop(self, reason: Stop) -> None:
        """Stop the run now; called from another thread, the first reason counts.

        Returns when the main thread has taken over; otherwise settles the job itself and calls `on_stuck`.
        """
        with self._stopping:
            if self._stop is not None:
                return
            self._stopped_at = time.monotonic()
            self._stop = reason
        self._writer.refuse()
        self._wake()
        if self._stop_seen.wait(GRACE_SECONDS):
            return
        self._logger.warning("the graph blocks its event loop", extra={"stop": reason.value})
        if not self._settling.acquire(blocking=False):
            return  # the main thread has come to itself just now, and may be waiting for this one to end
        try:
            ended = self._settle_if_first(None, None)
        except (ClientError, BotoCoreError, Contended):
            self._logger.exception("the end of the job could not be written; another worker will do it")
            ended = Ended(stop=reason)
        finally:
            self._settling.release()
        self._end_programs()
        self._on_stuck(replace(ended, clean=False))

    def run(self, loop: asyncio.AbstractEventLoop, heartbeat: Heartbeat) -> Ended:
        """Run to the end, on `loop`, and settle the job.

        Raises:
            Contended, ClientError, BotoCoreError: the end could not be written; the job is as after a crash.
            BackendUnavailable: the graph could not go on; the same.
        """
        executor = NodeExecutor()
        loop.set_default_executor(executor)
        self._leftovers = Leftovers(loop)
        heartbeat.start()
        try:
            outcome, drained = _completed(loop, loop.create_task(self._until_end()))
            ended = self._settle(outcome, heartbeat, drained=drained)
        except BaseException:
            self._shut_down(heartbeat, executor)
            if not self._nothing_left(loop, executor):
                self._logger.exception("the end of the job could not be written; another worker will do it")
                self._on_stuck(Ended(stop=self._stop, clean=False))
            raise
        self._shut_down(heartbeat, executor)
        return replace(ended, clean=self._nothing_left(loop, executor))

    def _shut_down(self, heartbeat: Heartbeat, executor: NodeExecutor) -> None:
        heartbeat.stop()
        self._writer.refuse()
        executor.shutdown(wait=False, cancel_futures=True)

    def _nothing_left(self, loop: asyncio.AbstractEventLoop, executor: NodeExecutor) -> bool:
        """Whether no thread and no task of the graph is left, what is left of the grace given to them."""
        if self._stop:
            self._end_programs()  # a node may be waiting for one
        since = time.monotonic() - self._stopped_at if self._stop else 0.0
        idle = executor.wait_idle(GRACE_SECONDS - since)
        clean = self._no_tasks_left(loop) and idle
        self._end_programs()
        return clean

    def _end_programs(self) -> None:
        if self._leftovers is not None and (number := self._leftovers.end_programs()):
            self._logger.warning("programs that the job had left running were ended", extra={"programs": number})

    async def _until_end(self) -> tuple[Outcome | None, bool]:
        """The graph's outcome, None if it was stopped; and whether it was drained."""
        loop = asyncio.get_running_loop()
        stopped = asyncio.Event()
        self._wake = lambda: loop.call_soon_threadsafe(stopped.set)
        if self._stop is not None:
            stopped.set()
        graph = asyncio.ensure_future(self._graph_run.run())
        waiting = asyncio.ensure_future(stopped.wait())
        try:
            await asyncio.wait({graph, waiting}, return_when=asyncio.FIRST_COMPLETED)
            self._stop_seen.set()
            if self._stop is not None:
                graph.cancel()
                await asyncio.wait({graph}, timeout=GRACE_SECONDS)
                return None, False
            return self._result(graph)
        finally:
            self._stop_seen.set()
            waiting.cancel()

    def _result(self, graph: asyncio.Task[Outcome]) -> tuple[Outcome | None, bool]:
        error = RuntimeError("The graph cancelled its own task.") if graph.cancelled() else graph.exception()
        if error is None:
            return graph.result(), False
        if isinstance(error, Drained):
            return None, True
        if isinstance(error, WriterClosed):
            return None, False  # the writer has failed, and its reason is on its way to `stop`
        if isinstance(error, BackendUnavailable):
            raise error  # no end of the graph: as after a crash, another attempt goes on from the log's mark
        # Whatever a graph raises is its error, SystemExit too: another worker would only fare the same.
        self._logger.error("graph failed", exc_info=error)
        return self._graph_run.failed(ends.GRAPH_ERROR, error), False

    def _settle(self, outcome: Outcome | None, heartbeat: Heartbeat, *, drained: bool = False) -> Ended:
        with self._settling:
            return self._settle_if_first(outcome, heartbeat, drained=drained)

    def _settle_if_first(self, outcome: Outcome | None, heartbeat: Heartbeat | None, *, drained: bool = False) -> Ended:
        if self._ended is None:
            if heartbeat is not None:
                heartbeat.stop()
            self._ended = self._settle_once(outcome, drained)
        return self._ended

    def _settle_once(self, outcome: Outcome | None, drained: bool) -> Ended:
        try:
            if self._stop is Stop.FENCED:
                self._abandoned()
                return Ended(stop=Stop.FENCED)
            if self._stop is Stop.CANCELLED:
                return self._finish(ends.CANCELLED, self._abandoned())
            if self._stop is Stop.TIMED_OUT:
                return self._finish(ends.failed(ends.TIMED_OUT), self._abandoned())
            if self._stop is Stop.STEP_LIMIT:
                self._writer.abandon()
                return self._send_on(Release.STEP_CUT if self._went_on() else Release.STEP_LIMIT)
            if self._stop is Stop.BACKEND:
                self._writer.abandon()  # raises what the log failed with
                raise RuntimeError("The log is said to fail, and does not.")
            tail = self._writer.close()
            if drained:
                return self._send_on(Release.HANDOFF)
            if outcome is None:
                raise RuntimeError("A run ended without an outcome, a stop or a drain.")
            return self._finish(outcome, tail)
        except Fenced:
            return Ended(stop=Stop.FENCED)

    def _abandoned(self) -> Slot | None:
        """The last slot, after nothing more is written; None if a put's answer never came."""
        try:
            return self._writer.abandon()
        except (ClientError, BotoCoreError) as error:
            self._logger.warning("the last put was not answered", extra={"error": str(error)})
            return None

    def _finish(self, outcome: Outcome, tail: Slot | None) -> Ended:
        mark = self._writer.mark_to_resume
        if outcome.position is None and mark is not None:
            outcome = replace(outcome, position=Position(mark.thread, mark.checkpoint_id))
        try:
            applied = self._claims.finish(self._claim, outcome, tail)
        except EventTooLarge:
            self._logger.error("the result is too large")
            too_large = replace(ends.failed(ends.EVENT_TOO_LARGE), position=outcome.position)
            applied = self._claims.finish(self._claim, too_large, tail)
        return Ended(job=applied.job, code=applied.code, stop=self._stop)

    def _send_on(self, how: Release) -> Ended:
        self._claims.release(self._claim, how, self._writer.mark_to_resume)
        self._queue.send(self._claim.job.job_id, self._claim.job.owner)
        return Ended(release=how, stop=self._stop)

    def _went_on(self) -> bool:
        """Whether a step was completed and is marked: its `update` at least came after the slot of the claim."""
        mark = self._writer.mark_to_resume
        return mark is not None and mark.boundary_seq > self._claim.tail.last_seq

    def _no_tasks_left(self, loop: asyncio.AbstractEventLoop) -> bool:
        """End what the graph has left running on the loop, but what a module keeps."""
        tasks = self._leftovers.tasks() if self._leftovers else asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if not tasks:
            return True
        done, pending = _completed(loop, loop.create_task(asyncio.wait(tasks, timeout=GRACE_SECONDS)))
        for task in done:
            if not task.cancelled() and task.exception() is not None:
                self._logger.warning("a task left behind failed", extra={"error_type": type(task.exception()).__name__})
        return not pending


def _completed(loop: asyncio.AbstractEventLoop, task: asyncio.Task[T]) -> T:
    """The result of `task`, when it has ended.

    A task that raises `SystemExit` or `KeyboardInterrupt`, as `sys.exit()` in a node does, ends the loop's run as
    well as itself. It keeps the exception as its result, for whoever awaits it; the loop only has to go on.
    """
    while True:
        try:
            return loop.run_until_complete(task)
        except (SystemExit, KeyboardInterrupt):
            if task.done():
                raise
