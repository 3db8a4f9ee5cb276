"""`langgraph dev`: LangGraph's own development server, which keeps everything in memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from benchmarks.baselines.system import follow_sse
from benchmarks.instance import GRAPHS
from deploy.environment import clean_environ, free_port, wait_for
from graphjobs.client.sse import Message
from graphjobs.processes import running

START_SECONDS = 60.0
ASSISTANT = "work"
SILENT = {
    "LANGGRAPH_CLI_NO_ANALYTICS": "1",
    "LANGGRAPH_NO_VERSION_CHECK": "true",
    "LANGSMITH_TRACING": "false",
}


class LangGraphDev:
    """A running server; its jobs are background runs that are joined, as durable as it can make them."""

    name = "langgraph dev"

    def __init__(self, url: str, http: httpx.Client) -> None:
        self._url = url
        self._http = http

    def prepare(self) -> str:
        """A thread: each of our jobs has its own too."""
        answer = self._http.post(f"{self._url}/threads", json={})
        answer.raise_for_status()
        return str(answer.json()["thread_id"])

    def submit(self, thread_id: str, graph_input: dict[str, Any]) -> str:
        """Start a background run; the address of its stream. Resumable: its events are kept to be read again."""
        runs = f"{self._url}/threads/{thread_id}/runs"
        body = {
            "assistant_id": ASSISTANT,
            "input": graph_input,
            "stream_mode": ["custom"],
            "stream_resumable": True,
        }
        answer = self._http.post(runs, json=body)
        answer.raise_for_status()
        return f"{runs}/{answer.json()['run_id']}/stream?stream_mode=custom"

    def read(self, url: str) -> Iterator[dict[str, Any]]:
        """A stream's events from the first on (-1), since a run may begin before it is joined."""
        return follow_sse(self._http, url, {"last-event-id": "-1"}, _is_last)

    def follow(self, prepared: str, graph_input: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """See `System.follow`."""
        yield from self.read(self.submit(prepared, graph_input))


def _is_last(message: Message) -> bool:
    if message.type == "error":
        raise RuntimeError(f"langgraph dev: {message.data}")
    return message.type == "end"


@contextmanager
def langgraph_dev(python: Path, folder: Path) -> Iterator[LangGraphDev]:
    """Start one with the graphs of this folder; what it keeps on disk goes to `folder`."""
    port = free_port()
    command = [str(python.with_name("langgraph")), "dev", "--config", GRAPHS.name, "--host", "127.0.0.1"]
    command += ["--port", str(port), "--no-browser", "--no-reload", "--server-log-level", "WARNING"]
    # It looks for the graphs' files from its working directory, and writes beside them.
    home = folder / "langgraph"
    home.mkdir()
    for path in (GRAPHS, *GRAPHS.parent.glob("*.py")):
        (home / path.name).symlink_to(path)
    environ = {**clean_environ(python, home), **SILENT}
    with running(command, environ, cwd=home, log=folder / "langgraph-dev.log") as process:
        url = f"http://127.0.0.1:{port}"
        wait_for(f"{url}/ok", process, "langgraph dev", START_SECONDS)
        with httpx.Client(timeout=60) as http:
            yield LangGraphDev(url, http)
