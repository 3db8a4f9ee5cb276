"""The queue-and-poll design of the tutorials, its worker: runs one job after the other, events into a Redis list."""

import asyncio
import importlib.util
import json
import os
import sys
from typing import Any

from redis.asyncio import Redis


def load_graph(path: str) -> Any:
    """The `graph` of a file."""
    spec = importlib.util.spec_from_file_location("measured_graph", path)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.graph


async def work(graph: Any, redis: Redis) -> None:
    """Take jobs until killed."""
    while True:
        _, message = await redis.brpop("jobs")
        job = json.loads(message)
        key = f"events:{job['job_id']}"
        await redis.rpush(key, json.dumps({"type": "started"}))
        async for event in graph.astream(job["input"], stream_mode="custom"):
            await redis.rpush(key, json.dumps(event))
        await redis.rpush(key, json.dumps({"type": "done"}))
        await redis.expire(key, 3600)


if __name__ == "__main__":
    # The client's own socket time-out would end a wait for the next job.
    client = Redis.from_url(os.environ["BASELINE_REDIS_URL"], decode_responses=True, socket_timeout=None)
    asyncio.run(work(load_graph(sys.argv[1]), client))
