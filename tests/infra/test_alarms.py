"""What is alarmed: when, on which metric, and that somebody is told."""

from __future__ import annotations

import re
from typing import Any

import pytest

from infra.config import Config, ConfigError
from tests.infra.template import Template, arn_text

TABLES = ("jobs", "events", "checkpoints", "store")

# Alarm: metrics as namespace/name/of, statistic, period, threshold, breaches of periods, what missing data mean.
ALARMS: dict[str, tuple[set[str], str, int, float, str, str]] = {
    "DeadLetters": ({"AWS/SQS/ApproximateNumberOfMessagesVisible/dead_letters"}, "Maximum", 60, 1, "1/1", "fine"),
    "OldestMessage": ({"AWS/SQS/ApproximateAgeOfOldestMessage/queue"}, "Maximum", 300, 1200, "2/2", "fine"),
    "FailureRate": (
        {"graphjobs/dev/JobsFailed/worker", "graphjobs/dev/JobsFailed/reconcile", "graphjobs/dev/JobsCompleted/worker"},
        "Sum", 300, 10, "2/2", "fine",
    ),
    "NobodyTakes": (
        {"AWS/SQS/ApproximateNumberOfMessagesVisible/queue", "AWS/Lambda/ConcurrentExecutions/worker"},
        "Minimum+Maximum", 300, 1, "1/1", "fine",
    ),
    "HourlyFailureRate": (
        {"graphjobs/dev/JobsFailed/worker", "graphjobs/dev/JobsFailed/reconcile", "graphjobs/dev/JobsCompleted/worker"},
        "Sum", 3600, 50, "1/1", "fine",
    ),
    "WorkerErrors": ({"AWS/Lambda/Errors/worker"}, "Sum", 300, 1, "2/3", "fine"),
    "WorkerStart": ({"graphjobs/dev/StartFailures/worker"}, "Sum", 300, 3, "1/1", "fine"),
    "AccountConcurrency": ({"AWS/Lambda/ConcurrentExecutions/account"}, "Maximum", 300, 8, "2/3", "fine"),
    "TableThrottles": (
        {f"AWS/DynamoDB/{kind}ThrottleEvents/{table}" for kind in ("Read", "Write") for table in TABLES},
        "Sum", 300, 10, "3/3", "fine",
    ),
    "WorkerThrottles": ({"AWS/Lambda/Throttles/worker"}, "Sum", 300, 1, "3/3", "fine"),
    "StreamErrors": ({"AWS/Lambda/Errors/stream", "AWS/Lambda/Url5xxCount/stream"}, "Sum", 300, 5, "2/3", "fine"),
    "StreamThrottles": ({"AWS/Lambda/Throttles/stream"}, "Sum", 300, 1, "3/3", "fine"),
    "DeliveryLag": ({"graphjobs/dev/DeliveryLag/stream"}, "p99", 300, 1000, "3/3", "fine"),
    "ApiLatency": ({"AWS/ApiGateway/Latency/api"}, "p99", 300, 3000, "3/3", "fine"),
    "Refusals": ({"AWS/ApiGateway/4xx/api", "AWS/Lambda/Url4xxCount/stream"}, "Sum", 300, 1000, "2/3", "fine"),
    "ApiErrors": ({"AWS/ApiGateway/5xx/api"}, "Sum", 300, 5, "2/2", "fine"),
    "StuckJobs": ({"graphjobs/dev/StuckJobs/reconcile"}, "Sum", 300, 1, "2/3", "fine"),
    "ReconcilerSilent": ({"AWS/Lambda/Invocations/reconcile"}, "Sum", 300, 1, "2/2", "bad"),
    "ReconcilerErrors": ({"AWS/Lambda/Errors/reconcile"}, "Sum", 300, 1, "3/3", "fine"),
}  # fmt: skip


def alarm(template: Template, name: str) -> dict[str, Any]:
    properties: dict[str, Any] = template.only("AWS::CloudWatch::Alarm", f"Alarms{name}")["Properties"]
    return properties


def single(metric: dict[str, Any], template: Template) -> str:
    if not metric.get("Dimensions"):
        return f"{metric['Namespace']}/{metric['MetricName']}/account"
    (dimension,) = metric["Dimensions"]
    value = dimension["Value"]
    if dimension["Name"] == "service":
        of = value
    elif dimension["Name"] == "FunctionName":
        of = template.called(value)
    elif dimension["Name"] == "TableName":
        of = arn_text(value)
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
    assert watched(made, template) == (metrics, set(statistic.split("+")), {period})
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


def value(template: Template, name: str, **metrics: float) -> float:
    """What the expression of an alarm comes to; a metric that is not given has no data."""
    (expression,) = (item["Expression"] for item in alarm(template, name)["Metrics"] if "Expression" in item)
    ids = [item["Id"] for item in alarm(template, name)["Metrics"] if "MetricStat" in item]
    assert set(metrics) <= set(ids)
    filled = re.sub(r"FILL\((\w+), 0\)", lambda found: str(float(metrics.get(found[1], 0))), expression)
    python = re.sub(r"IF\((.*?), (.*), (.*?)\)$", r"(\2) if (\1) else (\3)", filled).replace(" AND ", " and ")
    return float(eval(python, {"__builtins__": {}}))  # the template's own arithmetic


@pytest.mark.parametrize(("name", "few"), [("FailureRate", 5), ("HourlyFailureRate", 3)])
def test_a_few_failures_are_no_rate(template: Template, name: str, few: int) -> None:
    assert value(template, name) == 0
    assert value(template, name, jobsFailed_worker=few - 1) == 0
    assert value(template, name, jobsFailed_reconcile=few) == 100
    assert value(template, name, jobsFailed_worker=few - 1, jobsFailed_reconcile=1, jobsCompleted_worker=few) == 50


def test_at_one_failing_job_every_quarter_of_an_hour_somebody_is_told(template: Template) -> None:
    """60 % of a stage with few jobs: never five in five minutes, but an hour shows it."""
    rate = value(template, "HourlyFailureRate", jobsFailed_worker=3, jobsCompleted_worker=2)
    assert rate >= alarm(template, "HourlyFailureRate")["Threshold"]


@pytest.mark.parametrize(
    ("waiting", "running", "told"), [(0, 0, 0), (1, 0, 1), (1, 4, 1), (1, 5, 0), (200, 5, 0), (0, 5, 0)]
)
def test_jobs_that_wait_while_workers_could_run_are_told_and_a_full_house_is_not(
    template: Template, waiting: int, running: int, told: int
) -> None:
    assert template.only("AWS::Lambda::EventSourceMapping")["Properties"]["ScalingConfig"] == {"MaximumConcurrency": 5}
    assert value(template, "NobodyTakes", waiting=waiting, running=running) == told


def test_a_failed_stream_counts_once(template: Template) -> None:
    assert value(template, "StreamErrors", errors=3, broken=3) == 3
    assert value(template, "StreamErrors", errors=1, broken=4) == 4
    assert value(template, "StreamErrors", errors=2) == 2


def test_the_quota_is_watched_at_four_fifths_of_what_it_is(template: Template, production: Template) -> None:
    assert alarm(production, "AccountConcurrency")["Threshold"] == 800


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


def test_a_budget_writes_before_and_when_it_is_used_up(production: Template, template: Template) -> None:
    assert not template.of_type("AWS::Budgets::Budget")
    made = production.only("AWS::Budgets::Budget")["Properties"]
    assert made["Budget"]["BudgetLimit"] == {"Amount": 500, "Unit": "USD"} and made["Budget"]["TimeUnit"] == "MONTHLY"
    assert "CostFilters" not in made["Budget"], "of the whole account: a tag that nobody has activated filters all out"
    told = [item["Notification"] for item in made["NotificationsWithSubscribers"]]
    assert [(item["NotificationType"], item["Threshold"]) for item in told] == [
        ("ACTUAL", 80), ("ACTUAL", 100), ("FORECASTED", 100),
    ]  # fmt: skip
    for item in made["NotificationsWithSubscribers"]:
        assert item["Subscribers"] == [{"Address": "ops@example.com", "SubscriptionType": "EMAIL"}]


def test_a_budget_that_could_write_to_nobody_is_refused() -> None:
    with pytest.raises(ConfigError, match="alarm_email"):
        Config(budget_usd=10)


def test_a_canary_that_does_not_pass_or_does_not_sing_is_heard(production: Template, template: Template) -> None:
    assert not [key for key in template.of_type("AWS::CloudWatch::Alarm") if key.startswith("AlarmsCanary")]
    made = alarm(production, "Canary")
    assert watched(made, production)[0] == {"graphjobs/prod/CanaryPasses/canary"}
    assert (made["ComparisonOperator"], made["Threshold"], made["TreatMissingData"]) == (
        "LessThanThreshold", 1, "breaching",
    )  # fmt: skip
    (rule,) = [key for key in production.of_type("AWS::Events::Rule") if key.startswith("Canary")]
    properties = production.resources[rule]["Properties"]
    minutes = int(properties["ScheduleExpression"].removeprefix("rate(").partition(" ")[0])
    assert {minutes * 60} == watched(made, production)[2], "each period has a run in it"
    (target,) = properties["Targets"]
    assert production.called(target["Arn"]) == "canary:live"
    environment = production.environment("canary")
    assert environment["GRAPHJOBS_CANARY_SECRET"].endswith("canary-AbCdEf") and "GRAPHJOBS_API_URL" in environment
