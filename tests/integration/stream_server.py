"""The stream function as it is deployed: its own wiring, under uvicorn, on a socket; its AWS is moto."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field

import httpx
import pytest
import uvicorn

from graphjobs.auth.ticket_keys import SecretKeyring
from graphjobs.auth.tickets import Tickets
from graphjobs.stream.app import create_app_from_env
from tests.support.backend import Backend

PATIENCE_SECONDS = 30.0


@dataclass
class StreamServer:
    """A server that can be lost and started again at the same address."""

    aws: Backend
    port: int = 0
    opened: int = 0
    _running: list[tuple[uvicorn.Server, threading.Thread]] = field(default_factory=list)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, at the port of the one before."""
        listener = socket.socket()
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(("127.0.0.1", self.port))
        self.port = listener.getsockname()[1]
        # As in functions/stream/run.sh.
        config = uvicorn.Config(create_app_from_env(), access_log=False, log_level="warning", lifespan="off")
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        self._running.append((server, thread))
        end = time.monotonic() + PATIENCE_SECONDS
        while not server.started:
            assert thread.is_alive() and time.monotonic() < end
            time.sleep(0.005)

    def lose(self) -> None:
        """End it with all its connections, wherever they are."""
        server, thread = self._running.pop()
        server.force_exit = server.should_exit = True
        for connection in list(server.server_state.connections):
            transport = getattr(connection, "transport", None)
            if transport is not None:
                server.servers[0].get_loop().call_soon_threadsafe(transport.abort)
        thread.join(PATIENCE_SECONDS)
        assert not thread.is_alive()

    def stream(self, http: httpx.Client, job_id: str, after: int) -> AbstractContextManager[httpx.Response]:
        """Open the stream of a job with a ticket, as a browser does."""
        self.opened += 1
        params: dict[str, str | int] = {"ticket": self.ticket(job_id), "after": after}
        return http.stream("GET", f"{self.url}/stream/{job_id}", params=params)

    def ticket(self, job_id: str) -> str:
        """A ticket for a job's stream."""
        keys = SecretKeyring(self.aws.secrets, self.aws.settings.ticket_secret)
        return Tickets(keys).issue(job_id, int(time.time()) + 600)


def running(aws: Backend, monkeypatch: pytest.MonkeyPatch) -> Iterator[StreamServer]:
    """A server on `aws`, for a fixture."""
    for name, value in aws.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "true")
    server = StreamServer(aws)
    server.start()
    yield server
    if server._running:
        server.lose()
