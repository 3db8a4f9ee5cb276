"""``graphjobs local`` as other programs start it: it leaves nothing behind."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import GRAPHS
from tests.e2e.user import User, eventually
from tests.support.instance import VARIABLE, local_target

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


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "mine.py").write_text(SLOW)
    path = folder / "langgraph.json"
    path.write_text(
        json.dumps({"dependencies": ["."], "graphs": {"slow": "./mine.py:graph", "bad": "./mine.py:failing"}})
    )
    return path


def test_an_instance_is_a_console_of_its_jobs_workers_and_files(tmp_path: Path, project: Path) -> None:
    """Given one worker, when it is lost, a graph fails or a file changes, then the work goes on and is told of."""
    state = tmp_path / "state"
    with local_target(state, project, workers=1) as target, User(target) as user:
        # A worker that is seen to die: no lease is waited for.
        lost = user.start(graph="slow", input={"seconds": 3})
        eventually(lambda: user.status(lost)["status"] == "running" and user.status(lost)["last_seq"] >= 1, "it runs")
        os.kill(target.facts()["pids"]["workers"][0], signal.SIGKILL)
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
        second = subprocess.run(
            [sys.executable, "-m", "graphjobs.cli.main", "local", "--config", str(project), "--api-port", "0"],
            env={**os.environ, "GRAPHJOBS_STATE_DIR": str(state)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert second.returncode == 2
        assert "already" in second.stderr and second.stderr.count("\n") == 1
        assert user.status(lost)["status"] == "completed"
        # The emulator ends, and with it every job: loudly.
        os.kill(target.facts()["pids"]["emulator"], signal.SIGKILL)
        said = state / "stderr.out"
        eventually(lambda: "the emulator has ended (killed by SIGKILL)" in said.read_text(), "the end is said")
    console = (state / "stderr.out").read_text()
    assert f"killed by SIGKILL) while it had {lost}" in console
    assert f"{lost}  slow  completed" in console
    assert f'File "{source}", line' in console and "RuntimeError: my own bug" in console
    assert "mine.py has changed" in console


def test_with_data_the_next_instance_has_the_jobs_and_goes_on_with_those_that_were_not_over(
    tmp_path: Path, project: Path
) -> None:
    """Given kept data, when an instance ends in the middle of a job, then the next one finishes that job."""
    state, data = tmp_path / "state", str(tmp_path / "data")
    with local_target(state, project, workers=1, keep_in=data) as target, User(target) as user:
        over = user.start(graph="slow", input={})
        events = user.finished(over)
        cut = user.start(graph="slow", input={"seconds": 2})
        eventually(lambda: user.status(cut)["status"] == "running", "it runs")
    with local_target(state, project, workers=1, keep_in=data) as target, User(target) as user:
        assert user.status(over)["status"] == "completed"
        assert user.follow(over) == events
        assert user.finished(cut)[-1]["data"]["status"] == "completed"


FIVE = {
    "good": "./mine.py:graph",
    "missing": "./needs_package.py:graph",
    "mistaken": "./mine.py:grap",
    "script": "./agent.ts:graph",
    "keyless": "./needs_key.py:graph",
}


def test_the_start_says_of_each_graph_whether_it_is_served_and_why_not(tmp_path: Path, project: Path) -> None:
    """Given graphs of which one can be loaded, then it is served, and each other one is a line with what to do."""
    files = {
        "needs_package.py": "import a_package_of_ours\n",
        "agent.ts": "",
        "needs_key.py": "import os\nKEY = os.environ['A_KEY_OF_OURS']\n",
    }
    for name, text in files.items():
        (project.parent / name).write_text(text)
    index = {"dims": 2, "embed": "./mine.py:absent"}
    content = {"dependencies": ["."], "graphs": FIVE, "store": {"index": index}, "auth": {}, "env": "absent.env"}
    project.write_text(json.dumps(content))
    state = tmp_path / "state"
    with local_target(state, project, workers=1) as target, User(target) as user:
        said = state / "stderr.out"
        eventually(lambda: "graphs that are served: good" in said.read_text(), "the report")
        assert user.finished(user.start(graph="good", input={}))[-1]["data"]["status"] == "completed"
        failed = user.finished(user.start(graph="mistaken", input={}))[-1]["data"]
        assert failed["error"]["code"] == "graph_unavailable"
    lines = (state / "stderr.out").read_text().splitlines()

    def about(what: str) -> str:
        (line,) = (line for line in lines if line.startswith(f"  {what}"))
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
    assert "langgraph.json: not used by graphjobs: auth" in lines
    assert "langgraph.json: the env file absent.env is not there" in lines
