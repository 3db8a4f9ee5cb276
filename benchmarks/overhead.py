"""What the worker adds to a graph: 10,000 events through the worker's code, against bare `astream`, in turns.

Log and checkpoints are in this process's memory: what is measured is our code, not an emulator.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Iterable
from typing import Any, cast

from langchain_core.runnables import RunnableConfig
from langgraph.checkpoint.base import ChannelVersions, Checkpoint, CheckpointMetadata
from langgraph.checkpoint.memory import InMemorySaver

from benchmarks.graphs.work import builder, graph
from benchmarks.measure import Series, table
from functions.worker.checkpoints import ConfirmingSaver, Saved
from functions.worker.graph_loader import GraphLoader
from functions.worker.graph_run import GraphRun
from functions.worker.translate import STREAM_MODES
from functions.worker.writer import LogWriter
from graphjobs.claims import Claim
from graphjobs.event import METADATA, Event
from graphjobs.event_log import Batch, EventLog, Key
from graphjobs.job import Job, Status, new_job_id
from graphjobs.observability import logger
from graphjobs.slot import Slot, freeze
from graphjobs.times import now_ms, rfc3339

EVENTS = 10_000
RUNS = 7
INPUT = json.dumps({"input": {"events": EVENTS, "pause": 0}})


class Memory(EventLog):
    """Keeps slots in a list."""

    def __init__(self) -> None:
        self.slots: list[Slot] = []

    def append(self, slot: Slot) -> None:
        """Keep it."""
        self.slots.append(slot)

    def tail(self, job_id: str) -> Slot | None:
        """The last one."""
        return self.slots[-1] if self.slots else None

    def containing(self, job_id: str, seq: int) -> Slot | None:
        """Not asked for by a writer."""
        raise NotImplementedError

    def read(self, keys: Iterable[Key]) -> Batch:
        """Not asked for by a writer."""
        raise NotImplementedError

    def following(self, job_id: str, seq: int, *, max_slots: int) -> list[Slot]:
        """Not asked for by a writer."""
        raise NotImplementedError


class Saver(InMemorySaver):
    """Tells of its saves, as the worker's saver does."""

    on_saved: Saved | None = None

    def put(
        self,
        config: RunnableConfig,
        checkpoint: Checkpoint,
        metadata: CheckpointMetadata,
        new_versions: ChannelVersions,
    ) -> RunnableConfig:
        """Save, then tell."""
        result = super().put(config, checkpoint, metadata, new_versions)
        if self.on_saved is not None:
            self.on_saved(config, checkpoint["id"])
        return result


class Loader:
    """Has the one graph."""

    async def load(self, name: str, checkpointer: Any) -> Any:
        """The graph, with `checkpointer`."""
        return builder.compile(checkpointer=checkpointer)


def worker_seconds() -> float:
    """One run through the worker's code, up to the last slot in the log."""
    now = now_ms()
    job = Job(
        job_id=new_job_id(),
        owner="user-1",
        graph="work",
        status=Status.RUNNING,
        created_at=now,
        deadline_at=now + 3_600_000,
        expires_at=now // 1000 + 86_400,
        due_at=now,
        epoch=1,
    )
    first = Event(1, METADATA, rfc3339(now), {"graph": "work", "model": None})
    tail = freeze(job.job_id, 1, [first.line()], nonce="n", mark=None, expires_at=job.expires_at)
    claim = Claim(job, "n", tail, None)
    log = Memory()
    failures: list[Exception] = []
    began = time.perf_counter()
    writer = LogWriter(log, claim, flush_seconds=0.05, on_failure=failures.append)
    run = GraphRun(
        claim,
        INPUT,
        loader=cast(GraphLoader, Loader()),
        saver=cast(ConfirmingSaver, Saver()),
        writer=writer,
        logger=logger("worker"),
    )
    asyncio.run(run.run())
    writer.close()
    took = time.perf_counter() - began
    if failures or sum(slot.count for slot in log.slots) < EVENTS:
        raise RuntimeError(f"events are missing: {failures}")
    return took


def bare_seconds(modes: list[str]) -> float:
    """One run of the graph alone, its stream thrown away."""

    async def run() -> None:
        graph_input: Any = {"events": EVENTS, "pause": 0}
        stream: Any = graph.astream(graph_input, stream_mode=modes, version="v2")
        async for _ in stream:
            pass

    began = time.perf_counter()
    asyncio.run(run())
    return time.perf_counter() - began


def main() -> None:
    """Print the table."""
    modes = list(STREAM_MODES)
    trios = [(worker_seconds(), bare_seconds(modes), bare_seconds(["custom"])) for _ in range(RUNS + 1)][1:]
    ours, bare, custom = (Series.of(trio[index] for trio in trios) for index in range(3))
    rows = [
        ["worker", ours.p50, Series.of(trio[0] / trio[1] for trio in trios).p50],
        [f"bare astream, {'+'.join(modes)}", bare.p50, 1.0],
        ["bare astream, custom alone", custom.p50, Series.of(trio[2] / trio[1] for trio in trios).p50],
    ]
    print(table(f"Worker overhead, {EVENTS} events without a pause", ["run", "seconds", "ratio"], rows))


if __name__ == "__main__":
    main()
