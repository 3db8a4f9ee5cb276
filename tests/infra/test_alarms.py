"""What is alarmed: when, on which metric, and that somebody is told."""

from __future__ import annotations

from typing import Any

import pytest

from tests.infra.template import Template

# Alarm: metrics as namespace/name/of, statistic, period, threshold, breaches of periods, what missing data mean.
ALARMS: dict[str, tuple[set[str], str, int, float, str, str]] = {
    "DeadLetters": ({"AWS/SQS/ApproximateNumberOfMessagesVisible/dead_letters"}, "Maximum", 60, 1, "1/1", "fine"),
    "OldestMessage": ({"AWS/SQS/ApproximateAgeOfOldestMessage/queue"}, "Maximum", 300, 1200, "2/2", "fine"),
    "FailureRate": (
        {"graphjobs/dev/JobsFailed/worker", "graphjobs/dev/JobsFailed/reconcile", "graphjobs/dev/JobsCompleted/worker"},
        "Sum", 300, 10, "2/2", "fine",
    ),
    "WorkerErrors": ({"AWS/Lambda/Errors/worker"}, "Sum", 300, 3, "2/3", "fine"),
    "WorkerThrottles": ({"AWS/Lambda/Throttles/worker"}, "Sum", 300, 1, "3/3", "fine"),
    "StreamErrors": ({"AWS/Lambda/Errors/stream", "AWS/Lambda/Url5xxCount/stream"}, "Sum", 300, 5, "2/3", "fine"),
    "StreamThrottles": ({"AWS/Lambda/Throttles/stream"}, "Sum", 300, 1, "3/3", "fine"),
    "DeliveryLag": ({"graphjobs/dev/DeliveryLag/stream"}, "p99", 300, 1000, "3/3", "fine"),
    "ApiErrors": ({"AWS/ApiGateway/5xx/api"}, "Sum", 300, 5, "2/2", "fine"),
    "StuckJobs": ({"graphjobs/dev/StuckJobs/reconcile"}, "Sum", 300, 1, "2/3", "fine"),
    "ReconcilerSilent": ({"AWS/Lambda/Invocations/reconcile"}, "Sum", 300, 1, "2/2", "bad"),
    "ReconcilerErrors": ({"AWS/Lambda/Errors/reconcile"}, "Sum", 300, 1, "3/3", "fine"),
}  # fmt: skip


def alarm(template: Template, name: str) -> dict[str, Any]:
    properties: dict[str, Any] = template.only("AWS::CloudWatch::Alarm", f"Alarms{name}")["Properties"]
    return properties


def single(metric: dict[str, Any], template: Template) -> str:
    (dimension,) = metric["Dimensions"]
    value = dimension["Value"]
    if dimension["Name"] == "service":
        of = value
    elif dimension["Name"] == "FunctionName":
        of = template.called(value)
    elif dimension["Name"] == "QueueName":
        of = {"JobsQueue": "queue", "JobsDeadLe": "dead_letters"}[
            next(prefix for prefix in ("JobsQueue", "JobsDeadLe") if value["Fn::GetAtt"][0].startswith(prefix))
        ]
    else:
        assert dimension["Name"] == "ApiId"
        assert value == {"Ref": template.logical_id("AWS::ApiGatewayV2::Api")}
        of = "api"
    return f"{metric['Namespace']}/{metric['MetricName']}/{of}"


def watched(made: dict[str, Any], template: Template) -> tuple[set[str], set[str], set[int]]:
    """Metrics, statistics and periods."""
    if "Metrics" not in made:
        statistic = made.get("Statistic") or made["ExtendedStatistic"]
        return {single(made, template)}, {statistic}, {made["Period"]}
    stats = [item["MetricStat"] for item in made["Metrics"] if "MetricStat" in item]
    metrics = {single(stat["Metric"], template) for stat in stats}
    return metrics, {stat["Stat"] for stat in stats}, {stat["Period"] for stat in stats}


def test_there_is_an_alarm_for_everything_that_matters(template: Template) -> None:
    names = {key.removeprefix("Alarms")[:-8] for key in template.of_type("AWS::CloudWatch::Alarm")}
    assert names == set(ALARMS)


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_watches_its_metric_with_its_threshold(template: Template, name: str) -> None:
    made = alarm(template, name)
    metrics, statistic, period, threshold, breaches, missing = ALARMS[name]
    assert watched(made, template) == (metrics, {statistic}, {period})
    assert made["Threshold"] == threshold
    assert f"{made['DatapointsToAlarm']}/{made['EvaluationPeriods']}" == breaches
    assert made["TreatMissingData"] == {"fine": "notBreaching", "bad": "breaching"}[missing]
    silence = "LessThanThreshold" if name == "ReconcilerSilent" else "GreaterThanOrEqualToThreshold"
    assert made["ComparisonOperator"] == silence


@pytest.mark.parametrize("name", ALARMS)
def test_an_alarm_tells_the_topic_when_it_begins_and_when_it_ends(template: Template, name: str) -> None:
    made = alarm(template, name)
    topic = {"Ref": template.logical_id("AWS::SNS::Topic")}
    assert made["AlarmActions"] == made["OKActions"] == [topic]
    assert made.get("ActionsEnabled", True)
    assert f"docs/OPERATIONS.md, {name}" in made["AlarmDescription"]


def test_a_few_failures_are_no_rate(template: Template) -> None:
    (expression,) = (item["Expression"] for item in alarm(template, "FailureRate")["Metrics"] if "Expression" in item)
    functions = {"IF": lambda test, then, other: then if test else other, "FILL": lambda value, other: value or other}

    def rate(**counts: float) -> float:
        text = expression.replace("IF(", "IF_(")
        ids = dict.fromkeys(("jobsFailed_worker", "jobsFailed_reconcile", "jobsCompleted_worker"), 0.0) | counts
        lazy = text.replace("IF_(", "IF(") if ids["jobsFailed_worker"] + ids["jobsFailed_reconcile"] else "0"
        return float(eval(lazy, dict(functions), ids))  # the template's own arithmetic

    assert rate(jobsFailed_worker=4) == 0
    assert rate(jobsFailed_worker=3, jobsFailed_reconcile=2, jobsCompleted_worker=45) == 10
    assert rate(jobsFailed_reconcile=5) == 100


def test_a_long_run_in_the_queue_is_no_old_message(template: Template, elsewhere: Template) -> None:
    for stage in (template, elsewhere):
        assert alarm(stage, "OldestMessage")["Threshold"] >= stage.function("worker")["Timeout"] + 300


def test_a_silent_reconciler_is_seen_whatever_its_schedule(template: Template, elsewhere: Template) -> None:
    for stage, minutes in ((template, 1), (elsewhere, 5)):
        (period,) = watched(alarm(stage, "ReconcilerSilent"), stage)[2]
        assert period >= (minutes + 1) * 60


def test_the_topic_takes_messages_of_this_accounts_alarms_and_only_by_tls(template: Template) -> None:
    statements = template.only("AWS::SNS::TopicPolicy")["Properties"]["PolicyDocument"]["Statement"]
    deny = next(item for item in statements if item["Effect"] == "Deny")
    assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    (allow,) = (item for item in statements if item["Effect"] == "Allow")
    assert allow["Principal"] == {"Service": "cloudwatch.amazonaws.com"}
    assert allow["Condition"] == {"StringEquals": {"aws:SourceAccount": {"Ref": "AWS::AccountId"}}}


def test_mail_goes_to_the_configured_address_if_there_is_one(template: Template, production: Template) -> None:
    subscription = production.only("AWS::SNS::Subscription")["Properties"]
    assert (subscription["Protocol"], subscription["Endpoint"]) == ("email", "ops@example.com")
    assert not template.of_type("AWS::SNS::Subscription")
