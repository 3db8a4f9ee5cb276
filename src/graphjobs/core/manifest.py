"""Every function of a deployment, once: what it answers, reads, may do, brings along and measures.

The API's routes, roles, bundles, environment variables and metrics (`infra`), the local edge, the functions' own
start-up, the benchmarks and the tests all read this table; those behind the HTTP API are in `api_functions`. It
imports the standard library and `Settings` alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from graphjobs.core.api_functions import ADMINISTRATORS, API, TICKETS
from graphjobs.core.function_spec import FunctionSpec

_OTHERS: Final = (
    FunctionSpec(
        name="stream",
        module="graphjobs.stream.app",
        needs=("jobs_table", "events_table", "payload_bucket", "oidc_issuer", "oidc_audience", "ticket_secret"),
        reads=("stream_window_seconds", "max_job_viewers", "max_owner_viewers", *ADMINISTRATORS),
        may={
            "jobs": ("dynamodb:GetItem", "dynamodb:UpdateItem"),
            "events": ("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"),
            "bucket/events/*": ("s3:GetObject",),
            **TICKETS,
        },
        group="stream",
        metrics=("DeliveryLag", "OpenStreams"),
    ),
    FunctionSpec(
        name="worker",
        module="graphjobs.worker.start",
        needs=("jobs_table", "events_table", "checkpoints_table", "store_table", "queue_url", "payload_bucket"),
        reads=(
            "config",
            "model",
            "secrets",
            "log_graph_errors",
            "error_detail",
            "graph_digest",
            "on_new_version",
            "lease_seconds",
            "heartbeat_seconds",
            "flush_interval_ms",
            "max_attempts",
            "max_starts",
            "max_handoffs",
            "default_timeout_seconds",
            "max_timeout_seconds",
            "retention_seconds",
            "thread_retention_seconds",
        ),
        may={
            "jobs": ("dynamodb:GetItem", "dynamodb:UpdateItem"),
            "events": ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"),
            "checkpoints": ("dynamodb:BatchGetItem", "dynamodb:PutItem", "dynamodb:Query"),
            "store": (
                "dynamodb:DeleteItem",
                "dynamodb:GetItem",
                "dynamodb:Query",
                "dynamodb:Scan",
                "dynamodb:UpdateItem",
            ),
            "bucket/events/*": ("s3:PutObject",),
            "bucket/inputs/*": ("s3:GetObject",),
            "bucket/checkpoints/*": ("s3:GetObject", "s3:PutObject"),
            "bucket/states/*": ("s3:GetObject", "s3:PutObject"),
            "queue": (
                "sqs:ChangeMessageVisibility",
                "sqs:DeleteMessage",
                "sqs:GetQueueAttributes",
                "sqs:ReceiveMessage",
                "sqs:SendMessage",
            ),
        },
        group="worker",
        metrics=(
            "JobsCompleted",
            "JobsInterrupted",
            "JobsFailed",
            "JobsCancelled",
            "QueueWait",
            "SubmitToFirstEvent",
            "RunTime",
            "Attempts",
            "FencedWrites",
            "HandOffs",
            "StartFailures",
        ),
    ),
    FunctionSpec(
        name="reconcile",
        module="graphjobs.reconcile.handler",
        needs=("jobs_table", "events_table", "checkpoints_table", "queue_url", "payload_bucket"),
        reads=("lease_seconds", "heartbeat_seconds", "max_attempts", "max_handoffs", "thread_retention_seconds"),
        may={
            "jobs": ("dynamodb:DeleteItem", "dynamodb:GetItem", "dynamodb:UpdateItem"),
            "jobs/index/active": ("dynamodb:Query",),
            "jobs/index/by_owner": ("dynamodb:Query",),
            "events": ("dynamodb:BatchWriteItem", "dynamodb:PutItem", "dynamodb:Query"),
            # To erase what was deleted.
            "checkpoints": ("dynamodb:BatchWriteItem", "dynamodb:Query"),
            "bucket": ("s3:ListBucket",),
            "bucket/events/*": ("s3:DeleteObject",),
            "bucket/inputs/*": ("s3:DeleteObject",),
            "bucket/states/*": ("s3:DeleteObject",),
            "bucket/checkpoints/*": ("s3:DeleteObject",),
            "queue": ("sqs:SendMessage",),
        },
        group="reconcile",
        metrics=("JobsFailed", "JobsCancelled", "StuckJobs"),
        memory_mb=256,
        timeout_seconds=120,
    ),
    FunctionSpec(
        name="authorize_stream",
        part="rest_api",
        module="graphjobs.stream.authorizer",
        group="stream",
        needs=("oidc_issuer", "oidc_audience", "ticket_secret"),
        may=TICKETS,
        memory_mb=256,
        timeout_seconds=10,
    ),
    FunctionSpec(
        name="canary",
        part="canary",
        module="graphjobs.canary.handler",
        group="reconcile",
        needs=("api_url", "oidc_issuer", "oidc_audience", "canary_secret"),
        reads=("canary_body",),
        may={"canary_secret": ("secretsmanager:GetSecretValue",)},
        metrics=("CanaryPasses",),
        memory_mb=256,
        timeout_seconds=120,
    ),
    FunctionSpec(
        name="publish_status",
        part="notify",
        module="graphjobs.notify.publish",
        group="reconcile",
        reads=("event_bus", "webhooks_url"),
        may={
            "jobs/stream/*": (
                "dynamodb:DescribeStream",
                "dynamodb:GetRecords",
                "dynamodb:GetShardIterator",
                "dynamodb:ListStreams",
            ),
            "event_bus": ("events:PutEvents",),
            "webhooks": ("sqs:SendMessage",),
            # Lambda itself puts what was given up there, as the function.
            "untold": ("sqs:SendMessage",),
        },
        memory_mb=256,
        timeout_seconds=60,
    ),
    FunctionSpec(
        name="deliver_webhook",
        part="notify",
        module="graphjobs.notify.deliver",
        group="reconcile",
        needs=("jobs_table", "webhooks_url", "webhook_secret", "webhook_hosts"),
        may={
            "jobs": ("dynamodb:GetItem",),
            "webhooks": (
                "sqs:ChangeMessageVisibility",
                "sqs:DeleteMessage",
                "sqs:GetQueueAttributes",
                "sqs:ReceiveMessage",
            ),
            "webhook_secret": ("secretsmanager:GetSecretValue",),
        },
        metrics=("WebhooksDelivered", "WebhooksFailed"),
        memory_mb=256,
        timeout_seconds=30,
    ),
)

FUNCTIONS: Final[Mapping[str, FunctionSpec]] = {spec.name: spec for spec in (*API, *_OTHERS)}
"""By name."""

METRICS: Final[Mapping[str, tuple[str, ...]]] = {
    metric: tuple(name for name, spec in FUNCTIONS.items() if metric in spec.metrics)
    for each in FUNCTIONS.values()
    for metric in each.metrics
}
"""Every metric, and the functions that write it."""
