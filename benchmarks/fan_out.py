"""What 1,000 branches of one step (`Send`) cost as a job, against the graph alone, in turns.

The job runs in a local instance, warm: its log and its checkpoints are in the emulator. From its claim to its end.
"""

from __future__ import annotations

import asyncio
import time
from datetime import datetime
from typing import Any

from langgraph.checkpoint.memory import InMemorySaver

from benchmarks.graphs.fan_out import builder
from benchmarks.instance import instance
from benchmarks.measure import in_turns
from graphjobs.client.client import Client

BRANCHES = 1_000
RUNS = 7


def job_seconds(client: Client) -> float:
    """One job, from its `metadata` to its `done`, by the worker's clock."""
    job_id = client.submit(input={"branches": BRANCHES}, graph="fan_out")["job_id"]
    events = list(client.stream(job_id))
    done = events[-1]["data"]
    if done["status"] != "completed" or len(done["result"]["found"]) != BRANCHES:
        raise RuntimeError(f"the job has not found everything: {done['status']}")
    first, last = (datetime.fromisoformat(event["ts"]) for event in (events[0], events[-1]))
    return (last - first).total_seconds()


def bare_seconds(*, checkpoints: bool) -> float:
    """The graph alone, with its checkpoints in memory or none; its stream is thrown away."""
    app = builder.compile(checkpointer=InMemorySaver() if checkpoints else None)

    async def run() -> None:
        config: Any = {"configurable": {"thread_id": "bare"}}
        options: dict[str, Any] = {"stream_mode": ["messages", "updates", "custom", "checkpoints"], "version": "v2"}
        durable: dict[str, Any] = {"durability": "sync"} if checkpoints else {}
        async for _ in app.astream({"branches": BRANCHES}, config, **options, **durable):
            pass

    began = time.perf_counter()
    asyncio.run(run())
    return time.perf_counter() - began


def main() -> None:
    """Print the table."""
    with instance() as here, here.client() as client:
        runs = {
            "job on the emulator": lambda: job_seconds(client),
            "bare astream, checkpoints in memory": lambda: bare_seconds(checkpoints=True),
            "bare astream, no checkpoints": lambda: bare_seconds(checkpoints=False),
        }
        print(in_turns(f"{BRANCHES} branches of one step by Send", "job", runs, RUNS))


if __name__ == "__main__":
    main()
