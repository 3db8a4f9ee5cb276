"""Who may do what. This table is the second copy of `infra.permissions`: a change of one is a change of both."""

from __future__ import annotations

from typing import Any

import pytest

from infra.config import Config
from infra.permissions import WILDCARDS, bedrock_statement
from tests.infra.template import Template, arn_text, construct, listed

EVERY_FUNCTION = """
    logs:CreateLogStream        own logs
    logs:PutLogEvents           own logs
    xray:PutTelemetryRecords    *
    xray:PutTraceSegments       *
"""

ALLOWED = {
    "create_job": """
        dynamodb:GetItem                jobs
        dynamodb:PutItem                jobs
        dynamodb:UpdateItem             jobs
        sqs:SendMessage                 queue
        secretsmanager:GetSecretValue   ticket_secret
    """,
    "job_status": """
        dynamodb:GetItem    jobs
        dynamodb:Query      events
        s3:GetObject        bucket/events/*
    """,
    "list_jobs": """
        dynamodb:Query      jobs/index/by_owner
    """,
    "cancel_job": """
        dynamodb:GetItem    jobs
        dynamodb:UpdateItem jobs
        dynamodb:PutItem    events
        dynamodb:Query      events
    """,
    "stream_ticket": """
        dynamodb:GetItem                jobs
        secretsmanager:GetSecretValue   ticket_secret
    """,
    "stream": """
        dynamodb:GetItem                jobs
        dynamodb:BatchGetItem           events
        dynamodb:GetItem                events
        dynamodb:Query                  events
        s3:GetObject                    bucket/events/*
        secretsmanager:GetSecretValue   ticket_secret
    """,
    "worker": """
        dynamodb:GetItem                jobs
        dynamodb:UpdateItem             jobs
        dynamodb:GetItem                events
        dynamodb:PutItem                events
        dynamodb:Query                  events
        dynamodb:GetItem                checkpoints
        dynamodb:PutItem                checkpoints
        dynamodb:Query                  checkpoints
        s3:PutObject                    bucket/events/*
        s3:GetObject                    bucket/checkpoints/*
        s3:PutObject                    bucket/checkpoints/*
        s3:PutObjectTagging             bucket/checkpoints/*
        sqs:ChangeMessageVisibility     queue
        sqs:DeleteMessage               queue
        sqs:GetQueueAttributes          queue
        sqs:ReceiveMessage              queue
        sqs:SendMessage                 queue
    """,
    "reconcile": """
        dynamodb:Query      jobs/index/active
        dynamodb:GetItem    jobs
        dynamodb:UpdateItem jobs
        dynamodb:PutItem    events
        dynamodb:Query      events
        sqs:SendMessage     queue
    """,
    "empty_bucket": """
        s3:ListBucket       bucket
        s3:DeleteObject     bucket/*
    """,
}

INVOKE = ("bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream")


def table(name: str) -> set[tuple[str, str]]:
    lines = (EVERY_FUNCTION + ALLOWED[name]).strip().splitlines()
    own_logs = "logs:" + construct(name).removeprefix("Functions")
    pairs = (line.split(maxsplit=1) for line in lines if line.strip())
    return {(action, own_logs if on.strip() == "own logs" else on.strip()) for action, on in pairs}


@pytest.mark.parametrize("name", ALLOWED)
def test_each_role_allows_exactly_this(template: Template, name: str) -> None:
    assert template.role(name) == table(name)


def test_every_function_has_a_row_and_a_role_of_its_own(template: Template) -> None:
    assert template.functions() == sorted(ALLOWED)
    roles = [str(item["Properties"]["Role"]) for item in template.of_type("AWS::Lambda::Function").values()]
    assert len(set(roles)) == len(ALLOWED) == len(template.of_type("AWS::IAM::Role"))


def test_nothing_is_allowed_beside_the_roles_own_policies(template: Template) -> None:
    for role in template.of_type("AWS::IAM::Role").values():
        assert "ManagedPolicyArns" not in role["Properties"]
    assert not template.of_type("AWS::IAM::Policy")
    assert not template.of_type("AWS::IAM::ManagedPolicy")


def test_the_configured_policies_are_the_workers_and_nobody_elses(elsewhere: Template) -> None:
    worker = elsewhere.logical_id("AWS::IAM::Role", construct("worker") + "Role")
    managed = {
        name: role["Properties"]["ManagedPolicyArns"]
        for name, role in elsewhere.of_type("AWS::IAM::Role").items()
        if "ManagedPolicyArns" in role["Properties"]
    }
    policies = ["arn:aws:iam::123456789012:policy/mine", "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess"]
    assert managed == {worker: policies}


def test_a_production_stage_has_no_function_that_deletes(production: Template) -> None:
    actions = {action for name in production.functions() for action, _ in production.role(name)}
    assert not {action for action in actions if "Delete" in action} - {"sqs:DeleteMessage"}


def allowed(template: Template) -> list[dict[str, Any]]:
    """Every statement of any policy in the template, of a role or of a resource, that allows something."""
    roles = [role["Properties"]["Policies"] for role in template.of_type("AWS::IAM::Role").values()]
    documents = [policy["PolicyDocument"] for policies in roles for policy in policies]
    properties = [resource.get("Properties", {}) for resource in template.resources.values()]
    documents += [each["PolicyDocument"] for each in properties if "PolicyDocument" in each]
    return [item for document in documents for item in document["Statement"] if item["Effect"] == "Allow"]


@pytest.mark.parametrize(
    ("stage", "unused"), [("template", {"bedrock"}), ("production", {"bucket/*"}), ("elsewhere", {"bedrock"})]
)
def test_each_wildcard_of_a_policy_is_listed_with_its_reason_and_no_other(
    stage: str, unused: set[str], request: pytest.FixtureRequest
) -> None:
    found: Template = request.getfixturevalue(stage)
    wild = {arn_text(arn) for item in allowed(found) for arn in listed(item["Resource"]) if "*" in arn_text(arn)}
    assert {"bedrock" if "foundation-model" in arn else arn for arn in wild} == set(WILDCARDS) - unused
    assert all(len(reason.split()) > 4 for reason in WILDCARDS.values())


@pytest.mark.parametrize("stage", ["template", "production", "elsewhere"])
def test_a_policy_allows_named_actions_and_all_resources_only_where_aws_knows_no_other(
    stage: str, request: pytest.FixtureRequest
) -> None:
    for item in allowed(request.getfixturevalue(stage)):
        assert not any("*" in action for action in listed(item["Action"]))
        assert item.get("Principal") not in ("*", {"AWS": "*"})
        if "*" in listed(item["Resource"]):
            assert set(listed(item["Action"])) == {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        ("openai:gpt", set()),
        (
            "bedrock_converse:maker.model-v1:0",
            {"arn:aws:bedrock:us-east-1::foundation-model/maker.model-v1:0"},
        ),
        (
            "bedrock_converse:eu.maker.model-v1:0",
            {
                "arn:aws:bedrock:us-east-1:1:inference-profile/eu.maker.model-v1:0",
                "arn:aws:bedrock:*::foundation-model/maker.model-v1:0",
            },
        ),
        ("bedrock:arn:aws:bedrock:eu-west-1::foundation-model/m", {"arn:aws:bedrock:eu-west-1::foundation-model/m"}),
    ],
)
def test_the_worker_may_call_the_configured_model_and_no_other(model: str, expected: set[str]) -> None:
    statement = bedrock_statement(Config(model=model), "aws", "us-east-1", "1")
    assert set(statement.resources if statement else ()) == expected
    assert set(statement.actions if statement else INVOKE) == set(INVOKE)


def test_a_model_of_bedrock_is_all_that_a_production_worker_may_do_besides(production: Template) -> None:
    profile = "arn:<AWS::Partition>:bedrock:<AWS::Region>:<AWS::AccountId>:inference-profile/eu.maker.model-v1:0"
    models = "arn:<AWS::Partition>:bedrock:*::foundation-model/maker.model-v1:0"
    extra = {(action, arn) for arn in (profile, models) for action in INVOKE}
    assert production.role("worker") == table("worker") | extra


@pytest.mark.parametrize("name", [name for name in ALLOWED if name not in ("worker", "empty_bucket")])
def test_production_allows_no_other_function_anything_else(production: Template, name: str) -> None:
    assert production.role(name) == table(name)
