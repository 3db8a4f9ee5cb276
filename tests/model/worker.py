"""One worker's run of one claim: the real writer, marks, heartbeat and settling, stepped by the model.

Only the threads and the graph are replaced: the writer works when `flush` says, and the graph is a chain of
steps whose values are drawn anew at every execution, so that a step run twice or left out shows in the log.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Callable, Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from typing import Any, NamedTuple

from botocore.exceptions import BotoCoreError, ClientError

from graphjobs.aws.claims import Claim
from graphjobs.aws.job_store import JobStore
from graphjobs.aws.transition import Contended
from graphjobs.core.event_log import EventLog, Fenced
from graphjobs.core.outcome import Outcome, completed, interrupted
from graphjobs.core.run_request import RunRequest
from graphjobs.core.slot import Mark, Slot
from graphjobs.core.thread import Position
from graphjobs.core.times import Clock
from graphjobs.testing.queue import Message
from graphjobs.worker.graph_run import GraphRun
from graphjobs.worker.heartbeat import Heartbeat, Lease, Limits, Signals, Stop
from graphjobs.worker.job_run import Ended, JobRun
from graphjobs.worker.jsonable import encode
from graphjobs.worker.parts import Graphs
from graphjobs.worker.slot_buffer import SlotBuffer
from graphjobs.worker.writer import WriterClosed, put
from tests.model.witness import Actor

STEPS = 3
TOKENS = 2
FAR = 1 << 60


class State(NamedTuple):
    """Steps completed, the value of the last of them, the values of all steps of the conversation so far, and the line
    of checkpoints that led to it, its own the last."""

    steps: int = 0
    value: int = 0
    path: tuple[int, ...] = ()
    line: tuple[str, ...] = ()


class SteppedWriter:
    """`LogWriter` without its thread: the buffer and the put are the real ones, and `flush` says when they work."""

    def __init__(self, log: EventLog, claim: Claim, on_failure: Callable[[Exception], None], clock: Clock) -> None:
        self.buffer = SlotBuffer(claim, flush_seconds=0)
        self._log = log
        self._job_id = claim.job.job_id
        self._on_failure = on_failure
        self._clock = clock
        self._accepts = True
        self._failure: Exception | None = None

    @property
    def last_seq(self) -> int:
        return self.buffer.last_seq

    @property
    def mark_to_resume(self) -> Mark | None:
        return self.buffer.mark_to_resume

    def append(self, kind: str, data: Any) -> None:
        if not self._accepts or self._failure:
            raise WriterClosed(self._job_id)
        self.buffer.accept(kind, encode(data).text, now=0.0, at=self._clock())

    def mark(self, mark: Mark) -> None:
        self.buffer.mark(mark)

    def flush(self) -> None:
        if self._failure is not None:
            return
        try:
            while not self.buffer.empty:
                slot = self.buffer.cut(0.0)
                put(self._log, slot, given_up=lambda: False)
                self.buffer.confirm(slot)
        except Exception as error:
            self._failure = error
            self.buffer.drop()
            self._on_failure(error)

    def close(self) -> Slot:
        self._accepts = False
        self.flush()
        return self._end()

    def refuse(self) -> None:
        self._accepts = False
        self.buffer.drop()

    def abandon(self) -> Slot:
        self.refuse()
        return self._end()

    def _end(self) -> Slot:
        if self._failure is not None:
            raise self._failure
        return self.buffer.tail


class AtOnce(ThreadPoolExecutor):
    """An executor that does on the spot what it is given."""

    def submit(self, fn: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        done: Future[Any] = Future()
        done.set_result(fn(*args, **kwargs))
        return done


class Checkpoints:
    """The saver, as far as it matters: saves are unconditional, and a read without an id gives the latest."""

    def __init__(self) -> None:
        self._threads: dict[str, list[tuple[str, State]]] = {}
        self._answers: dict[tuple[str, str], Any] = {}
        self._ids = itertools.count(1)
        self.origins: dict[str, str] = {}
        """Which job has saved each checkpoint."""
        self.questions: set[str] = set()
        """Checkpoints at which something was asked."""

    def save(self, thread: str, state: State) -> State:
        """The state as it is saved, its checkpoint at the end of the line; ids sort by time, as LangGraph's do."""
        checkpoint_id = f"c{next(self._ids):06}"
        state = state._replace(line=(*state.line, checkpoint_id))
        self._threads.setdefault(thread, []).append((checkpoint_id, state))
        self.origins[checkpoint_id] = thread.rpartition(":")[0]
        return state

    def load(self, configurable: dict[str, Any]) -> State:
        saved = self._threads[configurable["thread_id"]]
        wanted = configurable.get("checkpoint_id", saved[-1][0])
        return next(state for checkpoint_id, state in saved if checkpoint_id == wanted)

    def state(self, position: Position) -> State:
        """What was saved there."""
        configurable = {"thread_id": position.checkpoint_thread, "checkpoint_id": position.checkpoint_id}
        return self.load(configurable)

    def seed(self, start: Position, thread: str) -> None:
        """A copy of a head, without anybody's answers; see `graphjobs.worker.seed`."""
        if thread != start.checkpoint_thread:
            self._threads[thread] = [(start.checkpoint_id, self.state(start))]

    def answered(self, thread: str, checkpoint_id: str, answer: Any) -> Any:
        """What a resume there is given: LangGraph keeps the first answer with the checkpoint, and gives it to all."""
        return self._answers.setdefault((thread, checkpoint_id), answer)


def interrupt_id(checkpoint_id: str) -> str:
    """The id of the question that is asked at a checkpoint."""
    return f"{int(checkpoint_id[1:]):032x}"


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
        self.writer = SteppedWriter(world.log, claim, self._writer_failed, world.clock)
        nothing: Any = None
        writer: Any = self.writer
        self._request: RunRequest = world.request_of(claim.job.job_id) or RunRequest()
        graphs = Graphs(nothing, nothing, states=world.forks.states)
        self._graph_run = GraphRun(claim, self._request, graphs, writer, logger=world.logger)
        self._records = self._graph_run._records
        if self._records is not None:
            self._records._storing = AtOnce(1)
        self.run = JobRun(
            claim,
            graph_run=self._graph_run,
            writer=writer,
            claims=world.claims,
            queue=world.queue,
            logger=world.logger,
            on_stuck=lambda _: None,
        )
        self.run._stop_seen.set()  # the main thread reacts at once: it is this one
        self.heartbeat = Heartbeat(
            Lease(claim, world.claims, jobs, world.queue, message.receipt, world.settings),
            Limits(FAR, FAR),
            Signals(self.run.drain, self.run.stop),
            logger=world.logger,
            clock=world.clock,
        )
        self._parent = self._graph_run._begins_at
        self._program = self._graph()

    @property
    def stopped(self) -> bool:
        return self.run.stopped is not None

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
        stop = self.heartbeat.beat()
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
        # A graph is told its conversation's id; the saver keeps its checkpoints on a thread of the claim's own.
        configurable = {**self._graph_run._config()["configurable"], "thread_id": self.claim.thread}
        config, start = {"configurable": configurable}, self.claim.job.start
        answer = None
        if self.claim.mark is not None:
            state = self._checkpoints.load(configurable)
            self._resumed(config, state)
        elif start is not None:
            self._checkpoints.seed(start, configurable["thread_id"])
            before = self._checkpoints.load(configurable)
            state = before._replace(steps=0)
            if self._request.command is not None:
                # It goes on within the very checkpoint that asked: nothing is saved before the first step is done.
                (answer,) = self._request.command["resume"].values()
                answer = self._checkpoints.answered(configurable["thread_id"], start.checkpoint_id, answer)
            else:
                state = yield from self._save(config, state)
        else:
            state = yield from self._save(config, State())
        for step in range(state.steps, STEPS):
            self.at_boundary = False
            value = next(self._values)
            data = {"step": step, "value": value, "after": state.value}
            if step == 0 and answer is not None:
                data["answer"] = answer
            for _ in range(TOKENS):
                self.writer.append("token", data)
                yield
            self.writer.append("update", data)
            yield
            state = yield from self._save(config, State(step + 1, value, (*state.path, value), state.line))
            self.at_boundary = True
            yield
        self.outcome = self._ended(configurable["thread_id"], state)

    def _resumed(self, config: Any, state: State) -> None:
        """LangGraph resumes on a copy of the checkpoint; the states go on from the checkpoint itself."""
        if self._records is not None:
            asyncio.run(self._records.begin())
        copy = self._checkpoints.save(config["configurable"]["thread_id"], state)
        self._parent = copy.line[-1]
        self._graph_run._saved(config, self._parent)
        self._graph_run._reached(_part(copy, "fork"))

    def _ended(self, thread: str, state: State) -> Outcome:
        """As `GraphRun` ends: what the last tasks have asked is stored with the state."""
        run = self._graph_run
        asks = bool(self._request.metadata.get("ask"))
        found_over = self.claim.mark is not None and run._copied and not asks
        newest = str(run._begins_at if found_over else run._newest or run._begins_at)
        question = {"id": interrupt_id(newest), "value": "?"}
        if asks:
            self._checkpoints.questions.add(newest)
        if self._records is not None:
            ends = {_task(newest): {"interrupts": [question]}} if asks else {}
            asyncio.run(self._records.ended(ends, well=not found_over))
        outcome = interrupted(state.value, [question]) if asks else completed(state.value)
        return replace(outcome, position=Position(thread, newest))

    def _save(self, config: Any, state: State) -> Generator[None, None, State]:
        """A step's checkpoint: the save and the stream's word of it come in either order."""
        state = self._checkpoints.save(config["configurable"]["thread_id"], state)
        under, self._parent = self._parent, state.line[-1]
        config = {"configurable": {**config["configurable"], "checkpoint_id": under}}
        if state.value % 2:
            self._graph_run._saved(config, self._parent)
            yield
            self._graph_run._reached(_part(state))
        else:
            self._graph_run._reached(_part(state))
            yield
            self._graph_run._saved(config, self._parent)
        return state


def _task(checkpoint_id: str) -> str:
    return f"task-{checkpoint_id}"


def _part(state: State, source: str = "loop") -> dict[str, Any]:
    """What the stream tells of a checkpoint."""
    return {
        "config": {"configurable": {"checkpoint_id": state.line[-1]}},
        "values": {"path": list(state.path)},
        "metadata": {"source": source},
        "tasks": [{"id": _task(state.line[-1]), "name": "step"}],
        "next": ["step"],
    }
