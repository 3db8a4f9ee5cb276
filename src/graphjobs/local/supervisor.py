"""Starts everything, keeps it running, and ends it: the one parent of all processes of a local instance."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from graphjobs.local.issuer import AUDIENCE, STATE_FILE, ensure_key
from graphjobs.local.process import ChildProcess
from graphjobs.local.resources import CREDENTIALS, create_resources

START_SECONDS = 60.0
WATCH_SECONDS = 0.1
VISIBILITY_MARGIN_SECONDS = 30


class PortTaken(Exception):
    """A port that was asked for is in use."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run."""

    state_dir: Path
    config: Path
    graphs: Sequence[str]
    api_port: int
    stream_port: int
    workers: int
    function_timeout_seconds: float


class Supervisor:
    """The processes of one instance."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._stopping = threading.Event()
        self._emulator: ChildProcess | None = None
        self._edge: ChildProcess | None = None
        self._stream: ChildProcess | None = None
        self._scheduler: ChildProcess | None = None
        self._workers: list[ChildProcess] = []
        self._api_port = usable_port(plan.api_port)
        self._stream_port = usable_port(plan.stream_port)
        self._endpoint = os.environ.get("AWS_ENDPOINT_URL", "")

    @property
    def facts(self) -> dict[str, Any]:
        """Where things are: what ``--json`` prints and the state file holds."""
        pids: dict[str, Any] = {
            name: child.pid
            for name, child in (
                ("api", self._edge),
                ("stream", self._stream),
                ("emulator", self._emulator),
                ("scheduler", self._scheduler),
            )
            if child is not None
        }
        return {
            "api_url": self._api_url,
            "stream_url": f"http://127.0.0.1:{self._stream_port}",
            "aws_endpoint_url": self._endpoint,
            "issuer": f"{self._api_url}/oidc",
            "audience": AUDIENCE,
            "pids": {**pids, "workers": [worker.pid for worker in self._workers]},
        }

    @property
    def _api_url(self) -> str:
        return f"http://127.0.0.1:{self._api_port}"

    def start(self) -> None:
        """Start everything and wait until it is ready.

        Raises:
            StartFailed: one of the processes is not; those that had started are ended.
        """
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        plan = self._plan
        (plan.state_dir / "logs").mkdir(parents=True, exist_ok=True)
        ensure_key(plan.state_dir)
        environ: dict[str, str] = {}
        if not self._endpoint:
            environ = dict(CREDENTIALS)
            self._emulator = self._child("emulator", "graphjobs.local.emulator", [], {})
            self._emulator.start()
            self._emulator.wait_ready(START_SECONDS)
            self._endpoint = f"http://127.0.0.1:{self._emulator.facts['port']}"
        visibility = int(plan.function_timeout_seconds) + VISIBILITY_MARGIN_SECONDS
        environ |= create_resources(self._endpoint, visibility_seconds=visibility) | self._settings()
        state = ["--state-dir", str(plan.state_dir)]
        self._edge = self._child("api", "graphjobs.local.edge", ["--port", str(self._api_port), *state], environ)
        self._stream = self._child(
            "stream", "graphjobs.local.stream_process", ["--port", str(self._stream_port)], environ
        )
        self._scheduler = self._child("scheduler", "graphjobs.local.scheduler", [], environ)
        self._workers = [
            self._child(f"worker-{number}", "graphjobs.local.worker_process", [], environ)
            for number in range(1, plan.workers + 1)
        ]
        children = self._restartable()
        for child in children:
            child.start()
        with ThreadPoolExecutor(len(children)) as pool:
            list(pool.map(lambda child: child.wait_ready(START_SECONDS), children))
        self._write_state()

    def _settings(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self._endpoint,
            "GRAPHJOBS_API_URL": self._api_url,
            "GRAPHJOBS_STREAM_URL": f"http://127.0.0.1:{self._stream_port}",
            "GRAPHJOBS_OIDC_ISSUER": f"{self._api_url}/oidc",
            "GRAPHJOBS_OIDC_AUDIENCE": AUDIENCE,
            "GRAPHJOBS_STREAM_CORS_ORIGINS": "*",
            "GRAPHJOBS_CONFIG": str(self._plan.config),
            "GRAPHJOBS_GRAPHS": ",".join(self._plan.graphs),
            "GRAPHJOBS_FUNCTION_TIMEOUT_SECONDS": str(self._plan.function_timeout_seconds),
        }

    def _child(self, name: str, module: str, arguments: list[str], environ: dict[str, str]) -> ChildProcess:
        return ChildProcess(name, module, arguments, environ, self._plan.state_dir / "logs" / f"{name}.log")

    def _restartable(self) -> list[ChildProcess]:
        children = [self._edge, self._stream, self._scheduler, *self._workers]
        return [child for child in children if child is not None]

    def run(self) -> None:
        """Keep it running until a signal says stop; then end it all."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._signalled)
        try:
            while not self._stopping.wait(WATCH_SECONDS):
                restarted = [child for child in self._restartable() if child.restart_if_dead()]
                if restarted:
                    self._write_state()
                if self._emulator is not None and self._emulator.dead():
                    return  # and with it every job: there is nothing to go on with
        finally:
            self.stop()

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        self._stopping.set()

    def stop(self) -> None:
        """End every process; the emulator last, since the others call it."""
        state = self._plan.state_dir / STATE_FILE
        state.unlink(missing_ok=True)
        children = self._restartable()
        with ThreadPoolExecutor(max(1, len(children))) as pool:
            list(pool.map(lambda child: child.stop(), children))
        if self._emulator is not None:
            self._emulator.stop()

    def _write_state(self) -> None:
        path = self._plan.state_dir / STATE_FILE
        fresh = path.with_suffix(".tmp")
        fresh.write_text(json.dumps(self.facts, indent=2), encoding="utf-8")
        fresh.replace(path)


def usable_port(port: int) -> int:
    """`port`, or a free one for 0.

    Raises:
        PortTaken: it is in use.
    """
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            raise PortTaken(f"Port {port} is in use; give another, or 0 for a free one.") from None
        found: int = probe.getsockname()[1]
        return found
