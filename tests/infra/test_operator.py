"""The operator's policy in OPERATIONS.md is what the commands call, and nothing more."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import botocore.client
import pytest

from graphjobs.core import turns
from graphjobs.core.outcome import completed
from tests.infra.recorded import needed
from tests.support.backend import Backend
from tests.support.operator import Operator, operated
from tests.support.operator_policy import operator_policy
from tests.support.stack import make_stack
from tests.support.stores import stored
from tests.unit.lifecycle.steps import claimed

STACK = "graphjobs-test"
NOISE = random.Random(1).randbytes(300_000).hex()


def policy() -> dict[str, set[str]]:
    """The actions of the policy by the name of their statement."""
    return {each["Sid"]: set(each["Action"]) for each in operator_policy()["Statement"]}


def actions(service: str, operation: str, params: dict[str, Any]) -> set[str]:
    """What IAM asks for."""
    if service in ("cloudformation", "lambda", "logs"):
        return {f"{service}:{operation}"}
    return {action for action, _ in needed(service, operation, params)}


@pytest.fixture
def aws(tmp_path: Path) -> Iterator[Backend]:
    with operated(tmp_path) as fresh:
        make_stack(STACK, {name: value for name, value in fresh.environ.items() if name.startswith("GRAPHJOBS_")})
        yield fresh


@pytest.fixture
def called(
    aws: Backend, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., set[str]]:
    """Runs a command on the stack; the actions that it needed."""
    original = botocore.client.BaseClient._make_api_call  # type: ignore[attr-defined]

    def run(*arguments: str) -> set[str]:
        found: set[str] = set()

        def call(client: Any, operation: str, params: dict[str, Any]) -> Any:
            found.update(actions(client.meta.service_model.service_name, operation, params))
            return original(client, operation, params)

        with monkeypatch.context() as patch:
            patch.setattr(botocore.client.BaseClient, "_make_api_call", call)
            begin = () if arguments[0] == "logs" else ("admin",)
            ran = Operator(capsys, begin)(*arguments, "--stack", STACK)
        assert ran.code == 0, ran.err
        return found

    return run


def with_large_end(aws: Backend) -> str:
    """A job whose last slot is in S3."""
    job = aws.new_job()
    claim = claimed(aws, job)
    aws.claims.finish(claim, completed({"answer": NOISE}), claim.tail)
    return job.job_id


def test_to_look_and_to_change_need_just_what_the_policy_says(aws: Backend, called: Callable[..., set[str]]) -> None:
    said, job = policy(), aws.new_job()
    look = called("list") | called("list", "--owner", "user-1") | called("show", job.job_id)
    look |= called("show", with_large_end(aws)) | called("logs", job.job_id)
    assert look == said["Look"]
    change = called("requeue", job.job_id) | called("cancel", job.job_id) | called("purge", aws.new_job().job_id)
    assert change - said["Look"] == said["Change"]


def test_to_erase_needs_just_what_the_policy_says_too(aws: Backend, called: Callable[..., set[str]]) -> None:
    said = policy()
    with_large_end(aws)
    thread = turns.own_thread(aws.new_job(), None, aws.clock())
    aws.threads.commit(aws.threads.touched(thread, aws.clock()))
    aws.dynamodb.put_item(TableName="store", Item={"PK": {"S": "user-1"}, "SK": {"S": ".key"}})
    erased = called("erase", "--owner", "user-1", "--yes")
    aws.clock.advance(1201)
    erased |= called("erase", "--owner", "user-1", "--yes")
    assert not list(stored(aws))
    assert erased - said["Look"] - said["Change"] == said["Erase"]
