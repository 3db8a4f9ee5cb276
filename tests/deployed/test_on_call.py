"""Each paragraph of an alarm in OPERATIONS.md: its commands, word for word, run against the deployment."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from deploy import environment
from deploy.cdk import STACK
from deploy.steps import ROOT
from tests.deployed.deployment import Deployment
from tests.e2e.user import User
from tests.support.instance import described_target

REQUIREMENTS: Final = ROOT / "deploy" / "aws-cli.txt"
COMMAND_LINE: Final = ROOT / "build" / "aws-cli"

OPERATIONS: Final = (ROOT / "docs" / "OPERATIONS.md").read_text(encoding="utf-8")
PARAGRAPHS: Final = dict(re.findall(r"^### (\w+)\n(.*?)(?=^##)", OPERATIONS, re.MULTILINE | re.DOTALL))
"""By the names of the alarms."""

NOT_HERE: Final = {"Canary"}
"""The local deployment has none: the address of its token is Cognito's own, which the emulator is not."""

SEEN: Final = {
    "OldestMessage": "Enabled",
    "NobodyTakes": "Enabled",
    "FailureRate": "graph failed",
    "HourlyFailureRate": "graph failed",
    "StreamErrors": "ok",
    "StuckJobs": "graph_error",
    "ReconcilerSilent": '"ended"',
    "ReconcilerErrors": "graph_error",
    "TableThrottles": "EventsTable ReadThrottleEvents",
}
"""What the commands of a paragraph must show after one job that has failed; the others find nothing to show."""

UNKNOWN: Final = "sqs start-message-move-task"
"""An action that the emulator does not have."""

SECONDS: Final = 180.0

# The first version of the AWS command line knows no `logs tail`, and takes one service from elsewhere.
AWS: Final = r"""
aws() {
  echo "$*" >> "$RUN"
  if [ "$1 $2" = "logs tail" ]; then
    set -- logs filter-log-events --log-group-name "$3" --query 'events[].[message]' --output text
  fi
  command aws --endpoint-url "$AWS_ENDPOINT_URL" "$@" || echo "$*" >> "$REFUSED"
}
"""
BROKEN: Final = re.compile(
    r"^Traceback|command not found|unbound variable|syntax error|AccessDenied|^usage:", re.MULTILINE
)


def blocks(text: str) -> list[str]:
    """The blocks of shell commands in `text`."""
    return re.findall(r"^```sh\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Where a shell finds programs, the AWS command line first: the version that is pinned, on every machine."""
    python = environment.installed(COMMAND_LINE, REQUIREMENTS, tmp_path_factory.mktemp("aws-cli") / "log")
    return os.pathsep.join([str(python.parent), os.environ["PATH"]])


@pytest.fixture(scope="module")
def failed_job(deployment: Deployment) -> Iterator[str]:
    """A job that has failed; the stream is up."""
    with deployment.described() as described, User(described_target(described)) as user:
        job = user.start(graph="failing", input={"name": "x"})
        assert user.finished(job)[-1]["data"]["status"] == "failed"
        yield job


@pytest.mark.parametrize("alarm", sorted(PARAGRAPHS.keys() - NOT_HERE))
def test_the_commands_of_an_alarm_can_be_run_and_show_what_they_should(
    deployment: Deployment, path: str, failed_job: str, alarm: str, tmp_path: Path
) -> None:
    commands = [re.sub(r"\bJOB\b", failed_job, block) for block in blocks(PARAGRAPHS[alarm])]
    assert commands, "a paragraph without a command"
    first = re.sub(r"^STACK=.*$", f"STACK={STACK}", blocks(OPERATIONS)[0], flags=re.MULTILINE)
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "GRAPHJOBS_"))}
    run, refused = tmp_path / "run", tmp_path / "refused"
    done = subprocess.run(
        ["bash", "-u", "-c", "\n".join([first, AWS, *commands])],
        env={**inherited, **deployment.emulator.environ, "PATH": path, "RUN": str(run), "REFUSED": str(refused)},
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
        timeout=SECONDS,
        check=False,
    )
    commands_refused = refused.read_text(encoding="utf-8").splitlines() if refused.exists() else []
    assert [each for each in commands_refused if not each.startswith(UNKNOWN)] == [], done.stdout
    assert run.exists() or "admin" in "".join(commands), "nothing was asked"
    assert not BROKEN.search(done.stdout), done.stdout
    assert SEEN.get(alarm, "") in done.stdout, done.stdout
