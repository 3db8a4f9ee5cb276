"""The template for the emulator: only what it lacks is changed, and the same source gives the same template."""

from __future__ import annotations

import copy
import json
import tempfile
from pathlib import Path
from typing import Any

import pytest

from deploy.adapt import adapt, adapt_assembly, differences, template_path

APIS = "http://127.0.0.1:4566/apis"
TEMPORARY = Path("/temporary")

REFUSES_HTTP = {
    "Effect": "Deny",
    "Action": "sqs:*",
    "Principal": {"AWS": "*"},
    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
}
LETS_ALARMS_IN = {"Effect": "Allow", "Action": "sns:Publish", "Resource": "*"}
DENIES_OTHERS = {"Effect": "Deny", "Action": "s3:*", "Condition": {"Bool": {"aws:PrincipalIsAWSService": "false"}}}


def policy(kind: str, *statements: dict[str, Any]) -> dict[str, Any]:
    return {"Type": kind, "Properties": {"PolicyDocument": {"Statement": list(statements)}}}


def function(handler: str) -> dict[str, Any]:
    return {
        "Type": "AWS::Lambda::Function",
        "Properties": {"Description": handler, "Environment": {"Variables": {"TICKET_SECRET": {"Ref": "Secret"}}}},
    }


@pytest.fixture
def template() -> dict[str, Any]:
    return {
        "Resources": {
            "Secret": {"Type": "AWS::SecretsManager::Secret", "Properties": {}},
            "Jobs": {"Type": "AWS::DynamoDB::Table", "Properties": {"Name": "jobs"}},
            "Api": {"Type": "AWS::ApiGatewayV2::Api", "Properties": {}},
            "Create": function("graphjobs dev: create_job"),
            "Status": function("graphjobs dev: job_status"),
            "Saved": {"Type": "AWS::Logs::QueryDefinition", "Properties": {}},
            "Rate": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"Metrics": [1], "Threshold": 5}},
            "Depth": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"MetricName": "Depth", "Threshold": 1}},
            "QueuePolicy": policy("AWS::SQS::QueuePolicy", REFUSES_HTTP),
            "TopicPolicy": policy("AWS::SNS::TopicPolicy", REFUSES_HTTP, LETS_ALARMS_IN),
            "BucketPolicy": policy("AWS::S3::BucketPolicy", DENIES_OTHERS),
            "Last": {"Type": "AWS::SNS::Topic", "Properties": {}, "DependsOn": ["QueuePolicy", "Jobs"]},
        },
        "Outputs": {"TicketSecretArn": {"Value": {"Ref": "Secret"}}, "Table": {"Value": {"Ref": "Jobs"}}},
    }


def adapted(template: dict[str, Any]) -> dict[str, Any]:
    return adapt(template, APIS, TEMPORARY)[0]


def test_what_the_emulator_does_not_know_is_left_out(template: dict[str, Any]) -> None:
    assert "Saved" not in adapted(template)["Resources"]


def test_only_an_alarm_on_metric_math_gets_another_metric(template: dict[str, Any]) -> None:
    resources = adapted(template)["Resources"]
    assert "Metrics" not in resources["Rate"]["Properties"]
    assert {"Namespace", "MetricName", "Threshold"} <= resources["Rate"]["Properties"].keys()
    assert resources["Depth"] == template["Resources"]["Depth"]


def test_only_statements_that_refuse_plain_http_go(template: dict[str, Any]) -> None:
    resources = adapted(template)["Resources"]
    assert resources["TopicPolicy"] == policy("AWS::SNS::TopicPolicy", LETS_ALARMS_IN)
    assert resources["BucketPolicy"] == template["Resources"]["BucketPolicy"]


def test_a_policy_that_says_nothing_more_goes_and_nothing_depends_on_it(template: dict[str, Any]) -> None:
    resources = adapted(template)["Resources"]
    assert "QueuePolicy" not in resources
    assert resources["Last"]["DependsOn"] == ["Jobs"]


def test_a_secret_is_named_by_its_arn_wherever_it_is_named(template: dict[str, Any]) -> None:
    result = adapted(template)
    arn = {"Fn::GetAtt": ["Secret", "Id"]}
    assert result["Outputs"]["TicketSecretArn"]["Value"] == arn
    assert result["Resources"]["Status"]["Properties"]["Environment"]["Variables"]["TICKET_SECRET"] == arn
    assert result["Outputs"]["Table"]["Value"] == {"Ref": "Jobs"}


def test_only_the_function_that_tells_addresses_learns_that_of_the_api(template: dict[str, Any]) -> None:
    resources = adapted(template)["Resources"]
    address = {"Fn::Join": ["/", [APIS, {"Ref": "Api"}]]}
    assert resources["Create"]["Properties"]["Environment"]["Variables"]["GRAPHJOBS_API_URL"] == address
    assert "GRAPHJOBS_API_URL" not in resources["Status"]["Properties"]["Environment"]["Variables"]


def test_each_function_has_a_folder_of_its_own_for_temporary_files(
    template: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Python takes /tmp in place of a folder that is not there."""
    del template["Resources"]["Status"]["Properties"]["Environment"]
    path = template_path(tmp_path, "stack")
    path.write_text(json.dumps(template), encoding="utf-8")
    adapt_assembly(tmp_path, "stack", APIS, tmp_path / "deep" / "tmp")
    resources = json.loads(path.read_text(encoding="utf-8"))["Resources"]
    for name in ("Create", "Status"):
        monkeypatch.setenv("TMPDIR", resources[name]["Properties"]["Environment"]["Variables"]["TMPDIR"])
        monkeypatch.setattr(tempfile, "tempdir", None)
        assert Path(tempfile.gettempdir()) == tmp_path / "deep" / "tmp" / name


def test_every_change_is_said(template: dict[str, Any]) -> None:
    notes = adapt(template, APIS, TEMPORARY)[1]
    assert len(notes) == 6
    assert adapt({"Resources": {"Jobs": template["Resources"]["Jobs"]}}, APIS, TEMPORARY)[1] == []


def test_the_same_template_gives_the_same_again_and_is_not_touched(template: dict[str, Any]) -> None:
    before = copy.deepcopy(template)
    assert json.dumps(adapted(template)) == json.dumps(adapted(template))
    assert template == before


def test_differences_are_named(template: dict[str, Any]) -> None:
    other = copy.deepcopy(template)
    assert differences(template, other) == []
    other["Resources"]["Jobs"]["Properties"]["Name"] = "work"
    del other["Outputs"]["Table"]
    other["Description"] = "new"
    assert differences({**template, "Description": "old"}, other) == ["Description", "Outputs Table", "Resources Jobs"]
