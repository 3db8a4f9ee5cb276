"""What matters to an operator of a deployed stack, on moto: its functions, and the variables of its worker."""

from __future__ import annotations

import json
from typing import Any, Final

from graphjobs.testing.aws import client

WORKER_LOGS: Final = "worker-logs"


def make_stack(name: str, variables: dict[str, str]) -> None:
    """Deploy a worker with `variables`, among another function, each with the alias that is live."""
    document = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole"}]})
    client("iam").create_role(RoleName="function", AssumeRolePolicyDocument=document)
    resources: dict[str, Any] = {
        "FunctionsWorkerLogs33": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": WORKER_LOGS}},
        "ApiAccessLogs44": {"Type": "AWS::Logs::LogGroup", "Properties": {"LogGroupName": "of the API"}},
        "FunctionsStreamFunction11": _function({"GRAPHJOBS_JOBS_TABLE": "of the stream"}),
        "FunctionsWorkerFunction22": _function(variables),
    }
    cloudformation, lambda_ = client("cloudformation"), client("lambda")
    cloudformation.create_stack(StackName=name, TemplateBody=json.dumps({"Resources": resources}))
    for each in cloudformation.list_stack_resources(StackName=name)["StackResourceSummaries"]:
        if each["ResourceType"] != "AWS::Lambda::Function":
            continue
        lambda_.create_alias(FunctionName=each["PhysicalResourceId"], Name="live", FunctionVersion="$LATEST")


def _function(variables: dict[str, str]) -> dict[str, Any]:
    properties = {
        "Role": "arn:aws:iam::123456789012:role/function",
        "Code": {"ZipFile": "def handler(event, context): pass"},
        "Runtime": "python3.13",
        "Handler": "index.handler",
        "Environment": {"Variables": variables},
    }
    return {"Type": "AWS::Lambda::Function", "Properties": properties}
