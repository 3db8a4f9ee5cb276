"""The watchdog beside a worker's process that holds Python's lock, is stopped or is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

PATIENCE_SECONDS = 30

linux = pytest.mark.skipif(sys.platform != "linux", reason="there is a watchdog on Linux alone")


ROOT = Path(__file__).parents[3]


HELD = """
import ctypes, os, sys
from pathlib import Path
from types import SimpleNamespace
from aws_lambda_powertools import Logger
from graphjobs.core.settings import Settings
from graphjobs.testing import MemoryLog
from graphjobs.worker import watchdog
from graphjobs.worker.heartbeat import Limits
from tests.support.worker.writing import claim

calls = Path(sys.argv[1])
def renew(job, until, due):
    with calls.open("a") as file: print("renewed", file=file)
    return job
made = claim(MemoryLog())
object.__setattr__(made.job, "deadline_at", 10**15)
jobs = SimpleNamespace(renew=renew, peek=lambda job_id: made.job)
queue = SimpleNamespace(set_visibility=lambda receipt, seconds: None)
settings = Settings(heartbeat_seconds=0.0, watch_seconds=0.05)
backend = SimpleNamespace(jobs=jobs, transitions=None, queue=queue)
dog = watchdog.start(settings, Logger(service="test"), backend)
print(dog.pid, flush=True)
dog.begin(made, "receipt", Limits(10**15, 10**15))
order = sys.stdin.readline().strip()
if order == "hold":
    ctypes.PyDLL(None).sleep(600)  # as a C extension that keeps Python's lock
dog.end()
print("ended", dog._lost, flush=True)
dog.begin(made, "receipt", Limits(10**15, 10**15))
dog.end()
print("ended", dog._lost, flush=True)
"""


@dataclass
class Pair:
    """A process that plays the worker, and its watchdog."""

    worker: subprocess.Popen[str]
    watchdog: int
    calls: Path

    def say(self, order: str) -> None:
        assert self.worker.stdin is not None
        print(order, file=self.worker.stdin, flush=True)

    def lines(self) -> int:
        return len(self.calls.read_text().splitlines()) if self.calls.exists() else 0


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[Pair]:
    worker = subprocess.Popen(
        [sys.executable, "-c", HELD, str(tmp_path / "calls")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,  # where this process is, depends on the projects that it has loaded
    )
    assert worker.stdout is not None and worker.stdin is not None
    try:
        yield Pair(worker, int(worker.stdout.readline()), tmp_path / "calls")
    finally:
        worker.kill()
        worker.wait()
        worker.stdout.close()
        worker.stdin.close()


def until(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.01)


def gone(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[0] in "ZX"


@linux
def test_it_acts_while_pythons_lock_is_held_and_ends_with_a_worker_that_is_killed(pair: Pair) -> None:
    pair.say("hold")
    until(lambda: pair.lines() > 2)
    numbers = {int(path.name) for path in Path(f"/proc/{pair.watchdog}/fd").iterdir()}
    assert len(numbers - {0, 1, 2}) == 1, "nothing of the worker's is kept open"
    pair.worker.kill()
    until(lambda: gone(pair.watchdog))


@linux
def test_a_duty_that_ends_is_answered_and_the_next_one_too(pair: Pair) -> None:
    pair.say("go on")
    assert pair.worker.communicate(timeout=PATIENCE_SECONDS)[0] == "ended False\nended False\n"


@linux
def test_without_it_the_worker_goes_on(pair: Pair) -> None:
    os.kill(pair.watchdog, signal.SIGKILL)
    until(lambda: gone(pair.watchdog))
    pair.say("go on")
    said = pair.worker.communicate(timeout=PATIENCE_SECONDS)[0]
    assert [line for line in said.splitlines() if line.startswith("ended")] == ["ended True", "ended True"]
    assert "the watchdog is lost" in said
    assert pair.worker.returncode == 0


ASKED = """
import os, subprocess, sys
child = "import os, sys; from graphjobs.worker.watchdog_process import parent_is_running as p; worker = os.getppid()\\n"
child += "for line in sys.stdin: print(p(worker), flush=True)"
subprocess.run([sys.executable, "-c", child])
"""


@linux
def test_a_stopped_parent_does_not_run(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", ASKED], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as worker:
        assert worker.stdin is not None and worker.stdout is not None

        def answer() -> str:
            assert worker.stdin is not None and worker.stdout is not None
            print("?", file=worker.stdin, flush=True)
            return worker.stdout.readline().strip()

        try:
            assert answer() == "True"
            os.kill(worker.pid, signal.SIGSTOP)
            until(lambda: answer() == "False")
            os.kill(worker.pid, signal.SIGCONT)
            until(lambda: answer() == "True")
            worker.kill()
            until(lambda: answer() == "False")
        finally:
            worker.stdin.close()
            worker.kill()
