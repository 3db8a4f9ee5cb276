"""CloudWatch metrics by what they mean: those that the functions write (EMF) and those that AWS keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_apigatewayv2 as apigateway
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_lambda as lambda_

from graphjobs.core.manifest import METRICS
from infra.job_queue import JobQueue

DIMENSION: Final = "service"
"""Every metric of ours has this one dimension: the function that wrote it."""

FIVE_MINUTES: Final = Duration.minutes(5)
MINUTE: Final = Duration.minutes(1)
FEW: Final = 5
"""Failures in a period below which a rate says nothing."""


class Metrics:
    """The metrics of one deployment."""

    def __init__(
        self,
        *,
        namespace: str,
        queue: JobQueue,
        http_api: apigateway.HttpApi,
        functions: Mapping[str, lambda_.Function],
    ) -> None:
        self._namespace = namespace
        self._queue = queue
        self._http_api = http_api
        self._functions = functions

    def ours(self, name: str, statistic: str, service: str | None = None) -> cloudwatch.Metric:
        """A metric that `service` writes; may be left out for one that only one does."""
        if service is None:
            (service,) = METRICS[name]
        return cloudwatch.Metric(
            namespace=self._namespace,
            metric_name=name,
            dimensions_map={DIMENSION: service},
            statistic=statistic,
            period=FIVE_MINUTES,
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

    def _parts(self, name: str) -> dict[str, cloudwatch.IMetric]:
        """The sums of a metric, each under an id for use in an expression."""
        stem = name[0].lower() + name[1:]
        return {f"{stem}_{service}": self.ours(name, "Sum", service) for service in METRICS[name]}

    def delivery_lag(self, statistic: str) -> cloudwatch.Metric:
        """Milliseconds from an event being written to the stream having it."""
        return self.ours("DeliveryLag", statistic)

    def failure_percentage(self) -> cloudwatch.MathExpression:
        """Failed jobs of all that ended, 0 while there are only a few."""
        failed, completed = self._parts("JobsFailed"), self._parts("JobsCompleted")
        some, all_ended = f"({_sum(failed)})", f"({_sum({**failed, **completed})})"
        return cloudwatch.MathExpression(
            expression=f"IF({some} >= {FEW}, 100 * {some} / {all_ended}, 0)",
            using_metrics={**failed, **completed},
            label="failed %",
            period=FIVE_MINUTES,
        )

    def function(self, name: str, metric: str, period: Duration = FIVE_MINUTES) -> cloudwatch.Metric:
        """Errors, Throttles, Invocations, ConcurrentExecutions of a function."""
        statistic = "Maximum" if metric == "ConcurrentExecutions" else "Sum"
        return self._functions[name].metric(metric, statistic=statistic, period=period, label=f"{name} {metric}")

    def stream_failures(self) -> cloudwatch.MathExpression:
        """Streams that ended in an error of the function, or that its URL answered with 5xx."""
        return cloudwatch.MathExpression(
            expression="FILL(errors, 0) + FILL(broken, 0)",
            using_metrics={
                "errors": self.function("stream", "Errors"),
                "broken": self._functions["stream"].metric("Url5xxCount", statistic="Sum", period=FIVE_MINUTES),
            },
            label="stream failures",
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

    def oldest_message(self) -> cloudwatch.Metric:
        """Age in seconds of the oldest message, those being worked on included."""
        return self._queue.queue.metric_approximate_age_of_oldest_message(statistic="Maximum", period=FIVE_MINUTES)

    def waiting(self) -> cloudwatch.Metric:
        """Messages that no worker has taken."""
        return self._queue.queue.metric_approximate_number_of_messages_visible(statistic="Maximum", period=MINUTE)


def _sum(metrics: Mapping[str, cloudwatch.IMetric]) -> str:
    """The sum of metrics by their ids; one that has no data counts as nothing."""
    return " + ".join(f"FILL({name}, 0)" for name in metrics)
