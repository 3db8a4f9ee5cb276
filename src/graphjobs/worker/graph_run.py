"""Runs the graph of one claim and turns its stream into events; knows nothing of how jobs begin or end."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any, Literal

from langgraph.errors import GraphDrained, GraphRecursionError, InvalidUpdateError

from graphjobs.aws.claims import Claim
from graphjobs.core import outcome as ends
from graphjobs.core.event import EventTooLarge
from graphjobs.core.outcome import Outcome
from graphjobs.core.run_request import RunRequest
from graphjobs.core.thread import Position
from graphjobs.worker.checkpoints import Run as SaverRun
from graphjobs.worker.factory import FactoryCall
from graphjobs.worker.failure import failed
from graphjobs.worker.graph_input import InputInvalid, graph_input
from graphjobs.worker.jsonable import encode
from graphjobs.worker.langgraph_compat import OwnSteps
from graphjobs.worker.load_error import GraphLoadError
from graphjobs.worker.marks import Marks
from graphjobs.worker.parts import Graphs
from graphjobs.worker.recorder import Recorder
from graphjobs.worker.run_config import context_for, given_context, run_config
from graphjobs.worker.run_state import state_of_snapshot, states_within
from graphjobs.worker.seed import NoSuchCheckpoint, seed
from graphjobs.worker.state_records import StateRecords
from graphjobs.worker.user import User
from graphjobs.worker.writer import LogWriter

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger
    from langgraph.pregel import Pregel

Drained = GraphDrained
"""Raised by `GraphRun.run` when the graph stopped at a step boundary because `GraphRun.drain` asked for it."""


class GraphRun:
    """One run of one job's graph, from its input or from a mark."""

    def __init__(
        self,
        claim: Claim,
        request: RunRequest,
        graphs: Graphs,
        writer: LogWriter,
        *,
        logger: Logger,
        on_loaded: Callable[[], object] = lambda: None,
    ) -> None:
        """`on_loaded` is called once the graph's modules and factory have run, before the graph does."""
        self._claim = claim
        self._request = request
        self._run_config = run_config(claim.job, request)
        self._graphs = graphs
        self._writer = writer
        self._logger = logger
        self._on_loaded = on_loaded
        # All from here on are set by the loop's thread alone; savers and the heartbeat use some of them.
        self._recorder: Recorder | None = None
        self._control = OwnSteps()
        self._values: Any = None
        self._part: dict[str, Any] = {}  # the newest checkpoint that the stream has told of
        self._copied = False  # whether it is LangGraph's copy of the mark
        self._newest = ""  # its id
        self._records = self._new_records() if claim.job.thread_id is not None else None
        self._marks = Marks(claim.thread, self._records.confirmed if self._records else writer.mark)

    def drain(self) -> None:
        """Ask the graph to stop at the next step boundary; safe to repeat, from any thread."""
        self._control.request_drain("deadline")

    def failed(self, code: str, error: BaseException) -> Outcome:
        """The end `code` that `error` of the graph has led to."""
        where = self._recorder.where(error) if self._recorder else None
        return failed(code, error, where=where, detail=self._graphs.error_detail)

    async def run(self) -> Outcome:
        """Run the graph to its end.

        A graph that fails is an outcome, not an exception: its trace goes to the log, its code to the client.

        Raises:
            Drained: see `drain`.
            Cancelled, WriterClosed: the run was stopped from outside.
            BackendUnavailable: the graph's state could not be saved or read just now.
        """
        self._control.task = asyncio.current_task()
        call = FactoryCall(
            config={**self._run_config, "configurable": dict(self._run_config["configurable"])},
            context=given_context(self._request),
            user=User(self._claim.job.owner),
            store=self._graphs.store,
        )
        try:
            async with self._graphs.loader.open(self._claim.job.graph, self._graphs.saver, call, self._logger) as graph:
                return await self._run(graph)
        except GraphLoadError as error:
            self._logger.exception("graph cannot be loaded")
            return self.failed(ends.GRAPH_UNAVAILABLE, error)
        except InputInvalid:
            self._logger.exception("the graph cannot be given the job's input")
            return ends.failed(ends.INVALID_INPUT)
        except NoSuchCheckpoint:
            self._logger.exception("the checkpoint to begin with is gone")
            return ends.failed(ends.CHECKPOINT_GONE)
        except InvalidUpdateError as error:
            if self._request.state_update is None:
                raise  # of a node's own
            self._logger.exception("the graph does not take the update")
            return self.failed(ends.INVALID_UPDATE, error)
        except GraphRecursionError as error:
            self._logger.exception("graph exceeded its recursion limit")
            return self.failed(ends.RECURSION_LIMIT, error)
        except EventTooLarge as error:
            self._logger.exception("event is too large")
            return self.failed(ends.EVENT_TOO_LARGE, error)

    async def _run(self, graph: Pregel[Any, Any, Any, Any]) -> Outcome:
        self._on_loaded()
        if self._claim.mark is None and self._claim.job.start is not None:
            await self._seed(graph, self._claim.job.start)
        if self._records is not None:
            await self._records.begin()
        saves = SaverRun(self._claim.thread, self._claim.job.thread, self._begins_at or "", self._retention)
        try:
            with self._graphs.saver.watching(saves, self._saved):
                if self._request.state_update is not None:
                    return await self._updated(graph, self._request.state_update)
                recorder = await self._streamed(graph)
                encoded = encode(await self._result(graph))
                within = await self._within(graph) if recorder.interrupted else {}
            await self._told(recorder, within)
        finally:
            if self._records is not None:
                self._records.close()
        result = json.loads(encoded.text)
        outcome = ends.interrupted(result, recorder.interrupts) if recorder.interrupted else ends.completed(result)
        # Where the next job of the thread goes on: all saves are confirmed when the stream has ended.
        newest = self._begins_at if self._found_over(recorder) else self._newest or self._begins_at
        return replace(outcome, cut=encoded.cut, position=Position(self._claim.thread, newest) if newest else None)

    async def _updated(self, graph: Pregel[Any, Any, Any, Any], update: Mapping[str, Any]) -> Outcome:
        """Change the state, in a step that runs no node."""
        config = self._config()
        config["configurable"] = {**config["configurable"], "checkpoint_ns": ""}
        made = await graph.aupdate_state(config, update["values"], as_node=update.get("as_node"))
        state = state_of_snapshot(await graph.aget_state(made), self._graphs.error_detail)
        position = Position(self._claim.thread, state.checkpoint_id)
        if self._records is not None:
            await self._records.put(state, position)
        values = json.loads(state.values.text)
        outcome = ends.interrupted(values, ()) if state.next else ends.completed(values)
        return replace(outcome, cut=state.values.cut, position=position)

    async def _streamed(self, graph: Pregel[Any, Any, Any, Any]) -> Recorder:
        try:
            return await self._stream(graph)
        except Exception:
            # What was confirmed is to be named when the run is over, however it ends.
            if self._records is not None:
                await self._records.ended(self._recorder.outcomes if self._recorder else {}, well=False)
            raise

    async def _within(self, graph: Pregel[Any, Any, Any, Any]) -> Mapping[str, Mapping[str, Any]]:
        """The states of the subgraphs that the run has stopped in, by the ids of their tasks."""
        if self._graphs.states is None or not any(task.get("state") for task in self._part.get("tasks", ())):
            return {}
        config = self._config()
        config["configurable"] = {**config["configurable"], "checkpoint_id": self._newest}
        return states_within(await graph.aget_state(config, subgraphs=True), self._graphs.error_detail)

    async def _told(self, recorder: Recorder, within: Mapping[str, Mapping[str, Any]]) -> None:
        """Store the state that the run ends with; of a job without a thread only if it asks: then it has one."""
        if self._records is None and recorder.interrupted:
            self._records = self._new_records()
            if self._records is not None:
                self._records.reached(self._part)
        if self._records is not None:
            await self._records.ended(recorder.outcomes, within, well=not self._found_over(recorder))

    def _found_over(self, recorder: Recorder) -> bool:
        """Whether the last worker was lost after the graph's end: this run has only copied what it resumed from."""
        return self._claim.mark is not None and self._copied and not recorder.interrupted

    def _new_records(self) -> StateRecords | None:
        if self._graphs.states is None:
            return None
        return StateRecords(self._graphs.states, self._claim, self._writer.mark, error_detail=self._graphs.error_detail)

    def _saved(self, config: Any, checkpoint_id: str) -> None:
        if self._records is not None:
            self._records.saved(config, checkpoint_id)
        self._marks.saved(config, checkpoint_id)

    async def _seed(self, graph: Pregel[Any, Any, Any, Any], start: Position) -> None:
        """Begin on a copy of its own: what this run saves, answers among it, touches nobody else's checkpoints."""
        source, to = start.checkpoint_thread, self._claim.thread
        copy = partial(seed, self._graphs.saver, source=source, checkpoint_id=start.checkpoint_id, to=to)
        await asyncio.get_running_loop().run_in_executor(None, copy)
        if self._records is not None:
            await self._records.found(graph, start, self._claim.thread)

    @property
    def _begins_at(self) -> str | None:
        """The checkpoint that the run begins with, by its explicit id; never "the latest"."""
        if self._claim.mark is not None:
            return self._claim.mark.checkpoint_id
        start = self._claim.job.start
        return start.checkpoint_id if start else None

    async def _stream(self, graph: Pregel[Any, Any, Any, Any]) -> Recorder:
        recorder = self._recorder = Recorder(self._writer, self._request, self._reached)
        config = self._config()
        streaming: Any = {
            **config,
            "configurable": {**config["configurable"], **recorder.configurable(graph.store)},
            "callbacks": recorder.callbacks(),
        }
        # Its own stream only says that a task has ended; what the graph does is recorded as it happens.
        stream: Any = graph.astream(
            None if self._claim.mark else graph_input(graph, self._request),
            streaming,
            context=context_for(graph, given_context(self._request), self._logger),
            interrupt_before=_nodes(self._request.interrupt_before),
            interrupt_after=_nodes(self._request.interrupt_after),
            stream_mode="updates",
            durability=self._request.durability,
            control=self._control,
        )
        # A thread of its own: all those for nodes may be waiting for room themselves.
        with ThreadPoolExecutor(1, "room") as waiter:
            async with aclosing(stream) as updates:
                async for _ in updates:
                    recorder.check()
                    if self._writer.full:
                        await asyncio.get_running_loop().run_in_executor(waiter, self._writer.wait_for_room)
        recorder.check()
        return recorder

    def _reached(self, checkpoint: dict[str, Any]) -> None:
        self._part = checkpoint
        self._values = checkpoint["values"]
        self._newest = str(checkpoint["config"]["configurable"]["checkpoint_id"])
        # LangGraph's copy of the checkpoint that this run resumes from. A run that resumed from the copy would be
        # given the same task ids again, and find what subgraphs of this run have saved under them.
        mark = self._claim.mark
        again = mark if mark is not None and checkpoint["metadata"]["source"] == "fork" else None
        self._copied = again is not None
        if self._records is not None:
            self._records.reached(checkpoint, again=again.checkpoint_id if again else None)
        if again is not None:
            self._writer.mark(replace(again, boundary_seq=self._writer.last_seq))
        else:
            self._marks.reached(self._newest, self._writer.last_seq)

    async def _result(self, graph: Pregel[Any, Any, Any, Any]) -> Any:
        if self._values is None:
            # The last worker was lost after the graph's end: nothing was run, the state is at the mark.
            self._values = (await graph.aget_state(self._config())).values
        if isinstance(graph.stream_channels_asis, str):
            return self._values  # the state is one value: of a functional graph, what it returned
        channels = graph.output_channels
        if isinstance(channels, str):
            return self._values.get(channels)
        return {name: self._values[name] for name in channels if name in self._values}

    def _config(self) -> Any:
        if self._begins_at is None:
            return dict(self._run_config)
        # Never "latest": a worker that was fenced may have saved there since.
        configurable = {**self._run_config["configurable"], "checkpoint_id": self._begins_at}
        return {**self._run_config, "configurable": configurable}

    @property
    def _retention(self) -> Callable[[str], bool] | None:
        """Of a job without a thread, only what its log may name is ever gone on from."""
        return self._writer.may_name if self._claim.job.thread_id is None else None


def _nodes(names: tuple[str, ...] | Literal["*"]) -> Any:
    return names if names == "*" else list(names) or None
