"""How `graphjobs admin` finds the deployment that is meant."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path

import pytest

from graphjobs.aws import clients
from graphjobs.cli.main import main
from graphjobs.core.manifest import FUNCTIONS
from graphjobs.local.supervisor import _worker_settings
from graphjobs.testing.aws import client
from tests.support.backend import Backend
from tests.support.operator import Operator
from tests.support.stack import make_stack

VARIABLES = [f"GRAPHJOBS_{name.upper()}" for name in FUNCTIONS["worker"].needs]


@pytest.fixture
def unnamed(aws: Backend, monkeypatch: pytest.MonkeyPatch) -> Backend:
    """The backend, which no variable names."""
    for name in [name for name in os.environ if name.startswith("GRAPHJOBS_")]:
        monkeypatch.delenv(name)
    return aws


@pytest.fixture
def deployed(unnamed: Backend) -> Backend:
    """The backend, of a stack."""
    variables = {name: unnamed.environ[name] for name in VARIABLES} | {"GRAPHJOBS_MAX_ATTEMPTS": "7"}
    make_stack("graphjobs-test", variables)
    return unnamed


def test_a_stacks_worker_says_where_everything_is(deployed: Backend, admin: Operator) -> None:
    job = deployed.new_job()
    ran = admin("list", "--stack", "graphjobs-test", "--json")
    assert [each["job_id"] for each in json.loads(ran.out)] == [job.job_id]


def test_its_bounds_are_those_of_the_stack(deployed: Backend, admin: Operator) -> None:
    job = deployed.new_job()
    for _ in range(3):
        deployed.claims.claim(job.job_id, model=None)
        deployed.clock.advance(deployed.settings.lease_seconds + 1)
    assert "attempt 4 of 7" in admin("show", job.job_id, "--stack", "graphjobs-test").out
    assert admin("requeue", job.job_id, "--stack", "graphjobs-test").code == 0


def test_a_stack_comes_before_the_environment(
    deployed: Backend, admin: Operator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GRAPHJOBS_JOBS_TABLE", "another")
    assert admin("list", "--stack", "graphjobs-test").code == 0
    ran = admin("list")
    assert (ran.code, ran.err) == (2, "graphjobs: GRAPHJOBS_EVENTS_TABLE is not set.\n")


def test_no_such_stack_is_one_line(deployed: Backend, admin: Operator) -> None:
    ran = admin("list", "--stack", "graphjobs-nowhere")
    assert (ran.code, ran.out) == (1, "")
    assert "graphjobs-nowhere does not exist" in ran.err
    assert len(ran.err.splitlines()) == 1


def test_a_stack_of_something_else_is_one_line(deployed: Backend, admin: Operator) -> None:
    topic = json.dumps({"Resources": {"Topic": {"Type": "AWS::SNS::Topic"}}})
    client("cloudformation").create_stack(StackName="other", TemplateBody=topic)
    ran = admin("list", "--stack", "other")
    assert (ran.code, ran.err) == (
        2,
        "graphjobs: The stack other has no worker: it is no deployment of graphjobs.\n",
    )


def test_nothing_configured_is_one_line(unnamed: Backend, admin: Operator) -> None:
    ran = admin("list")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("graphjobs: No deployment is named: give --stack")


def test_the_local_instance_of_the_folder_says_where_its_tables_are(
    unnamed: Backend, admin: Operator, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(clients.ENDPOINT_VARIABLE, "")  # so that what is set is taken back
    facts = {"aws_endpoint_url": "http://127.0.0.1:1", "settings": _worker_settings(unnamed.environ)}
    (tmp_path / ".graphjobs").mkdir()
    (tmp_path / ".graphjobs" / "local.json").write_text(json.dumps(facts), encoding="utf-8")
    job = unnamed.new_job()
    assert job.job_id in admin("list").out
    assert clients.endpoint() == "http://127.0.0.1:1"


@pytest.mark.parametrize("text", ["{}", "[]", "no JSON"])
def test_a_state_file_that_does_not_say_so_is_one_line(
    unnamed: Backend, admin: Operator, tmp_path: Path, text: str
) -> None:
    (tmp_path / ".graphjobs").mkdir()
    (tmp_path / ".graphjobs" / "local.json").write_text(text, encoding="utf-8")
    ran = admin("list")
    assert ran.code == 2
    assert len(ran.err.splitlines()) == 1
    assert "local.json" in ran.err


def test_without_boto3_it_is_one_line_and_all_else_works(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "graphjobs.admin.command", None)
    assert main(["admin", "list"]) == 2
    err = capsys.readouterr().err
    assert err.startswith("graphjobs: This needs more than is installed (")
    assert err.endswith("install graphjobs[admin].\n")
    assert main(["--help"]) == 0
