"""The queue-and-poll design of the tutorials: FastAPI, a Redis list as queue, one worker, a poll every 100 ms."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from benchmarks.baselines.system import follow_sse
from benchmarks.instance import GRAPHS
from deploy.environment import clean_environ, free_port, wait_for
from graphjobs.processes import running

START_SECONDS = 30.0
HERE = Path(__file__).parent


class QueueAndPoll:
    """A running API with its worker."""

    name = "queue and poll (FastAPI, Redis, 100 ms)"

    def __init__(self, url: str, http: httpx.Client) -> None:
        self._url = url
        self._http = http

    def prepare(self) -> None:
        """Nothing."""

    def follow(self, prepared: None, graph_input: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """See `System.follow`."""
        answer = self._http.post(f"{self._url}/jobs", json=graph_input)
        answer.raise_for_status()
        url = f"{self._url}/jobs/{answer.json()['job_id']}/stream"
        yield from follow_sse(self._http, url, {}, lambda message: message.type == "done")


@contextmanager
def queue_and_poll(python: Path, redis_server: str, folder: Path) -> Iterator[QueueAndPoll]:
    """Start Redis, which keeps nothing on disk, the API and one worker."""
    redis_port, port = free_port(), free_port()
    redis = [redis_server, "--port", str(redis_port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
    api = [str(python), "-m", "uvicorn", "tutorial_api:app", "--app-dir", str(HERE), "--host", "127.0.0.1"]
    api += ["--port", str(port), "--log-level", "warning"]
    worker = [str(python), str(HERE / "tutorial_worker.py"), str(GRAPHS.with_name("work.py"))]
    environ = {**clean_environ(python, folder), "BASELINE_REDIS_URL": f"redis://127.0.0.1:{redis_port}"}
    with (
        running(redis, environ, cwd=folder, log=folder / "redis.log"),
        running(api, environ, cwd=folder, log=folder / "tutorial-api.log") as process,
        running(worker, environ, cwd=folder, log=folder / "tutorial-worker.log"),
        httpx.Client(timeout=60) as http,
    ):
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/ok", process, "the queue-and-poll API", START_SECONDS)
        yield QueueAndPoll(url, http)
