"""Starts everything, keeps it running, and ends it: the one parent of all processes of a local instance."""

from __future__ import annotations

import os
import secrets
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any

from graphjobs.core.manifest import FUNCTIONS
from graphjobs.core.settings import PREFIX
from graphjobs.local.console import Console, how_it_ended
from graphjobs.local.notes import DIED, GRAPHS, STARTED, Note
from graphjobs.local.process import ChildProcess
from graphjobs.local.resources import ENDPOINT_VARIABLE, create_resources, settings_of
from graphjobs.local.state import AUDIENCE, StateFolder

START_SECONDS = 60.0
WATCH_SECONDS = 0.1
VISIBILITY_MARGIN_SECONDS = 30
EMULATOR_LOST = 1


class PortTaken(Exception):
    """A port that was asked for is in use."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What to run.

    Attributes:
        leave_lost_jobs: whether the job of a worker that died waits for its lease, as it does on AWS.
        data: the folder in which what is stored outlives the instance; None to keep it in memory.
    """

    state_dir: Path
    config: Path
    graphs: Sequence[str]
    api_port: int
    stream_port: int
    workers: int
    function_timeout_seconds: float
    leave_lost_jobs: bool = False
    data: Path | None = None


class Supervisor:
    """The processes of one instance; `show` takes the lines of text that a person at the terminal sees."""

    def __init__(self, plan: Plan, show: Callable[[str], object]) -> None:
        self._plan = plan
        self._folder = StateFolder(plan.state_dir)
        self._console = Console(show)
        self._show = show
        self._stopping = threading.Event()
        self._emulator: ChildProcess | None = None
        self._children: dict[str, ChildProcess] = {}
        self._worker_pids: dict[int, int] = {}
        self._started = False
        self._early_report: Note | None = None
        self._api_port = usable_port(plan.api_port)
        self._stream_port = usable_port(plan.stream_port)
        self._endpoint = os.environ.get("AWS_ENDPOINT_URL", "")
        self._named: dict[str, str] = {}

    @property
    def facts(self) -> dict[str, Any]:
        """Where things are: what ``--json`` prints and the state file holds."""
        pids: dict[str, Any] = {name: child.pid for name, child in self._children.items() if name != "workers"}
        if self._emulator is not None:
            pids["emulator"] = self._emulator.pid
        return {
            "api_url": self._api_url,
            "stream_url": f"http://127.0.0.1:{self._stream_port}",
            "aws_endpoint_url": self._endpoint,
            "issuer": f"{self._api_url}/oidc",
            "audience": AUDIENCE,
            "settings": self._named,
            "pids": {**pids, "workers": [pid for _, pid in sorted(self._worker_pids.items())]},
        }

    @property
    def _api_url(self) -> str:
        return f"http://127.0.0.1:{self._api_port}"

    def start(self) -> None:
        """Start everything and wait until it is ready.

        Raises:
            FolderTaken: another instance runs with the same state folder.
            StartFailed: one of the processes is not ready; those that had started are ended.
        """
        self._folder.take()
        try:
            self._start()
        except BaseException:
            self.stop()
            raise

    def _start(self) -> None:
        """All at once: what takes long is importing, and none of them calls another before the first job."""
        plan, began = self._plan, time.monotonic()
        environ = self._resources() | self._settings()
        self._named = _worker_settings({**os.environ, **environ})
        pool = ["--workers", str(plan.workers), "--logs", str(self._folder.logs)]
        pool += ["--leave-lost-jobs"] if plan.leave_lost_jobs else []
        state = ["--state-dir", str(plan.state_dir)]
        self._children = {
            "workers": self._child("workers", "graphjobs.local.worker_pool", pool, environ),
            "api": self._child("api", "graphjobs.local.edge", ["--port", str(self._api_port), *state], environ),
            "stream": self._child(
                "stream", "graphjobs.local.stream_process", ["--port", str(self._stream_port)], environ
            ),
            "scheduler": self._child("scheduler", "graphjobs.local.scheduler", [], environ),
        }
        for child in self._children.values():
            child.start()
        waiting = [*self._children.values(), *([self._emulator] if self._emulator else [])]

        def wait(child: ChildProcess) -> None:
            child.wait_ready(START_SECONDS)
            self._show(f"  {child.name} ready after {time.monotonic() - began:.1f} s")

        with ThreadPoolExecutor(len(waiting)) as threads:
            list(threads.map(wait, waiting))
        self._started = True
        self._folder.write(lambda: self.facts)

    def _resources(self) -> dict[str, str]:
        """Start the emulator, unless there is one already; the variables that lead to what is in it."""
        # Kept data is found again under the same names.
        suffix = "kept" if self._plan.data else secrets.token_hex(4)
        visibility = int(self._plan.function_timeout_seconds) + VISIBILITY_MARGIN_SECONDS
        if self._endpoint:
            return create_resources(self._endpoint, suffix, visibility_seconds=visibility)
        port = usable_port(0)
        self._endpoint = f"http://127.0.0.1:{port}"
        arguments = ["--port", str(port), "--suffix", suffix, "--visibility-seconds", str(visibility)]
        arguments += ["--data", str(self._plan.data)] if self._plan.data else []
        self._emulator = self._child("emulator", "graphjobs.local.emulator", arguments, {})
        self._emulator.start()
        # A variable of our own: the clients that a graph makes see what the user's environment says.
        return {ENDPOINT_VARIABLE: self._endpoint} | settings_of(self._endpoint, suffix)

    def _settings(self) -> dict[str, str]:
        return {
            "GRAPHJOBS_API_URL": self._api_url,
            "GRAPHJOBS_STREAM_URL": f"http://127.0.0.1:{self._stream_port}",
            "GRAPHJOBS_OIDC_ISSUER": f"{self._api_url}/oidc",
            "GRAPHJOBS_OIDC_AUDIENCE": AUDIENCE,
            "GRAPHJOBS_STREAM_CORS_ORIGINS": "*",
            "GRAPHJOBS_CONFIG": str(self._plan.config),
            "GRAPHJOBS_ERROR_DETAIL": os.environ.get("GRAPHJOBS_ERROR_DETAIL", "message"),
            "GRAPHJOBS_GRAPHS": ",".join(self._plan.graphs),
            "GRAPHJOBS_FUNCTION_TIMEOUT_SECONDS": str(self._plan.function_timeout_seconds),
        }

    def _child(self, name: str, module: str, arguments: list[str], environ: dict[str, str]) -> ChildProcess:
        return ChildProcess(name, module, arguments, environ, self._folder.logs / f"{name}.log", self._noted)

    def _noted(self, note: Note) -> None:
        """A worker's note; called from the thread that reads the pool's output."""
        if note["note"] == STARTED:
            self._worker_pids[note["worker"]] = note["pid"]
        elif note["note"] == DIED:
            self._worker_pids.pop(note["worker"], None)
        if self._started:
            self._folder.write(lambda: self.facts)
            self._console.note(note)
        elif note["note"] == GRAPHS:
            self._early_report = note

    def run(self) -> int:
        """Keep it running until a signal says stop; then end it all. Returns the exit code."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._signalled)
        if self._early_report is not None:
            self._console.note(self._early_report)
        try:
            while not self._stopping.wait(WATCH_SECONDS):
                for child in self._children.values():
                    code = child.exit_code
                    if child.restart_if_dead():
                        self._console.child_died(child.name, code)
                        self._folder.write(lambda: self.facts)
                if self._emulator is not None and self._emulator.dead():
                    how = how_it_ended(self._emulator.exit_code)
                    self._show(f"graphjobs: the emulator has ended ({how}), and with it all jobs. Stopping.")
                    return EMULATOR_LOST
        finally:
            self.stop()
        return 0

    def _signalled(self, number: int, frame: FrameType | None) -> None:
        self._stopping.set()

    def stop(self) -> None:
        """End every process; the emulator last, since the others call it."""
        self._started = False
        with ThreadPoolExecutor(max(1, len(self._children))) as threads:
            list(threads.map(lambda child: child.stop(), self._children.values()))
        if self._emulator is not None:
            self._emulator.stop()
        self._folder.clear()


def _worker_settings(environ: Mapping[str, str]) -> dict[str, str]:
    """Where everything is and how jobs are bounded, as the worker knows it: for who operates the instance."""
    spec = FUNCTIONS["worker"]
    variables = [PREFIX + name.upper() for name in (*spec.needs, *spec.reads)]
    return {name: environ[name] for name in variables if name in environ}


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
