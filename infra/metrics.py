"""CloudWatch metrics by what they mean: those that the functions write (EMF) and those that AWS keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_apigateway as rest
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs

from graphjobs.core.manifest import METRICS
from infra.job_queue import JobQueue

DIMENSION: Final = "service"
"""Every metric of ours has this one dimension: the function that wrote it."""

FIVE_MINUTES: Final = Duration.minutes(5)
MINUTE: Final = Duration.minutes(1)
FEW: Final = 5
"""Failures in five minutes below which a rate says nothing."""


class Metrics:
    """The metrics of one deployment."""

    def __init__(
        self,
        *,
        namespace: str,
        queue: JobQueue,
        http_api: apigateway.HttpApi,
        functions: Mapping[str, lambda_.Function],
        tables: Mapping[str, dynamodb.ITable],
        untold: sqs.Queue | None = None,
        stream_api: rest.RestApi | None = None,
    ) -> None:
        self._namespace = namespace
        self._queue = queue
        self._http_api = http_api
        self._functions = functions
        self._tables = tables
        self._untold = untold
        self._stream_api = stream_api

    def ours(
        self, name: str, statistic: str, service: str | None = None, period: Duration = FIVE_MINUTES
    ) -> cloudwatch.Metric:
        """A metric that `service` writes; may be left out for one that only one does."""
        if service is None:
            (service,) = METRICS[name]
        return cloudwatch.Metric(
            namespace=self._namespace,
            metric_name=name,
            dimensions_map={DIMENSION: service},
            statistic=statistic,
            period=period,
            label=f"{name} {statistic}",
        )

    def count(self, name: str) -> cloudwatch.IMetric:
        """How many of something in five minutes, whoever has written it."""
        parts = self._parts(name)
        if len(parts) == 1:
            return next(iter(parts.values()))
        return cloudwatch.MathExpression(
            expression=_sum(parts), using_metrics=parts, label=f"{name} Sum", period=FIVE_MINUTES
        )

    def _parts(self, name: str, period: Duration = FIVE_MINUTES) -> dict[str, cloudwatch.IMetric]:
        """The sums of a metric, each under an id for use in an expression."""
        stem = name[0].lower() + name[1:]
        return {f"{stem}_{service}": self.ours(name, "Sum", service, period) for service in METRICS[name]}

    def delivery_lag(self, statistic: str) -> cloudwatch.Metric:
        """Milliseconds from an event being written to the stream having it."""
        return self.ours("DeliveryLag", statistic)

    def failure_percentage(self, few: int = FEW, period: Duration = FIVE_MINUTES) -> cloudwatch.MathExpression:
        """Failed jobs of all that ended in a period, 0 while fewer than `few` failed."""
        failed, completed = self._parts("JobsFailed", period), self._parts("JobsCompleted", period)
        some, all_ended = f"({_sum(failed)})", f"({_sum({**failed, **completed})})"
        return cloudwatch.MathExpression(
            expression=f"IF({some} >= {few}, 100 * {some} / {all_ended}, 0)",
            using_metrics={**failed, **completed},
            label="failed %",
            period=period,
        )

    def function(self, name: str, metric: str, period: Duration = FIVE_MINUTES) -> cloudwatch.Metric:
        """Errors, Throttles, Invocations, ConcurrentExecutions of a function."""
        statistic = "Maximum" if metric == "ConcurrentExecutions" else "Sum"
        return self._functions[name].metric(metric, statistic=statistic, period=period, label=f"{name} {metric}")

    def stream_failures(self) -> cloudwatch.MathExpression:
        """Streams that ended in an error of the function, or that its address answered with 5xx.

        The larger of the two numbers, since one failure is most often in both.
        """
        return cloudwatch.MathExpression(
            expression="IF(FILL(errors, 0) > FILL(broken, 0), FILL(errors, 0), FILL(broken, 0))",
            using_metrics={
                "errors": self.function("stream", "Errors"),
                "broken": self._stream_answers("5"),
            },
            label="stream failures",
            period=FIVE_MINUTES,
        )

    def _stream_answers(self, hundreds: str) -> cloudwatch.Metric:
        """Answers of the stream's address with 4xx or 5xx."""
        if self._stream_api is None:
            return self._functions["stream"].metric(f"Url{hundreds}xxCount", statistic="Sum", period=FIVE_MINUTES)
        return self._stream_api.metric(f"{hundreds}XXError", statistic="Sum", period=FIVE_MINUTES)

    def account_concurrency(self) -> cloudwatch.Metric:
        """Executions at once of all functions of the account in this region, ours and others."""
        return cloudwatch.Metric(
            namespace="AWS/Lambda", metric_name="ConcurrentExecutions", statistic="Maximum", period=FIVE_MINUTES
        )

    def table_throttles(self) -> cloudwatch.MathExpression:
        """Requests to any table that DynamoDB turned away."""
        parts: dict[str, cloudwatch.IMetric] = {
            f"{name}_{kind.lower()}": table.metric(f"{kind}ThrottleEvents", statistic="Sum", period=FIVE_MINUTES)
            for name, table in self._tables.items()
            for kind in ("Read", "Write")
        }
        return cloudwatch.MathExpression(
            expression=_sum(parts), using_metrics=parts, label="throttled requests", period=FIVE_MINUTES
        )

    def refusals(self) -> cloudwatch.MathExpression:
        """Requests that the API or the stream's address answered with 4xx."""
        parts: dict[str, cloudwatch.IMetric] = {
            "api4xx": self.api("4xx"),
            "stream4xx": self._stream_answers("4"),
        }
        return cloudwatch.MathExpression(
            expression=_sum(parts), using_metrics=parts, label="refused requests", period=FIVE_MINUTES
        )

    def waiting_with_room(self, workers: int) -> cloudwatch.MathExpression:
        """1 if for five minutes there always was a message to take, and fewer than `workers` ran at once."""
        waiting = self._queue.queue.metric_approximate_number_of_messages_visible(
            statistic="Minimum", period=FIVE_MINUTES
        )
        return cloudwatch.MathExpression(
            expression=f"IF(FILL(waiting, 0) >= 1 AND FILL(running, 0) < {workers}, 1, 0)",
            using_metrics={"waiting": waiting, "running": self.function("worker", "ConcurrentExecutions")},
            label="waiting with room",
            period=FIVE_MINUTES,
        )

    def api(self, metric: str, statistic: str = "Sum") -> cloudwatch.Metric:
        """A metric of the HTTP API: 4xx, 5xx, Count, Latency."""
        return self._http_api.metric(metric, statistic=statistic, period=FIVE_MINUTES, label=f"{metric} {statistic}")

    def dead_letters(self) -> cloudwatch.Metric:
        """Messages in the dead-letter queue."""
        return self._queue.dead_letters.metric_approximate_number_of_messages_visible(
            statistic="Maximum", period=MINUTE
        )

    @property
    def webhooks(self) -> bool:
        """Whether webhooks are delivered."""
        return "deliver_webhook" in self._functions

    def canary_passes(self) -> cloudwatch.IMetric | None:
        """Round trips of the canary that were as they should be; None where there is none."""
        return self.count("CanaryPasses") if "canary" in self._functions else None

    def untold(self) -> cloudwatch.Metric | None:
        """Changes and webhooks that were given up; None where nobody is told."""
        if self._untold is None:
            return None
        return self._untold.metric_approximate_number_of_messages_visible(statistic="Maximum", period=MINUTE)

    def oldest_message(self) -> cloudwatch.Metric:
        """Age in seconds of the oldest message, those being worked on included."""
        return self._queue.queue.metric_approximate_age_of_oldest_message(statistic="Maximum", period=FIVE_MINUTES)

    def waiting(self) -> cloudwatch.Metric:
        """Messages that no worker has taken."""
        return self._queue.queue.metric_approximate_number_of_messages_visible(statistic="Maximum", period=MINUTE)


def _sum(metrics: Mapping[str, cloudwatch.IMetric]) -> str:
    """The sum of metrics by their ids; one that has no data counts as nothing."""
    return " + ".join(f"FILL({name}, 0)" for name in metrics)
