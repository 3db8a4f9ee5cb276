"""Who may do what. This table is the second copy of `infra.permissions`: a change of one is a change of both."""

from __future__ import annotations

from typing import Any

import pytest

from infra.permissions import WILDCARDS
from tests.infra.template import Template, arn_text, construct, listed

EVERY_FUNCTION = """
    logs:CreateLogStream        own logs
    logs:PutLogEvents           own logs
"""

ALLOWED = {
    "create_job": """
        dynamodb:GetItem                jobs
        dynamodb:PutItem                jobs
        dynamodb:UpdateItem             jobs
        dynamodb:PutItem                events
        dynamodb:Query                  events
        dynamodb:Query                  checkpoints
        s3:PutObject                    bucket/inputs/*
        sqs:SendMessage                 queue
        secretsmanager:GetSecretValue   ticket_secret
    """,
    "job_status": """
        dynamodb:GetItem    jobs
        dynamodb:Query      jobs/index/by_owner
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
        sqs:SendMessage     queue
    """,
    "stream_ticket": """
        dynamodb:GetItem                jobs
        dynamodb:UpdateItem             jobs
        secretsmanager:GetSecretValue   ticket_secret
    """,
    "threads": """
        dynamodb:GetItem        jobs
        dynamodb:UpdateItem     jobs
        dynamodb:Query          events
        dynamodb:BatchGetItem   checkpoints
        dynamodb:Query          checkpoints
        s3:GetObject            bucket/states/*
    """,
    "stream": """
        dynamodb:GetItem                jobs
        dynamodb:UpdateItem             jobs
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
        dynamodb:BatchGetItem           checkpoints
        dynamodb:PutItem                checkpoints
        dynamodb:Query                  checkpoints
        dynamodb:DeleteItem             store
        dynamodb:GetItem                store
        dynamodb:Query                  store
        dynamodb:Scan                   store
        dynamodb:UpdateItem             store
        s3:PutObject                    bucket/events/*
        s3:GetObject                    bucket/inputs/*
        s3:GetObject                    bucket/checkpoints/*
        s3:PutObject                    bucket/checkpoints/*
        s3:GetObject                    bucket/states/*
        s3:PutObject                    bucket/states/*
        sqs:ChangeMessageVisibility     queue
        sqs:DeleteMessage               queue
        sqs:GetQueueAttributes          queue
        sqs:ReceiveMessage              queue
        sqs:SendMessage                 queue
    """,
    "reconcile": """
        dynamodb:Query          jobs/index/active
        dynamodb:Query          jobs/index/by_owner
        dynamodb:DeleteItem     jobs
        dynamodb:GetItem        jobs
        dynamodb:UpdateItem     jobs
        dynamodb:BatchWriteItem events
        dynamodb:PutItem        events
        dynamodb:Query          events
        dynamodb:BatchWriteItem checkpoints
        dynamodb:Query          checkpoints
        s3:ListBucket           bucket
        s3:DeleteObject         bucket/events/*
        s3:DeleteObject         bucket/inputs/*
        s3:DeleteObject         bucket/states/*
        s3:DeleteObject         bucket/checkpoints/*
        sqs:SendMessage         queue
    """,
    "empty_bucket": """
        s3:ListBucket       bucket
        s3:DeleteObject     bucket/*
    """,
}

OF_THE_CANARY = {
    "canary": """
        secretsmanager:GetSecretValue   arn:aws:secretsmanager:us-east-1:123456789012:secret:canary-AbCdEf
    """,
}

BEHIND_API_GATEWAY = {
    "authorize_stream": """
        secretsmanager:GetSecretValue   ticket_secret
    """,
}

TRACING = {"xray:PutTelemetryRecords", "xray:PutTraceSegments"}
elsewhere_key = "arn:aws:kms:eu-west-1:123456789012:key/11111111-2222-3333-4444-555555555555"
WHERE_OTHERS_ARE_TOLD = {
    "publish_status": """
        dynamodb:DescribeStream     jobs/stream/*
        dynamodb:GetRecords         jobs/stream/*
        dynamodb:GetShardIterator   jobs/stream/*
        dynamodb:ListStreams        jobs/stream/*
        events:PutEvents            arn:<AWS::Partition>:events:<AWS::Region>:<AWS::AccountId>:event-bus/default
        sqs:SendMessage             webhooks
        sqs:SendMessage             untold
    """,
    "deliver_webhook": """
        dynamodb:GetItem                jobs
        sqs:ChangeMessageVisibility     webhooks
        sqs:DeleteMessage               webhooks
        sqs:GetQueueAttributes          webhooks
        sqs:ReceiveMessage              webhooks
        secretsmanager:GetSecretValue   webhook_secret
    """,
}

INVOKE = ("bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream")


def table(name: str, allowed: dict[str, str] = ALLOWED) -> set[tuple[str, str]]:
    lines = (EVERY_FUNCTION + allowed[name]).strip().splitlines()
    own_logs = "logs:" + construct(name).removeprefix("Functions")
    pairs = (line.split(maxsplit=1) for line in lines if line.strip())
    return {(action, own_logs if on.strip() == "own logs" else on.strip()) for action, on in pairs}


@pytest.mark.parametrize("name", ALLOWED)
def test_each_role_allows_exactly_this(template: Template, name: str) -> None:
    assert template.role(name) == table(name)


@pytest.mark.parametrize("name", WHERE_OTHERS_ARE_TOLD)
def test_those_who_tell_others_have_roles_only_where_they_are_asked_for(
    template: Template, production: Template, name: str
) -> None:
    assert name not in template.functions()
    assert production.role(name) == table(name, WHERE_OTHERS_ARE_TOLD)


@pytest.mark.parametrize("name", OF_THE_CANARY)
def test_a_canary_may_read_its_credentials_and_nothing_else(
    template: Template, production: Template, name: str
) -> None:
    assert name not in template.functions()
    assert production.role(name) == table(name, OF_THE_CANARY)


@pytest.mark.parametrize("name", BEHIND_API_GATEWAY)
def test_an_authorizer_is_where_an_api_gateway_is_and_may_read_the_ticket_keys_alone(
    template: Template, fronted: Template, name: str
) -> None:
    assert name not in template.functions()
    assert fronted.role(name) == table(name, BEHIND_API_GATEWAY)
    assert fronted.functions() == sorted([*ALLOWED, *BEHIND_API_GATEWAY])


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


def test_in_production_only_the_reconciler_deletes(production: Template) -> None:
    """What a user has deleted; beside it messages, and what a graph itself asks the store to forget."""
    deletes = {
        name: {pair for pair in production.role(name) if "Delete" in pair[0] or "BatchWrite" in pair[0]}
        for name in production.functions()
    }
    deletes = {name: {pair for pair in pairs if pair[0] != "sqs:DeleteMessage"} for name, pairs in deletes.items()}
    assert deletes.pop("worker") == {("dynamodb:DeleteItem", "store")}
    assert ("s3:DeleteObject", "bucket/events/*") in deletes.pop("reconcile")
    assert not any(deletes.values())


def allowed(template: Template) -> list[dict[str, Any]]:
    """Every statement of any policy in the template, of a role or of a resource, that allows something."""
    roles = [role["Properties"]["Policies"] for role in template.of_type("AWS::IAM::Role").values()]
    documents = [policy["PolicyDocument"] for policies in roles for policy in policies]
    properties = [resource.get("Properties", {}) for resource in template.resources.values()]
    documents += [each["PolicyDocument"] for each in properties if "PolicyDocument" in each]
    return [item for document in documents for item in document["Statement"] if item["Effect"] == "Allow"]


@pytest.mark.parametrize(
    ("stage", "unused"),
    [
        ("template", {"bedrock", "*", "jobs/stream/*"}),
        ("production", {"bucket/*", "*"}),
        ("elsewhere", {"bedrock", "jobs/stream/*"}),
    ],
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
            assert set(listed(item["Action"])) == TRACING


@pytest.mark.parametrize("name", ALLOWED)
def test_tracing_and_a_key_of_ones_own_add_just_what_they_need(elsewhere: Template, name: str) -> None:
    if name == "worker":
        return  # has the configured secrets besides: below
    assert elsewhere.role(name) == table(name) | {(action, "*") for action in TRACING} | {
        (f"kms:{action}", elsewhere_key)
        for action in ("Decrypt", "DescribeKey", "Encrypt", "GenerateDataKey", "ReEncryptFrom", "ReEncryptTo")
    }


def test_the_worker_may_read_the_configured_secrets_and_no_other(template: Template, elsewhere: Template) -> None:
    secrets = {resource for action, resource in elsewhere.role("worker") if action == "secretsmanager:GetSecretValue"}
    assert secrets == {
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:keys-AbCdEf",
        "arn:aws:secretsmanager:eu-west-1:123456789012:secret:other-123456",
    }
    assert not [pair for pair in template.role("worker") if pair[0].startswith("secretsmanager:")]


def test_a_model_of_bedrock_is_all_that_a_production_worker_may_do_besides(production: Template) -> None:
    profile = "arn:<AWS::Partition>:bedrock:<AWS::Region>:<AWS::AccountId>:inference-profile/eu.maker.model-v1:0"
    models = "arn:<AWS::Partition>:bedrock:*::foundation-model/maker.model-v1:0"
    extra = {(action, arn) for arn in (profile, models) for action in INVOKE}
    extra.add(("bedrock:GetInferenceProfile", profile))
    assert production.role("worker") == table("worker") | extra


@pytest.mark.parametrize("name", [name for name in ALLOWED if name not in ("worker", "empty_bucket")])
def test_production_allows_no_other_function_anything_else(production: Template, name: str) -> None:
    assert production.role(name) == table(name)
