"""One run of a graph through the worker's own code, log and checkpoints being in memory: its outcome and its events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from aws_lambda_powertools import Logger

from graphjobs.core.event import Event
from graphjobs.core.outcome import GRAPH_ERROR, Outcome
from graphjobs.core.run_request import RunRequest
from graphjobs.testing import MemoryLog
from graphjobs.worker.graph_run import GraphRun
from graphjobs.worker.parts import Graphs
from graphjobs.worker.writer import LogWriter
from tests.support.worker.checkpoints import GatedSaver, MemoryCheckpoints
from tests.support.worker.gate import Gate
from tests.support.worker.writing import claim


@dataclass
class Recorded:
    """What a run has left."""

    outcome: Outcome
    events: list[Event]

    def of(self, *kinds: str) -> list[dict[str, Any]]:
        """The data of the events of these types."""
        return [event.data for event in self.events if event.type in kinds]


class Loaded:
    """A loader that has the one graph."""

    def __init__(self, graph: Any) -> None:
        self._graph = graph

    @asynccontextmanager
    async def open(self, name: str, checkpointer: Any, call: Any, logger: Any) -> AsyncIterator[Any]:
        """See `GraphLoader.open`."""
        yield self._graph.copy(update={"checkpointer": checkpointer})


async def ended(run: GraphRun) -> Outcome:
    """The end of the run; what a graph raises is its error, as for `JobRun`."""
    try:
        return await run.run()
    except Exception as error:
        return run.failed(GRAPH_ERROR, error)


def record(graph: Any, given: Any = None, **request: Any) -> Recorded:
    """Run `graph`, compiled, with the input `given` and other members of a `RunRequest`; without claim and end."""
    return record_loaded(Loaded(graph), given, **request)


def record_loaded(loader: Any, given: Any = None, *, store: Any = None, **request: Any) -> Recorded:
    """The same, of a graph that `loader` gives, with LangGraph's `store`."""
    log: Any = MemoryLog()
    held = claim(log)
    failures: list[Exception] = []
    writer = LogWriter(log, held, flush_seconds=0.0, on_failure=failures.append)
    saver: Any = GatedSaver(MemoryCheckpoints(), Gate())
    asked = RunRequest(input={} if given is None else given, **request)
    run = GraphRun(
        held,
        asked,
        Graphs(loader, saver, store=store),
        writer,
        logger=Logger(service="recorded", level="CRITICAL"),
    )
    try:
        outcome = asyncio.run(ended(run))
        writer.close()
    finally:
        writer.abandon()
    assert not failures
    return Recorded(outcome, log.events(held.job.job_id)[1:])
