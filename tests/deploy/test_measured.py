"""What `make smoke` makes of the figures that Lambda has noted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from deploy.measured import LISTED_PAUSE_SECONDS, look
from deploy.steps import Failed

NOW = 1_800_000_000.0
PHYSICAL = {"Stream": "fn-stream", "Worker": "fn-worker", "PublishStatus": "fn-publish"}
GROUPS = {"fn-stream": "/aws/lambda/stream", "fn-worker": "/aws/lambda/worker"}


@dataclass
class Account:
    """Answers of CloudFormation, Lambda and CloudWatch Logs, in pages."""

    reports: dict[str, list[dict[str, float]]]
    policies: list[str] = field(default_factory=lambda: ["x" * 900])
    names: tuple[str, ...] = ("FunctionsStreamFunction12", "FunctionsWorkerFunction34")
    asked: list[dict[str, Any]] = field(default_factory=list)
    listed_after: int = 0
    mapping: tuple[str, str] = ("Enabled", "OK")
    pauses: list[float] = field(default_factory=list)

    def look(self) -> None:
        look(self.client, "graphjobs-dev", lambda: NOW, self.pauses.append)

    def client(self, service: str) -> Account:
        return self

    def get_paginator(self, operation: str) -> Any:
        account = self

        class Pages:
            def paginate(self, **asked: Any) -> Iterator[dict[str, Any]]:
                account.asked.append(asked)
                return getattr(account, operation)(**asked)  # type: ignore[no-any-return]

        return Pages()

    def list_stack_resources(self, StackName: str) -> Iterator[dict[str, Any]]:
        for name in ("FunctionsStreamLogs9", *self.names):
            kind = "AWS::Logs::LogGroup" if "Logs" in name else "AWS::Lambda::Function"
            physical = next(fn for part, fn in PHYSICAL.items() if part in name)
            yield {
                "StackResourceSummaries": [
                    {"LogicalResourceId": name, "PhysicalResourceId": physical, "ResourceType": kind}
                ]
            }

    def get_function_configuration(self, FunctionName: str) -> dict[str, Any]:
        variables = {"POWERTOOLS_METRICS_NAMESPACE": "graphjobs/dev"}
        return {"LoggingConfig": {"LogGroup": GROUPS[FunctionName]}, "Environment": {"Variables": variables}}

    def list_metrics(self, Namespace: str, MetricName: str) -> dict[str, Any]:
        assert Namespace == "graphjobs/dev"
        late = MetricName == "OpenStreams" and len(self.pauses) < self.listed_after
        return {"Metrics": [] if late else [{"MetricName": MetricName}]}

    def list_event_source_mappings(self, FunctionName: str) -> dict[str, Any]:
        assert FunctionName == "fn-publish:live"
        state, result = self.mapping
        return {"EventSourceMappings": [{"State": state, "LastProcessingResult": result}]}

    def filter_log_events(self, logGroupName: str, startTime: int, filterPattern: str) -> Iterator[dict[str, Any]]:
        assert filterPattern == '{ $.type = "platform.report" }'
        yield {"events": []}
        for metrics in self.reports.get(logGroupName, []):
            message = {"type": "platform.report", "record": {"requestId": "r", "metrics": metrics}}
            yield {"events": [{"message": json.dumps(message), "timestamp": 1}]}

    def describe_resource_policies(self) -> Iterator[dict[str, Any]]:
        yield {"resourcePolicies": [{"policyDocument": text} for text in self.policies]}


TELLING = ("FunctionsStreamFunction12", "FunctionsWorkerFunction34", "FunctionsPublishStatusFunction56")
STREAM = {"durationMs": 100.0, "maxMemoryUsedMB": 150}
WELL = {
    "/aws/lambda/stream": [STREAM, {**STREAM, "maxMemoryUsedMB": 199}],
    "/aws/lambda/worker": [{"initDurationMs": 3_700.0, "maxMemoryUsedMB": 300}, {"durationMs": 4.0}],
}


def test_the_largest_figure_of_a_day_is_printed_and_judged(capsys: pytest.CaptureFixture[str]) -> None:
    account = Account(WELL)
    account.look()
    assert capsys.readouterr().out.splitlines() == [
        "    memory of a viewer, MB: 199 at most, in 2; must be under 200",
        "    init phase of the worker, ms: 3700 at most, in 1; must be under 5000",
        "    restore of the worker by SnapStart, ms: none in a day",
        "    resource policies of CloudWatch Logs: 900 characters at most, of 5120",
        "    graphjobs/dev DeliveryLag: listed",
        "    graphjobs/dev OpenStreams: listed",
        "    the table's stream: nobody is told, and nobody reads it",
    ]
    assert account.pauses == []
    assert {asked["startTime"] for asked in account.asked if "startTime" in asked} == {int((NOW - 86_400) * 1000)}


@pytest.mark.parametrize(
    "account, what",
    [
        (Account({**WELL, "/aws/lambda/stream": [{"maxMemoryUsedMB": 200}]}), "memory of a viewer, MB"),
        (Account({**WELL, "/aws/lambda/stream": []}), "memory of a viewer, MB"),
        (Account({**WELL, "/aws/lambda/worker": [{"initDurationMs": 9_000.0}]}), "init phase of the worker, ms"),
        (
            Account({**WELL, "/aws/lambda/worker": [{"restoreDurationMs": 1_500.5}]}),
            "restore of the worker by SnapStart, ms",
        ),
        (Account(WELL, policies=["short", "x" * 5_120]), "resource policies"),
        (Account(WELL, listed_after=1_000), "OpenStreams"),
        (Account(WELL, names=TELLING, mapping=("Disabled", "OK")), "the table's stream"),
        (Account(WELL, names=TELLING, mapping=("Enabled", "PROBLEM: Function call failed")), "the table's stream"),
        (Account(WELL, names=TELLING, mapping=("Enabled", "No records processed")), "the table's stream"),
    ],
    ids=["memory", "no viewer at all", "init", "restore", "policies", "metrics", "off", "failing", "not read"],
)
def test_what_is_too_much_is_named(account: Account, what: str) -> None:
    with pytest.raises(Failed) as refused:
        account.look()
    assert str(refused.value) == f"Not as it must be: {what}"


def test_all_that_is_wrong_is_named_at_once() -> None:
    account = Account({"/aws/lambda/stream": [{"maxMemoryUsedMB": 250}]}, policies=["x" * 6_000])
    with pytest.raises(Failed, match="memory of a viewer, MB; resource policies"):
        account.look()


def test_a_metric_that_is_listed_minutes_later_is_waited_for() -> None:
    account = Account(WELL, listed_after=3)
    account.look()
    assert account.pauses == [LISTED_PAUSE_SECONDS] * 3


def test_the_tables_stream_is_read_where_others_are_told(capsys: pytest.CaptureFixture[str]) -> None:
    Account(WELL, names=TELLING).look()
    assert "    the table's stream: Enabled, OK" in capsys.readouterr().out.splitlines()


def test_a_stack_of_something_else_is_one_line() -> None:
    with pytest.raises(Failed, match="other has no function Stream"):
        look(Account(WELL, names=()).client, "other", lambda: NOW)
