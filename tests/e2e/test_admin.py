"""`graphjobs admin` as a process, against a local instance: it looks past HTTP, at what is stored."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from typing import Any

import pytest

from tests.e2e.user import User, eventually

pytestmark = pytest.mark.e2e


class Operator:
    """Runs `graphjobs` as the operator of a local instance would: in its folder, and with no token."""

    def __init__(self, user: User) -> None:
        self.environ = {name: value for name, value in os.environ.items() if not name.startswith("GRAPHJOBS_")}
        self.environ["GRAPHJOBS_STATE_DIR"] = str(user.target.need_state_dir())

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """What it prints, errors too; it has to end with `code`."""
        done = subprocess.run(
            [sys.executable, "-m", "graphjobs.cli.main", *arguments],
            env=self.environ,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            encoding="utf-8",
            timeout=90,
        )
        assert done.returncode == code, done.stdout
        return done.stdout

    def json(self, *arguments: str) -> Any:
        """The JSON that it prints."""
        return json.loads(self(*arguments, "--json"))


@pytest.fixture
def operator(user: User) -> Operator:
    """The operator of the instance."""
    return Operator(user)


def test_an_operator_sees_the_jobs_of_all_and_ends_and_deletes_one(
    operator: Operator, user: User, stranger: User
) -> None:
    user.target.need_graph("nap")
    running = user.start(graph="nap", input={"name": "long", "seconds": 60})
    other = stranger.start(graph="fast", input={"name": "other"})
    stranger.finished(other)
    eventually(lambda: user.status(running)["status"] == "running", "the job runs")

    listed = {job["job_id"]: job["owner"] for job in operator.json("admin", "list", "--limit", "100")}
    assert (listed[running], listed[other]) == ("user-1", "user-2")
    assert operator("admin", "requeue", running, code=1).startswith(
        f"graphjobs: {running} is not sent again: a worker has it"
    )
    assert "cancelling" in operator("admin", "cancel", running)
    assert user.finished(running)[-1]["data"]["status"] == "cancelled"
    assert operator.json("admin", "show", running)["next"] == "it has ended as cancelled"

    assert "deleted" in operator("admin", "purge", other)
    assert stranger.call("GET", f"/jobs/{other}/status").status_code == 404
    assert user.status(running)["status"] == "cancelled", "nobody else's"


def test_logs_tell_that_a_worker_was_lost_and_what_became_of_its_job(operator: Operator, user: User) -> None:
    """Given a worker that is killed under its job, then its life has the loss, the second attempt and the end."""
    user.target.need_graph("nap")
    job = user.start(graph="nap", input={"name": "killed", "seconds": 3})
    with user.stream(job) as connection:
        event = connection.until(lambda wire: any(event["type"] == "awake" for event in wire.events)).events[-1]
        os.kill(event["data"]["pid"], signal.SIGKILL)
    assert user.finished(job)[-1]["data"]["status"] == "completed"

    def told() -> list[dict[str, Any]]:
        return [json.loads(line) for line in operator("logs", job, "--json").splitlines()]

    eventually(lambda: any(moment["what"] == "finished" for moment in told()), "the worker has logged the end")
    life = told()
    what = [(moment["source"].partition("-")[0], moment["what"]) for moment in life]
    for moment in (("row", "created"), ("events", "attempt"), ("row", "completed"), ("worker", "finished")):
        assert moment in what
    assert what.count(("worker", "claimed")) == 2
    (ended,) = (moment for moment in life if moment["what"] == "the process of a worker has ended")
    assert (ended["source"], ended["exit"]) == ("workers", "killed by SIGKILL")
    (lost,) = (moment for moment in life if moment["what"] == "a worker was lost")
    assert (lost["level"], lost["epoch"], lost["attempt"]) == ("WARNING", 1, 1)
    again = [moment for moment in life if moment["what"] == "claimed"][1]
    assert (again["epoch"], again["attempt"], again["left"]) == (2, 2, "lost")
