"""The check of the roles sees a role that allows too much, and one that allows too little."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from deploy import roles
from deploy.roles import OF_A_STREAM, PROBES, STREAM, Probe, check_roles
from deploy.steps import Failed
from graphjobs.core.manifest import FUNCTIONS
from infra.permissions import PERMISSIONS

OUTPUTS = {"PayloadBucket": "payloads", "JobsTable": "jobs"}


def refuse(code: str) -> Callable[..., object]:
    def call(*given: Any) -> object:
        raise ClientError({"Error": {"Code": code, "Message": ""}}, "Call")

    return call


class Administrator:
    """A client that can do the little that is asked of it; roles are called as their functions."""

    def __init__(self, wrong: tuple[str, str, str] | None) -> None:
        self.wrong = wrong

    def describe_table(self, **given: Any) -> dict[str, Any]:
        return {"Table": {"LatestStreamArn": f"{given['TableName']}/stream/1"}}

    def simulate_principal_policy(self, **given: Any) -> dict[str, Any]:
        function, (action,) = given["PolicySourceArn"], given["ActionNames"]
        assert given["ResourceArns"] == ["jobs/stream/1"]
        listed = action in PERMISSIONS[function].get(STREAM, ())
        may = listed is not ((function, STREAM, action) == self.wrong)
        return {"EvaluationResults": [{"EvalDecision": "allowed" if may else "implicitDeny"}]}

    def put_object(self, **given: Any) -> None:
        assert given["Key"].endswith("/probe")


def check(monkeypatch: pytest.MonkeyPatch, wrong: tuple[str, str, str] | None = None) -> int:
    """Check against an account whose roles are as listed, but for the one call in `wrong`."""

    def as_role(function: str) -> Any:
        return function

    def probe(original: Probe) -> Probe:
        def call(function: Any, outputs: Any) -> object:
            listed = original.action in PERMISSIONS[function].get(original.resource, ())
            may = listed is not ((function, original.resource, original.action) == wrong)
            return None if may else refuse("AccessDeniedException")()

        return Probe(original.resource, original.action, call)

    monkeypatch.setattr(roles, "PROBES", tuple(map(probe, PROBES)))
    return check_roles(
        lambda service: Administrator(wrong), as_role, {function: function for function in FUNCTIONS}, OUTPUTS
    )


def test_roles_as_listed_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    assert check(monkeypatch) == len(FUNCTIONS) * (len(PROBES) + len(OF_A_STREAM))


def test_an_action_too_many_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Failed, match="stream can dynamodb:PutItem on events"):
        check(monkeypatch, ("stream", "events", "dynamodb:PutItem"))


@pytest.mark.parametrize("name", OF_A_STREAM)
def test_an_action_of_the_tables_stream_is_tried_too(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    for function, may in (("publish_status", "cannot"), ("worker", "can")):
        with pytest.raises(Failed, match=f"{function} {may} dynamodb:{name} on jobs/stream"):
            check(monkeypatch, (function, STREAM, f"dynamodb:{name}"))


def test_an_action_too_few_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(Failed, match="worker cannot sqs:SendMessage on queue"):
        check(monkeypatch, ("worker", "queue", "sqs:SendMessage"))


@pytest.mark.parametrize(
    ("code", "let_in"),
    [("AccessDenied", False), ("AccessDeniedException", False), ("ConditionalCheckFailedException", True)],
)
def test_a_call_that_fails_otherwise_has_been_let_in(code: str, let_in: bool) -> None:
    assert roles.allowed(Probe("events", "any", refuse(code)), lambda service: None, OUTPUTS) is let_in


def test_every_data_action_that_is_listed_is_tried_or_proven_by_a_job() -> None:
    """A listed action without a probe is one that a job cannot run without."""
    tried = {(probe.resource, probe.action) for probe in PROBES}
    tried |= {(STREAM, f"dynamodb:{name}") for name in OF_A_STREAM}
    listed = {
        (resource, action)
        for function, spec in FUNCTIONS.items()
        if spec.part in ("", "notify")  # the others are not deployed to the emulator
        for resource, actions in PERMISSIONS[function].items()
        for action in actions
    }
    assert {action for _, action in listed - tried} <= {"s3:PutObject"}
