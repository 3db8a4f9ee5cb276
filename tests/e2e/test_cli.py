"""The command line, as a process, against the service."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from tests.e2e.user import User, eventually
from tests.e2e.wire import check_whole

pytestmark = pytest.mark.e2e

QUESTION = "환불 정책 알려줘"


class Cli:
    """Runs `graphjobs` as a user's shell would."""

    def __init__(self, user: User) -> None:
        target = user.target
        self.environ = {
            **os.environ,
            "GRAPHJOBS_API_URL": target.api_url,
            "GRAPHJOBS_STREAM_URL": target.stream_url,
            "GRAPHJOBS_TOKEN": target.token(user.name),
        }

    def __call__(self, *arguments: str, code: int = 0) -> str:
        """What `graphjobs` prints; it has to end with `code`."""
        done = subprocess.run(
            [sys.executable, "-m", "graphjobs.cli.main", *arguments],
            env=self.environ,
            capture_output=True,
            encoding="utf-8",
            timeout=90,
        )
        assert done.returncode == code, done.stderr
        token = self.environ.get("GRAPHJOBS_TOKEN", "")
        assert not token or token not in done.stdout + done.stderr
        return done.stdout

    def lines(self, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
        """The JSON lines that it prints."""
        return [json.loads(line) for line in self(*arguments, "--json", code=code).splitlines()]


@pytest.fixture
def cli(user: User) -> Cli:
    """The command line of the first user."""
    return Cli(user)


def test_a_job_is_submitted_and_followed_and_can_be_read_again_from_anywhere(cli: Cli, user: User) -> None:
    """Given `submit --stream`, then the log comes; the other commands show the rest of it, and the job."""
    events = cli.lines("submit", QUESTION, "--stream")
    job_id = user.newest()
    assert job_id is not None
    check_whole(events)
    user.check_log(job_id, events)
    assert cli.lines("stream", job_id, "--after", "5") == events[5:]
    assert cli.lines("stream", job_id, "--after", str(len(events))) == []
    [status] = cli.lines("status", job_id)
    assert status == user.status(job_id)
    [page] = cli.lines("list", "--limit", "1")
    assert [job["job_id"] for job in page["jobs"]] == [job_id]
    assert job_id in cli("list", "--status", "completed")


def test_the_answer_is_shown_as_text(cli: Cli) -> None:
    shown = cli("submit", QUESTION, "--stream")
    assert "환불" in shown
    assert shown.endswith("[completed]\n")


def test_a_running_job_is_cancelled(cli: Cli, user: User) -> None:
    """Given a running job, when cancelled, then following it ends with exit code 1."""
    [job] = cli.lines("submit", QUESTION, "--graph", "report", "--input", '{"delay_seconds": 30}')
    job_id = job["job_id"]
    user.target.secrets.add(job["stream_url"].partition("?ticket=")[2])
    eventually(lambda: user.status(job_id)["status"] == "running", "it runs")
    [answer] = cli.lines("cancel", job_id)
    assert answer["status"] in ("cancelling", "cancelled")
    events = cli.lines("stream", job_id, code=1)
    assert events[-1]["data"]["status"] == "cancelled"


def test_what_does_not_exist_is_one_line_and_exit_code_one(cli: Cli) -> None:
    missing = "job-00000000-0000-4000-8000-000000000000"
    for verb in ("status", "stream"):
        assert cli(verb, missing, code=1) == ""


def test_a_minted_token_is_accepted(cli: Cli, user: User) -> None:
    """Given a local instance, when a token is minted, then the service takes it as that user's."""
    cli.environ["GRAPHJOBS_STATE_DIR"] = str(user.target.need_state_dir())
    job_id = user.start(query="hello")
    del cli.environ["GRAPHJOBS_TOKEN"]
    for name, status in (("user-1", 200), ("user-2", 404)):
        token = cli("token", "--user", name).strip()
        user.target.secrets.add(token)
        answer = user.call("GET", f"/jobs/{job_id}/status", headers={"Authorization": f"Bearer {token}"})
        assert answer.status_code == status
    # Without any token in the environment the commands mint their own.
    assert job_id in cli("list", "--user", "user-1")
    assert job_id not in cli("list", "--user", "user-2")
