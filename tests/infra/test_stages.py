"""Stages and regions live side by side in one account; the template is one that CloudFormation and cdk-nag accept."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.infra.synthesis import build
from tests.infra.template import Template

if TYPE_CHECKING:
    from cfnlint.runner import Runner

RULES = (
    "APIG2", "APIG3", "APIG4", "APIG6", "COG2", "COG4", "COG8", "IAM4", "IAM5", "L1", "S1", "SMG4", "SNS2", "SQS3",
)  # fmt: skip
OF_A_CONFIGURATION = ("APIG2", "APIG3", "APIG4", "APIG6", "COG2", "COG4", "COG8", "IAM4", "SQS3")
ACCEPTED = {f"AwsSolutions-{rule}" for rule in RULES}

STAGES = ("template", "production", "elsewhere", "fronted")

PHYSICAL = re.compile(
    r"(Function|Role|Policy|ManagedPolicy|Table|Queue|Bucket|LogGroup|Topic|Alarm|Dashboard|UserPool|Layer)Name"
)
LABELS = (
    "AWS::ApiGateway::RestApi",
    "AWS::ApiGateway::Authorizer",
    "AWS::ApiGatewayV2::Api",
    "AWS::ApiGatewayV2::Authorizer",
    "AWS::Lambda::Alias",
)
"""Their `Name` is of the thing itself, not of the account."""


@pytest.mark.parametrize("which", STAGES)
def test_nothing_has_a_name_that_a_second_stage_would_collide_with(which: str, request: pytest.FixtureRequest) -> None:
    found: Template = request.getfixturevalue(which)
    for logical_id, resource in found.resources.items():
        if resource["Type"].startswith("AWS::Lambda::") and resource["Type"] != "AWS::Lambda::Function":
            continue  # FunctionName is what they are about
        named = [key for key in resource.get("Properties", {}) if PHYSICAL.fullmatch(key)]
        if "Name" in resource.get("Properties", {}) and resource["Type"] not in LABELS:
            named.append("Name")
        if resource["Type"] == "AWS::Logs::QueryDefinition":
            name = resource["Properties"]["Name"]["Fn::Join"]
            assert name[1][0] == {"Ref": "AWS::StackName"}, logical_id
            continue
        if logical_id.startswith("ApiAccessLogs"):
            named.remove("LogGroupName")  # holds the stack's id: tests/infra/test_api.py
        assert not named, logical_id


def test_metrics_of_two_stages_are_told_apart(template: Template, elsewhere: Template) -> None:
    namespaces = [
        {stage.environment(name).get("POWERTOOLS_METRICS_NAMESPACE") for name in ("create_job", "stream", "worker")}
        for stage in (template, elsewhere)
    ]
    assert namespaces == [{"graphjobs/dev"}, {"graphjobs/two"}]


def test_the_outputs_name_everything_that_the_documentation_asks_for(template: Template, elsewhere: Template) -> None:
    names = {
        "Stage", "ApiUrl", "StreamUrl", "StreamFunctionName", "Issuer", "Audience", "DashboardUrl", "AlarmTopicArn",
        "QueueUrl", "DlqUrl", "JobsTable", "EventsTable", "CheckpointsTable", "StoreTable", "PayloadBucket",
        "TicketSecretArn",
    }  # fmt: skip
    cognito = {"UserPoolId", "UserPoolClientId"}
    assert set(template.content["Outputs"]) == names | cognito
    assert set(elsewhere.content["Outputs"]) == names
    assert elsewhere.content["Outputs"]["Audience"]["Value"] == "app,machine"


@pytest.fixture(scope="module")
def cfn_lint() -> Runner:
    """With all its rules about errors; to read them takes half a second."""
    from cfnlint.config import ConfigMixIn
    from cfnlint.runner import Runner

    runner = Runner(ConfigMixIn(regions=["us-east-1"]))
    runner.rules.data = {name: rule for name, rule in runner.rules.data.items() if name.startswith("E")}
    return runner


def errors(cfn_lint: Runner, content: dict[str, Any]) -> list[str]:
    from cfnlint.decode import decode_str

    template, undecoded = decode_str(json.dumps(content))
    assert not undecoded
    return [str(item) for item in cfn_lint.validate_template(template) if item.rule.id.startswith("E")]


@pytest.mark.parametrize("which", STAGES)
def test_cfn_lint_finds_no_error(which: str, request: pytest.FixtureRequest, cfn_lint: Runner) -> None:
    found: Template = request.getfixturevalue(which)
    assert errors(cfn_lint, found.content) == []


def test_cfn_lint_would_find_one(cfn_lint: Runner) -> None:
    queue = {"Type": "AWS::SQS::Queue", "Properties": {"Careless": True}}
    (error,) = errors(cfn_lint, {"Resources": {"Queue": queue}})
    assert "'Careless' was unexpected" in error


def test_a_finding_of_cdk_nag_stops_the_synthesis(tmp_path: Path) -> None:
    from aws_cdk import aws_sqs as sqs

    app, stack = build({"bundle": "none"}, outdir=str(tmp_path))
    sqs.Queue(stack, "Careless")
    with pytest.raises(RuntimeError):
        app.synth()
    assert "AwsSolutions-SQS4" in (tmp_path / "validation-report.json").read_text()


@pytest.mark.parametrize("which", STAGES)
def test_every_accepted_finding_has_its_reason(which: str, request: pytest.FixtureRequest) -> None:
    found: Template = request.getfixturevalue(which)
    rules = {rule.partition("::")[2].partition("[")[0] for rule, _ in found.accepted}
    assert rules <= ACCEPTED
    configured = {
        "AwsSolutions-APIG2",
        "AwsSolutions-APIG3",
        "AwsSolutions-APIG4",
        "AwsSolutions-APIG6",
        "AwsSolutions-COG4",
    }
    configured |= {"AwsSolutions-COG2", "AwsSolutions-COG8", "AwsSolutions-IAM4", "AwsSolutions-SQS3"}
    assert ACCEPTED - rules <= configured, "nothing is accepted that is not found"
    assert all(len(reason.split()) >= 4 for _, reason in found.accepted)
