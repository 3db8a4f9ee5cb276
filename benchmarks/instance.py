"""A local instance to measure: the real processes on embedded moto, with the graphs of this folder."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphjobs.cli.local_process import LocalProcess, local_command
from graphjobs.client.client import Client
from graphjobs.local.issuer import mint_token

GRAPHS = Path(__file__).parent / "graphs" / "langgraph.json"


@dataclass(frozen=True, slots=True)
class Instance:
    """Where a running instance is."""

    api_url: str
    stream_url: str
    endpoint_url: str
    pids: dict[str, Any]
    token: str

    def client(self) -> Client:
        """A client of it, to be closed."""
        return Client(self.api_url, self.token, stream_url=self.stream_url)


@contextmanager
def instance(workers: int = 1, **settings: str) -> Iterator[Instance]:
    """Start one, end it afterwards; `settings` are environment variables."""
    with tempfile.TemporaryDirectory() as folder:
        environ = {**os.environ, "GRAPHJOBS_STATE_DIR": folder, **settings}
        command = local_command("--workers", str(workers), "--config", str(GRAPHS))
        with LocalProcess(command, environ) as process:
            facts = process.ready(60)
            yield Instance(
                facts["api_url"],
                facts["stream_url"],
                facts["aws_endpoint_url"],
                facts["pids"],
                mint_token(Path(folder), "user-1", 7200),
            )
