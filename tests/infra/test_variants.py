"""Each kind of deployment that the documents offer is clean, by cdk-nag and cfn-lint, and is what was asked for.

`make synth` runs these, and not the suite: each is a synthesis of its own. `synth` fails on a finding of cdk-nag; what
more is to be said of a variant is said where its subject is tested.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.infra.conftest import Synth
from tests.infra.template import Template

ROOT = Path(__file__).parents[2]
ACL = "arn:aws:wafv2:us-east-1:123456789012:regional/webacl/all/11111111-2222-3333-4444-555555555555"
CANARY = "arn:aws:secretsmanager:us-east-1:123456789012:secret:canary-AbCdEf"
APPLICATION = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abc123"


def variables(template: Template, function: str) -> dict[str, Any]:
    return template.environment(function)


def may(template: Template, function: str) -> set[str]:
    """The actions that a function's role allows."""
    return {action for action, _ in template.role(function)}


def snapshots(template: Template) -> set[str]:
    """The functions with SnapStart."""
    return {name for name in template.functions() if "SnapStart" in template.function(name)}


VARIANTS: dict[str, tuple[dict[str, Any], Callable[[Template], object]]] = {
    "dev": ({}, lambda t: not snapshots(t) and t.of_type("AWS::Cognito::UserPool")),
    "prod": (
        {"stage": "prod", "account_concurrency": 1000},
        lambda t: all(
            table["DeletionPolicy"] == "Retain" for table in t.of_type("AWS::DynamoDB::GlobalTable").values()
        ),
    ),
    "a stage of prod's name in full": ({"stage": "production"}, lambda t: t.function("worker")["MemorySize"] == 512),
    "rest_api": (
        {"stream_front": "rest_api", "web_acl_arn": ACL},
        lambda t: not t.of_type("AWS::Lambda::Url") and t.of_type("AWS::WAFv2::WebACLAssociation"),
    ),
    "rest_api in prod, with traces": (
        {"stage": "prod", "stream_front": "rest_api", "xray": True, "account_concurrency": 1000},
        lambda t: t.only("AWS::ApiGateway::Stage")["Properties"]["TracingEnabled"],
    ),
    "rest_api for nobody's pages": (
        {"stream_front": "rest_api", "cors_origins": []},
        lambda t: "GRAPHJOBS_STREAM_CORS_ORIGINS" not in variables(t, "stream"),
    ),
    "rest_api, own issuer and address": (
        {
            "stream_front": "rest_api",
            "issuer": "https://issuer.example.com",
            "audience": "app",
            "stream_url": "https://stream.example.com",
        },
        lambda t: (
            variables(t, "authorize_stream")["GRAPHJOBS_OIDC_AUDIENCE"] == "app"
            and variables(t, "create_job")["GRAPHJOBS_STREAM_URL"] == "https://stream.example.com"
        ),
    ),
    "SnapStart": ({"snap_start": True}, lambda t: {"worker", "stream", "create_job"} <= snapshots(t)),
    "own issuer": (
        {"issuer": "https://issuer.example.com", "audience": "app"},
        lambda t: not t.of_type("AWS::Cognito::UserPool"),
    ),
    "Bedrock by a model's id": (
        {"model": "bedrock_converse:maker.model-v1:0"},
        lambda t: "bedrock:InvokeModel" in may(t, "worker") and "bedrock:GetInferenceProfile" not in may(t, "worker"),
    ),
    "Bedrock by a profile": (
        {"model": "bedrock_converse:eu.maker.model-v1:0"},
        lambda t: "bedrock:GetInferenceProfile" in may(t, "worker"),
    ),
    "Bedrock by a profile of an application": (
        {"model": f"bedrock_converse:{APPLICATION}"},
        lambda t: "bedrock:GetInferenceProfile" in may(t, "worker"),
    ),
    "an image": (
        {"worker_package": "image"},
        lambda t: t.function("worker")["PackageType"] == "Image",
    ),
    "events and webhooks": (
        {"event_bus": "default", "webhooks": True},
        lambda t: {"publish_status", "deliver_webhook"} <= set(t.functions()),
    ),
    "a graph that begins again": (
        {"on_new_version": "restart"},
        lambda t: variables(t, "worker")["GRAPHJOBS_ON_NEW_VERSION"] == "restart",
    ),
    "a canary": (
        {"canary_secret": CANARY, "canary_body": '{"query": "hello"}'},
        lambda t: (
            "secretsmanager:GetSecretValue" in may(t, "canary")
            and variables(t, "canary")["GRAPHJOBS_CANARY_BODY"] == '{"query": "hello"}'
        ),
    ),
    "a budget": ({"alarm_email": "ops@example.com", "budget_usd": 50}, lambda t: t.only("AWS::Budgets::Budget")),
}

EXAMPLES = {
    "starter": "chat,report",
    "memory": "agent",
    "glossary": "glossary",
    "research": "research",
    "demo": "chat,desk",
}
"""The graphs of each example."""


@pytest.mark.variants
@pytest.mark.parametrize("name", VARIANTS)
def test_a_variant_is_clean_and_is_what_was_asked_for(synth: Synth, name: str) -> None:
    context, holds = VARIANTS[name]
    template = synth(**context)
    assert holds(template)
    assert errors(template) == []


@pytest.mark.variants
@pytest.mark.parametrize("file", sorted((ROOT / "examples").glob("*/*.json")), ids=lambda file: file.parent.name)
def test_an_example_can_be_deployed_and_serves_its_graphs(synth: Synth, file: Path) -> None:
    template = synth(graphs=str(file.relative_to(ROOT)))
    assert variables(template, "create_job")["GRAPHJOBS_GRAPHS"] == EXAMPLES[file.parent.name]
    assert errors(template) == []


def errors(template: Template) -> list[str]:
    """What cfn-lint calls an error."""
    from cfnlint.api import ManualArgs, lint

    findings = lint(json.dumps(template.content), config=ManualArgs(regions=["us-east-1"]))
    return [str(item) for item in findings if item.rule.id.startswith("E")]
