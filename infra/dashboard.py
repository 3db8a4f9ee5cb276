"""The dashboard (are jobs done, in time, and seen?) and the saved queries of CloudWatch Logs Insights."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from aws_cdk import Aws, CfnMapping, Fn
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_logs as logs
from constructs import Construct

from infra.metrics import Metrics

QUERIES: Final = {
    "everything-about-one-job": """
        fields @timestamp, service, level, message, attempt, epoch, left, refusal, status, code, before, after, error,
            exception, exception_notes, graph, new, times, again_at, release
        | filter job_id = "REPLACE-WITH-JOB-ID"
        | sort @timestamp asc
        | limit 1000
    """,
    "slowest-jobs": """
        filter service = "worker" and message in ["claimed", "finished"]
        | stats min(@timestamp) as began, max(@timestamp) as ended, ended - began as run_ms,
            max(attempt) as attempts by job_id
        | sort run_ms desc
        | limit 50
    """,
    "failures-by-code": """
        filter status = "failed" and ispresent(code)
        | stats count() as jobs, latest(job_id) as example by code
        | sort jobs desc
    """,
    "errors": """
        fields @timestamp, service, job_id, message, exception_name, exception
        | filter level in ["ERROR", "CRITICAL"]
        | sort @timestamp desc
        | limit 200
    """,
}


CONSOLES: Final = {
    "aws": "console.aws.amazon.com",
    "aws-cn": "console.amazonaws.cn",
    "aws-us-gov": "console.amazonaws-us-gov.com",
}
"""Where AWS's console is, by partition."""


class Dashboard(Construct):
    """One page of graphs and a folder of queries."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        metrics: Metrics,
        *,
        alarms: Sequence[cloudwatch.Alarm],
        log_groups: Sequence[logs.LogGroup],
    ) -> None:
        super().__init__(scope, id)
        dashboard = cloudwatch.Dashboard(self, "Dashboard", widgets=[list(row) for row in rows(metrics, alarms)])
        console = CfnMapping(self, "Console", mapping={part: {"host": host} for part, host in CONSOLES.items()})
        self.url = (
            f"https://{Aws.REGION}.{console.find_in_map(Aws.PARTITION, 'host')}/cloudwatch/home?region={Aws.REGION}"
            f"#dashboards/dashboard/{dashboard.dashboard_name}"
        )
        for name, text in QUERIES.items():
            lines = [line.strip() for line in text.strip().splitlines()]
            logs.CfnQueryDefinition(
                self,
                "".join(part.capitalize() for part in name.split("-")),
                name=Fn.join("/", [Aws.STACK_NAME, name]),
                query_string="\n".join(lines),
                log_group_names=[group.log_group_name for group in log_groups],
            )


def rows(metrics: Metrics, alarms: Sequence[cloudwatch.Alarm]) -> list[list[cloudwatch.IWidget]]:
    """The widgets, a row each."""
    ends = ("JobsCompleted", "JobsInterrupted", "JobsFailed", "JobsCancelled")
    jobs = ("JobsCreated", *ends, "Attempts", "HandOffs", "FencedWrites")
    told = [metrics.count(name) for name in ("WebhooksDelivered", "WebhooksFailed")] if metrics.webhooks else []
    return [
        [cloudwatch.AlarmStatusWidget(title="Alarms", alarms=list(alarms), width=24, height=3)],
        [
            _graph("Jobs", [metrics.count(name) for name in jobs]),
            _graph("Failed jobs, %", [metrics.failure_percentage()]),
            _graph("Queue", [metrics.waiting(), metrics.oldest_message(), metrics.dead_letters()]),
        ],
        [
            _graph("Wait in the queue, ms", _spread(metrics, "QueueWait")),
            _graph("Submit to first event, ms", _spread(metrics, "SubmitToFirstEvent")),
            _graph("Run time, ms", _spread(metrics, "RunTime")),
        ],
        [
            _graph("Delivery lag, ms", _spread(metrics, "DeliveryLag")),
            _graph("Streams", [metrics.count("OpenStreams"), metrics.stream_failures()]),
            _graph("Stuck jobs", [metrics.count("StuckJobs"), metrics.count("StartFailures")]),
            *([_graph("Webhooks", told)] if told else []),
            *([_graph("Canary", [passes])] if (passes := metrics.canary_passes()) else []),
        ],
        [
            _graph(
                "API",
                [metrics.api("Count"), metrics.api("4xx"), metrics.api("5xx"), metrics.api("Latency", "p99")],
            ),
            _graph(
                "Concurrency",
                [metrics.function(name, "ConcurrentExecutions") for name in ("worker", "stream")],
            ),
            _graph(
                "Errors and throttles",
                [metrics.function(name, what) for name in ("worker", "stream") for what in ("Errors", "Throttles")],
            ),
        ],
    ]


def _graph(title: str, of: Sequence[cloudwatch.IMetric]) -> cloudwatch.GraphWidget:
    return cloudwatch.GraphWidget(title=title, left=list(of), width=8, height=6)


def _spread(metrics: Metrics, name: str) -> list[cloudwatch.IMetric]:
    return [metrics.ours(name, statistic) for statistic in ("p50", "p90", "p99")]
