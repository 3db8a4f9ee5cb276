"""The queue-and-poll design of the tutorials, its API: a job goes into a Redis list, and a stream polls another.

It runs in the baselines' own environment. Nothing of a job survives its worker; that is the design.
"""

import asyncio
import json
import os
import uuid
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI
from fastapi.responses import StreamingResponse
from redis.asyncio import Redis

POLL_SECONDS = 0.1
LAST = "done"

app = FastAPI()
redis = Redis.from_url(os.environ["BASELINE_REDIS_URL"], decode_responses=True)


@app.get("/ok")
async def ok() -> dict[str, bool]:
    """Whether Redis answers."""
    return {"ok": bool(await redis.ping())}


@app.post("/jobs", status_code=202)
async def create(graph_input: dict[str, Any]) -> dict[str, str]:
    """Put a job into the queue."""
    job_id = str(uuid.uuid4())
    await redis.lpush("jobs", json.dumps({"job_id": job_id, "input": graph_input}))
    return {"job_id": job_id}


@app.get("/jobs/{job_id}/stream")
async def stream(job_id: str) -> StreamingResponse:
    """The job's events, as they are found."""
    return StreamingResponse(events(job_id), media_type="text/event-stream")


async def events(job_id: str) -> AsyncIterator[str]:
    """Server-sent events, one a Redis item."""
    seen = 0
    while True:
        found = await redis.lrange(f"events:{job_id}", seen, -1)
        for line in found:
            seen += 1
            kind = json.loads(line)["type"]
            yield f"id: {seen}\nevent: {kind}\ndata: {line}\n\n"
            if kind == LAST:
                return
        await asyncio.sleep(POLL_SECONDS)
