"""``graphjobs local`` as other programs start it: it leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.e2e.conftest import GRAPHS
from tests.e2e.user import User, eventually
from tests.e2e.wire import Event
from tests.support.instance import VARIABLE, Target, local_target

pytestmark = pytest.mark.skipif(VARIABLE in os.environ, reason="of the local instance alone")

PARENT = """
import json, os, sys, time
from graphjobs.cli.local_process import LocalProcess, local_command
with LocalProcess(local_command("--workers", "1", "--config", sys.argv[1]), os.environ) as process:
    facts = process.ready(90)
    print(json.dumps([process._process.pid, *(facts["pids"][n] for n in ("api", "stream", "emulator", "scheduler")),
                      *facts["pids"]["workers"]]), flush=True)
    time.sleep(600)
"""
PATIENCE_SECONDS = 30


def alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state != "Z"


def test_an_instance_does_not_outlive_the_program_that_started_it(tmp_path: Path) -> None:
    """Given a program with an instance, when it is killed, then no process of the instance is left."""
    environ = {**os.environ, "GRAPHJOBS_STATE_DIR": str(tmp_path)}
    command = [sys.executable, "-c", PARENT, str(GRAPHS)]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = json.loads(parent.stdout.readline())
        assert len(pids) == 6 and all(alive(pid) for pid in pids)
        parent.send_signal(signal.SIGKILL)
    end = time.monotonic() + PATIENCE_SECONDS
    while left := [pid for pid in pids if alive(pid)]:
        assert time.monotonic() < end, left
        time.sleep(0.05)


SLOW = """
import os, time
from typing import TypedDict
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph

class State(TypedDict, total=False):
    seconds: float
    said: str

def node(state):
    get_stream_writer()({"pid": os.getpid()})
    time.sleep(state.get("seconds", 0))
    return {"said": VERSION}

def broken(state):
    raise RuntimeError("my own bug")

def chain(work):
    return StateGraph(State).add_node("work", work).add_edge(START, "work").add_edge("work", END).compile()

VERSION = "one"
graph, failing = chain(node), chain(broken)
"""


GRAPHS_OF_THE_PROJECT = {
    "slow": "./mine.py:graph",
    "bad": "./mine.py:failing",
    "missing": "./needs_package.py:graph",
    "mistaken": "./mine.py:grap",
    "script": "./agent.ts:graph",
    "keyless": "./needs_key.py:graph",
}


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project of which two graphs can be loaded, and neither the others nor the store's embeddings."""
    folder = tmp_path_factory.mktemp("project")
    files = {
        "mine.py": SLOW,
        "needs_package.py": "import a_package_of_ours\n",
        "agent.ts": "",
        "needs_key.py": "import os\nKEY = os.environ['A_KEY_OF_OURS']\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    index = {"dims": 2, "embed": "./mine.py:absent"}
    content = {"dependencies": ["."], "store": {"index": index}, "auth": {}, "env": "absent.env"}
    path = folder / "langgraph.json"
    path.write_text(json.dumps({**content, "graphs": GRAPHS_OF_THE_PROJECT}))
    return path


@dataclass(frozen=True)
class Ended:
    """What an instance that keeps its data has left: a job that was over, with its events, one that was not, and what
    it had said.
    """

    state: Path
    data: str
    over: str
    events: list[Event]
    cut: str
    mistaken: Event
    lines: list[str]


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory, project: Path) -> Ended:
    """An instance, up to its end in the middle of a job."""
    folder = tmp_path_factory.mktemp("kept")
    state, data = folder / "state", str(folder / "data")
    with local_target(state, project, workers=1, keep_in=data) as target, User(target) as user:
        said = state / "stderr.out"
        eventually(lambda: "graphs that are served: slow, bad" in said.read_text(), "the report")
        over = user.start(graph="slow", input={})
        events = user.finished(over)
        mistaken = user.finished(user.start(graph="mistaken", input={}))[-1]
        cut = user.start(graph="slow", input={"seconds": 2})
        eventually(lambda: user.status(cut)["status"] == "running", "it runs")
    return Ended(state, data, over, events, cut, mistaken, said.read_text().splitlines())


@pytest.fixture(scope="module")
def second(first: Ended, project: Path) -> Iterator[Target]:
    """The next instance on what the first has kept. The last test of this file ends it."""
    with local_target(first.state, project, workers=1, keep_in=first.data) as target:
        yield target


def test_the_start_says_of_each_graph_whether_it_is_served_and_why_not(first: Ended, project: Path) -> None:
    """Given graphs of which two can be loaded, then they are served, and each other one is a line with what to do."""
    assert first.events[-1]["data"]["status"] == "completed"
    assert first.mistaken["data"]["error"]["code"] == "graph_unavailable"

    def about(what: str) -> str:
        (line,) = (line for line in first.lines if line.startswith(f"  {what}"))
        return line

    assert about("Graph 'missing'").endswith(
        f"Name the package that has 'a_package_of_ours' in the dependencies, then: graphjobs install {project.parent}"
    )
    assert about("Graph 'mistaken'").endswith(
        "has no attribute 'grap'. Did you mean './mine.py:graph', './mine.py:failing'?"
    )
    assert "JavaScript or TypeScript" in about("Graph 'script'") and "Take it out of langgraph.json" in about(
        "Graph 'script'"
    )
    assert "Set A_KEY_OF_OURS in the environment" in about("Graph 'keyless'")
    assert "the embeddings ./mine.py:absent cannot be had" in about("store.index:")
    assert "langgraph.json: not used by graphjobs: auth" in first.lines
    assert "langgraph.json: the env file absent.env is not there" in first.lines


def test_with_data_the_next_instance_has_the_jobs_and_goes_on_with_those_that_were_not_over(
    first: Ended, second: Target
) -> None:
    """Given kept data, when an instance ends in the middle of a job, then the next one finishes that job."""
    with User(second) as user:
        assert first.events[-1]["data"]["status"] == user.status(first.over)["status"] == "completed"
        assert user.follow(first.over) == first.events
        assert user.finished(first.cut)[-1]["data"]["status"] == "completed"


def test_an_instance_is_a_console_of_its_jobs_workers_and_files(second: Target, project: Path) -> None:
    """Given one worker, when it is lost, a graph fails or a file changes, then the work goes on and is told of."""
    state = second.need_state_dir()
    with User(second) as user:
        # A worker that is seen to die: no lease is waited for.
        lost = user.start(graph="slow", input={"seconds": 3})
        eventually(lambda: user.status(lost)["status"] == "running" and user.status(lost)["last_seq"] >= 1, "it runs")
        os.kill(second.facts()["pids"]["workers"][0], signal.SIGKILL)
        events = user.finished(lost)
        assert events[-1]["data"]["status"] == "completed"
        assert [event["data"]["attempt"] for event in events if event["type"] == "attempt"] == [2]
        # A graph that fails: the trace with the user's own file and line.
        failed = user.start(graph="bad", input={})
        assert user.finished(failed)[-1]["data"]["status"] == "failed"
        # A file that changes: the next job has it.
        source = project.parent / "mine.py"
        source.write_text(SLOW.replace('"one"', '"two"'))
        assert user.finished(user.start(graph="slow", input={}))[-1]["data"]["result"]["said"] == "two"
        # Two instances in one folder: the second is refused, the first goes on.
        another = subprocess.run(
            [sys.executable, "-m", "graphjobs.cli.main", "local", "--config", str(project), "--api-port", "0"],
            env={**os.environ, "GRAPHJOBS_STATE_DIR": str(state)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert another.returncode == 2
        assert "already" in another.stderr and another.stderr.count("\n") == 1
        assert user.status(lost)["status"] == "completed"
        # The emulator ends, and with it every job: loudly.
        os.kill(second.facts()["pids"]["emulator"], signal.SIGKILL)
    said = state / "stderr.out"
    for line in (
        "the emulator has ended (killed by SIGKILL)",
        f"killed by SIGKILL) while it had {lost}",
        f"{lost}  slow  completed",
        f'File "{source}", line',
        "RuntimeError: my own bug",
        "mine.py has changed",
    ):
        eventually(lambda line=line: line in said.read_text(), line)
