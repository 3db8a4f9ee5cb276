"""One worker's run of one claim: the real writer, marks, heartbeat and settling, stepped by the model.

Only the threads and the graph are replaced: the writer's loop runs when `flush` says, and the graph is a chain of
steps whose values are drawn anew at every execution, so that a step run twice or left out shows in the log.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from graphjobs.aws.claims import Claim
from graphjobs.aws.job_store import JobStore
from graphjobs.aws.transition import Contended
from graphjobs.core.event_log import Fenced
from graphjobs.core.outcome import Outcome, completed
from graphjobs.core.run_request import RunRequest
from graphjobs.core.slot import Slot
from graphjobs.worker.graph_run import GraphRun
from graphjobs.worker.heartbeat import Heartbeat, Limits, Stop
from graphjobs.worker.job_run import Ended, JobRun
from graphjobs.worker.writer import LogWriter, WriterClosed
from tests.model.queue import Message
from tests.model.witness import Actor

STEPS = 3
TOKENS = 2
FAR = 1 << 60

State = tuple[int, int]
"""Steps completed, and the value of the last of them."""


class SteppedWriter(LogWriter):
    """The writer without its thread: `flush` runs its loop until nothing waits."""

    def _work(self) -> None:
        """What the thread runs: nothing, it ends at once."""

    def _next_slot(self) -> Slot | None:
        with self._changed:
            return None if self._abandoned or not self._pending else self._freeze()

    def flush(self) -> None:
        if self._failure is None:
            super()._work()

    def _join(self) -> Slot:
        self.flush()
        return super()._join()


class Checkpoints:
    """The saver, as far as it matters: saves are unconditional, and a read without an id gives the latest."""

    def __init__(self) -> None:
        self._threads: dict[str, list[tuple[str, State]]] = {}
        self._ids = itertools.count(1)

    def save(self, thread: str, state: State) -> str:
        checkpoint_id = f"c{next(self._ids)}"
        self._threads.setdefault(thread, []).append((checkpoint_id, state))
        return checkpoint_id

    def load(self, configurable: dict[str, Any]) -> State:
        saved = self._threads[configurable["thread_id"]]
        wanted = configurable.get("checkpoint_id", saved[-1][0])
        return next(state for checkpoint_id, state in saved if checkpoint_id == wanted)


class ModelWorker:
    """A claim being run. `World` calls it and says in whose name."""

    def __init__(self, world: Any, claim: Claim, message: Message) -> None:
        self.claim = claim
        self.message = message
        self.actor = Actor(f"worker {claim.job.epoch}", claim.job.job_id, claim.job.epoch)
        self.outcome: Outcome | None = None
        self.at_boundary = True
        self.broken: Exception | None = None
        self._checkpoints: Checkpoints = world.checkpoints
        self._values: Iterator[int] = world.values
        jobs: JobStore = world.jobs
        self.writer = SteppedWriter(
            world.log, claim, flush_seconds=0, on_failure=self._writer_failed, clock=world.aws.clock
        )
        nothing: Any = None
        self._graph_run = GraphRun(
            claim, RunRequest(), loader=nothing, saver=nothing, writer=self.writer, loop=nothing, logger=world.logger
        )
        self.run = JobRun(
            claim,
            graph_run=self._graph_run,
            writer=self.writer,
            claims=world.claims,
            queue=world.queue,
            logger=world.logger,
            on_stuck=lambda _: None,
        )
        self.run._stop_seen.set()  # the main thread reacts at once: it is this one
        self.heartbeat = Heartbeat(
            claim,
            jobs=jobs,
            claims=world.claims,
            queue=world.queue,
            receipt_handle=message.receipt,
            settings=world.aws.settings,
            limits=Limits(FAR, FAR),
            on_drain=self.run.drain,
            on_stop=self.run.stop,
            logger=world.logger,
            clock=world.aws.clock,
        )
        self._program = self._graph()

    @property
    def stopped(self) -> bool:
        return self.run._stop is not None

    def work(self, actions: int) -> None:
        """Let the graph do so much, and the writer nothing yet."""
        for _ in range(actions):
            try:
                next(self._program)
            except (StopIteration, WriterClosed):
                return

    def beat(self, *, renew: bool) -> Stop | None:
        """One look of the heartbeat."""
        if renew:
            self.heartbeat._renew_at = 0
        stop = self.heartbeat._beat()
        if stop is not None:
            self.run.stop(stop)
        return stop

    def settle(self, *, drained: bool = False) -> Ended | None:
        """End the run as `JobRun` does; None if that fails, which is a crash."""
        try:
            return self.run._settle_if_first(self.outcome, None, drained=drained)
        except (ClientError, BotoCoreError, Contended):
            return None

    def _writer_failed(self, error: Exception) -> None:
        if not isinstance(error, Fenced | ClientError | BotoCoreError):
            self.broken = error
        self.run.stop(Stop.FENCED if isinstance(error, Fenced) else Stop.BACKEND)

    def _graph(self) -> Iterator[None]:
        config = self._graph_run._config()
        if self.claim.mark is None:
            state: State = (0, 0)
            yield from self._save(config, state)
        else:
            state = self._checkpoints.load(config["configurable"])
        for step in range(state[0], STEPS):
            self.at_boundary = False
            value = next(self._values)
            data = {"step": step, "value": value, "after": state[1]}
            for _ in range(TOKENS):
                self.writer.append("token", data)
                yield
            self.writer.append("update", data)
            yield
            state = (step + 1, value)
            yield from self._save(config, state)
            self.at_boundary = True
            yield
        self.outcome = completed(state[1])

    def _save(self, config: Any, state: State) -> Iterator[None]:
        """A step's checkpoint: the save and the stream's word of it come in either order."""
        marks = self._graph_run._marks
        checkpoint_id = self._checkpoints.save(config["configurable"]["thread_id"], state)
        if state[1] % 2:
            marks.saved(config, checkpoint_id)
            yield
            marks.reached(checkpoint_id, self.writer.last_seq)
        else:
            marks.reached(checkpoint_id, self.writer.last_seq)
            yield
            marks.saved(config, checkpoint_id)
