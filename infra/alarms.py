"""Alarms: what a person must know of. docs/OPERATIONS.md says of each what it means and what to do.

Each is here because a job or a viewer is affected, or soon will be; none because a number looks unusual.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aws_cdk import Aws, Duration
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_iam as iam
from aws_cdk import aws_sns as sns
from aws_cdk import aws_sns_subscriptions as subscriptions
from constructs import Construct

from infra.config import Config
from infra.findings import accept
from infra.metrics import Metrics

FIVE_MINUTES: Final = Duration.minutes(5)
MISSING_IS_FINE: Final = cloudwatch.TreatMissingData.NOT_BREACHING
AT_LEAST: Final = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
BELOW: Final = cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD


@dataclass(frozen=True, slots=True)
class Condition:
    """When to alarm: `metric` at or beyond `threshold` in `breaches` of the last `periods`."""

    metric: cloudwatch.IMetric | None
    threshold: float
    meaning: str
    periods: int = 1
    breaches: int = 1
    operator: cloudwatch.ComparisonOperator = AT_LEAST
    missing: cloudwatch.TreatMissingData = MISSING_IS_FINE


def conditions(config: Config, metrics: Metrics) -> Mapping[str, Condition]:
    """Every alarm by its name; one whose metric is None is of something that this deployment does not have."""
    # A message stays in the queue for as long as its job runs in one invocation: only beyond that does it wait.
    waiting = config.worker_timeout_seconds + 300
    return {
        "DeadLetters": Condition(metrics.dead_letters(), 1, "A message was given up: see the dead-letter queue."),
        "OldestMessage": Condition(
            metrics.oldest_message(),
            waiting,
            "Jobs wait: there are not enough workers.",
            periods=2,
            breaches=2,
        ),
        "NobodyTakes": Condition(
            metrics.waiting_with_room(config.workers), 1, "Jobs wait although more workers could run: none is started."
        ),
        "FailureRate": Condition(
            metrics.failure_percentage(), 10, "A tenth of the jobs or more fail.", periods=2, breaches=2
        ),
        "HourlyFailureRate": Condition(
            metrics.failure_percentage(few=3, period=Duration.hours(1)), 50, "Of the few jobs of an hour most fail."
        ),
        "WorkerErrors": Condition(
            metrics.function("worker", "Errors"),
            1,
            "Workers crash; jobs are tried again.",
            periods=3,
            breaches=2,
        ),
        "WorkerStart": Condition(
            metrics.count("StartFailures"), 3, "Workers cannot be started; jobs will fail as worker_init."
        ),
        "WorkerThrottles": Condition(
            metrics.function("worker", "Throttles"),
            1,
            "The account has no room for workers.",
            periods=3,
            breaches=3,
        ),
        "AccountConcurrency": Condition(
            metrics.account_concurrency(),
            0.8 * config.account_concurrency,
            "The account's Lambda quota is nearly used up.",
            periods=3,
            breaches=2,
        ),
        "TableThrottles": Condition(
            metrics.table_throttles(), 10, "DynamoDB turns requests away.", periods=3, breaches=3
        ),
        "StreamErrors": Condition(metrics.stream_failures(), 5, "Streams break.", periods=3, breaches=2),
        "StreamThrottles": Condition(
            metrics.function("stream", "Throttles"), 1, "Viewers are turned away.", periods=3, breaches=3
        ),
        "DeliveryLag": Condition(
            metrics.delivery_lag("p99"), 1_000, "Events reach viewers late.", periods=3, breaches=3
        ),
        "ApiErrors": Condition(metrics.api("5xx"), 5, "The API answers with 5xx.", periods=2, breaches=2),
        "ApiLatency": Condition(metrics.api("Latency", "p99"), 3_000, "The API answers slowly.", periods=3, breaches=3),
        "Refusals": Condition(
            metrics.refusals(), 1_000, "Many requests are refused: junk, or a client gone wild.", periods=3, breaches=2
        ),
        "Canary": Condition(
            metrics.canary_passes(),
            1,
            "No job could be started, followed and ended for a quarter of an hour.",
            periods=3,
            breaches=3,
            operator=BELOW,
            missing=cloudwatch.TreatMissingData.BREACHING,
        ),
        "Untold": Condition(metrics.untold(), 1, "Somebody was not told of a job's status."),
        "StuckJobs": Condition(
            metrics.count("StuckJobs"),
            1,
            "Jobs had to be sent again or brought to an end.",
            periods=3,
            breaches=2,
        ),
        "ReconcilerSilent": Condition(
            metrics.function("reconcile", "Invocations", Duration.minutes(config.reconcile_minutes + 4)),
            1,
            "Nothing looks after stuck jobs.",
            periods=2,
            breaches=2,
            operator=BELOW,
            missing=cloudwatch.TreatMissingData.BREACHING,
        ),
        "ReconcilerErrors": Condition(
            metrics.function("reconcile", "Errors"), 1, "The reconciler fails.", periods=3, breaches=3
        ),
    }


class Alarms(Construct):
    """The alarms, and the `topic` that they tell."""

    def __init__(self, scope: Construct, id: str, config: Config, metrics: Metrics) -> None:
        super().__init__(scope, id)
        self.topic = self._topic(config)
        action = actions.SnsAction(self.topic)
        self.alarms = []
        for name, condition in conditions(config, metrics).items():
            if condition.metric is None:
                continue
            alarm = cloudwatch.Alarm(
                self,
                name,
                metric=condition.metric,
                threshold=condition.threshold,
                alarm_description=f"graphjobs {config.stage}: {condition.meaning} docs/OPERATIONS.md, {name}",
                evaluation_periods=condition.periods,
                datapoints_to_alarm=condition.breaches,
                comparison_operator=condition.operator,
                treat_missing_data=condition.missing,
            )
            alarm.add_alarm_action(action)
            alarm.add_ok_action(action)
            self.alarms.append(alarm)

    def _topic(self, config: Config) -> sns.Topic:
        topic = sns.Topic(self, "Topic", enforce_ssl=True)
        # A policy of its own replaces the one that lets the account's alarms in.
        topic.add_to_resource_policy(
            iam.PolicyStatement(
                actions=["sns:Publish"],
                resources=[topic.topic_arn],
                principals=[iam.ServicePrincipal("cloudwatch.amazonaws.com")],
                conditions={"StringEquals": {"aws:SourceAccount": Aws.ACCOUNT_ID}},
            )
        )
        if config.alarm_email:
            topic.add_subscription(subscriptions.EmailSubscription(config.alarm_email))
        accept(
            topic,
            "AwsSolutions-SNS2",
            "An alarm's text holds no data; CloudWatch cannot publish to a topic with the AWS-managed key.",
        )
        return topic
