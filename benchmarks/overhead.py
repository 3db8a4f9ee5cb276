"""What the worker adds to a graph: 10,000 events through the worker's code, against bare `astream`, in turns.

Log and checkpoints are in this process's memory: what is measured is our code, not an emulator.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

from langgraph.checkpoint.memory import InMemorySaver

from benchmarks.graphs.work import builder, graph
from benchmarks.measure import in_turns
from graphjobs.aws.claims import Claim
from graphjobs.core.event import METADATA, Event
from graphjobs.core.job import Job, Status, new_job_id
from graphjobs.core.run_request import RunRequest
from graphjobs.core.slot import freeze
from graphjobs.core.times import now_ms, rfc3339
from graphjobs.observability import logger
from graphjobs.testing import MemoryLog
from graphjobs.testing.saver import MemorySaver
from graphjobs.worker.checkpoints import ConfirmingSaver
from graphjobs.worker.graph_loader import GraphLoader
from graphjobs.worker.graph_run import GraphRun
from graphjobs.worker.parts import Graphs
from graphjobs.worker.writer import LogWriter

EVENTS = 10_000
RUNS = 7
GRAPHS = Path(__file__).parent / "graphs" / "langgraph.json"
REQUEST = RunRequest(input={"events": EVENTS, "pause": 0})
STREAM_MODES = ("messages", "updates", "custom", "checkpoints")
"""What a reader of LangGraph's stream asks for to see what the worker records."""


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
    log = MemoryLog()
    failures: list[Exception] = []
    began = time.perf_counter()
    writer = LogWriter(log, claim, flush_seconds=0.05, on_failure=failures.append)
    run = GraphRun(
        claim,
        REQUEST,
        Graphs(GraphLoader(str(GRAPHS)), cast(ConfirmingSaver, MemorySaver())),
        writer,
        logger=logger("worker"),
    )
    asyncio.run(run.run())
    writer.close()
    took = time.perf_counter() - began
    if failures or sum(slot.count for slot in log.written.values()) < EVENTS:
        raise RuntimeError(f"events are missing: {failures}")
    return took


def bare_seconds(modes: list[str], *, durable: bool = False) -> float:
    """One run of the graph alone, its stream thrown away; `durable`: with checkpoints, as the worker asks for them."""

    async def run() -> None:
        graph_input: Any = {"events": EVENTS, "pause": 0}
        options: dict[str, Any] = {"stream_mode": modes, "version": "v2"}
        if durable:
            config = {"configurable": {"thread_id": "bare"}}
            options |= {"config": config, "subgraphs": True, "durability": "sync"}
        runs = builder.compile(checkpointer=InMemorySaver()) if durable else graph
        stream: Any = runs.astream(graph_input, **options)
        async for _ in stream:
            pass

    began = time.perf_counter()
    asyncio.run(run())
    return time.perf_counter() - began


def main() -> None:
    """Print the table."""
    modes = list(STREAM_MODES)
    runs: dict[str, Callable[[], float]] = {
        "worker": worker_seconds,
        "bare astream, custom alone": lambda: bare_seconds(["custom"]),
        f"bare astream, {'+'.join(modes)}": lambda: bare_seconds(modes),
        "the same with checkpoints in memory": lambda: bare_seconds(modes, durable=True),
    }
    print(in_turns(f"Worker overhead, {EVENTS} events without a pause", "worker", runs, RUNS))


if __name__ == "__main__":
    main()
