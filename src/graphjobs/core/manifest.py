"""Every function of a deployment, once: what it answers, reads, may do, brings along and measures.

The API's routes, roles, bundles, environment variables and metrics (`infra`), the local edge, the functions' own
start-up, the benchmarks and the tests all read this table. It imports the standard library and `Settings` alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from graphjobs.core.settings import Settings

Route = tuple[str, str]
"""Method and path, such as ``("GET", "/jobs/{job_id}/status")``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FunctionSpec:
    """One function.

    Attributes:
        name: the folder of its entry, `functions/<name>/`, and the service in its logs and metrics.
        module: where its code begins.
        group: the dependency group of its bundle.
        routes: what it answers behind the HTTP API, each with a token; none for the others.
        needs: attributes of `Settings` that must be set; it does not start without them.
        reads: further attributes of `Settings`, which have a default.
        may: AWS actions by the name of a resource (`infra.permissions` knows their ARNs). A transaction is authorised
            as its parts are (PutItem, UpdateItem). Only what the code calls: a test compares.
        metrics: what it writes, by the names in `graphjobs.observability`.
        memory_mb: where it is no context key of the deployment.
        timeout_seconds: where it is no context key of the deployment.
        part: of which deployments it is: those with ``notify``, ``rest_api`` or ``canary``; empty for all.
    """

    name: str
    module: str
    group: str
    routes: tuple[Route, ...] = ()
    needs: tuple[str, ...] = ()
    reads: tuple[str, ...] = ()
    may: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    metrics: tuple[str, ...] = ()
    memory_mb: int | None = None
    timeout_seconds: int | None = None
    part: str = ""

    @property
    def optional(self) -> bool:
        """Whether only a deployment that asks for it has it."""
        return bool(self.part)

    def settings(self, environ: Mapping[str, str]) -> Settings:
        """The settings of this function.

        Raises:
            SettingsError: one that it needs is missing, or one is wrong.
        """
        return Settings.from_env(environ, required=self.needs)


_TICKETS: Final = {"ticket_secret": ("secretsmanager:GetSecretValue",)}

_ALL: Final = (
    FunctionSpec(
        name="create_job",
        module="graphjobs.api.create_job",
        routes=(("POST", "/jobs"), ("POST", "/threads/{thread_id}/state")),
        needs=(
            "jobs_table",
            "events_table",
            "checkpoints_table",
            "queue_url",
            "payload_bucket",
            "stream_url",
            "ticket_secret",
        ),
        reads=(
            "graphs",
            "default_timeout_seconds",
            "max_timeout_seconds",
            "retention_seconds",
            "thread_retention_seconds",
            "webhook_hosts",
            "max_active_jobs",
        ),
        may={
            "jobs": ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"),
            # The multitask strategies that end the jobs before.
            "events": ("dynamodb:PutItem", "dynamodb:Query"),
            # The states that a job may begin at.
            "checkpoints": ("dynamodb:Query",),
            "bucket/inputs/*": ("s3:PutObject",),
            "queue": ("sqs:SendMessage",),
            **_TICKETS,
        },
        group="api",
        metrics=("JobsCreated",),
    ),
    FunctionSpec(
        name="list_jobs",
        module="graphjobs.api.list_jobs",
        routes=(("GET", "/jobs"),),
        needs=("jobs_table",),
        may={"jobs/index/by_owner": ("dynamodb:Query",)},
        group="api",
    ),
    FunctionSpec(
        name="job_status",
        module="graphjobs.api.job_status",
        routes=(("GET", "/jobs/{job_id}/status"),),
        needs=("jobs_table", "events_table", "payload_bucket", "stream_url"),
        reads=("thread_retention_seconds",),
        may={
            "jobs": ("dynamodb:GetItem",),
            "jobs/index/by_owner": ("dynamodb:Query",),
            "events": ("dynamodb:Query",),
            "bucket/events/*": ("s3:GetObject",),
        },
        group="api",
    ),
    FunctionSpec(
        name="cancel_job",
        module="graphjobs.api.cancel_job",
        routes=(("POST", "/jobs/{job_id}/cancel"), ("DELETE", "/jobs/{job_id}")),
        needs=("jobs_table", "events_table", "queue_url", "payload_bucket"),
        reads=("thread_retention_seconds",),
        may={
            "jobs": ("dynamodb:GetItem", "dynamodb:UpdateItem"),
            "events": ("dynamodb:PutItem", "dynamodb:Query"),
            # To the next job of its thread.
            "queue": ("sqs:SendMessage",),
        },
        group="api",
        metrics=("JobsCancelled",),
    ),
    FunctionSpec(
        name="stream_ticket",
        module="graphjobs.api.stream_ticket",
        routes=(("POST", "/jobs/{job_id}/stream-ticket"), ("DELETE", "/jobs/{job_id}/stream-ticket")),
        needs=("jobs_table", "stream_url", "ticket_secret"),
        may={"jobs": ("dynamodb:GetItem", "dynamodb:UpdateItem"), **_TICKETS},
        group="api",
    ),
    FunctionSpec(
        name="threads",
        module="graphjobs.api.threads",
        routes=(
            ("POST", "/threads"),
            ("GET", "/threads/{thread_id}"),
            ("PATCH", "/threads/{thread_id}"),
            ("DELETE", "/threads/{thread_id}"),
            ("GET", "/threads/{thread_id}/state"),
            ("GET", "/threads/{thread_id}/state/{checkpoint_id}"),
            ("POST", "/threads/{thread_id}/state/checkpoint"),
            ("GET", "/threads/{thread_id}/history"),
            ("POST", "/threads/{thread_id}/history"),
        ),
        needs=("jobs_table", "events_table", "checkpoints_table", "payload_bucket"),
        reads=("thread_retention_seconds",),
        may={
            "jobs": ("dynamodb:GetItem", "dynamodb:UpdateItem"),
            # How far the running job has got.
            "events": ("dynamodb:Query",),
            "checkpoints": ("dynamodb:BatchGetItem", "dynamodb:Query"),
            "bucket/states/*": ("s3:GetObject",),
        },
        group="api",
    ),
    FunctionSpec(
        name="stream",
        module="graphjobs.stream.app",
        needs=("jobs_table", "events_table", "payload_bucket", "oidc_issuer", "oidc_audience", "ticket_secret"),
        reads=("stream_window_seconds", "max_job_viewers", "max_owner_viewers"),
        may={
            "jobs": ("dynamodb:GetItem", "dynamodb:UpdateItem"),
            "events": ("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"),
            "bucket/events/*": ("s3:GetObject",),
            **_TICKETS,
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
)

_FRONT: Final = (
    FunctionSpec(
        name="authorize_stream",
        part="rest_api",
        module="graphjobs.stream.authorizer",
        group="stream",
        needs=("oidc_issuer", "oidc_audience", "ticket_secret"),
        may=_TICKETS,
        memory_mb=256,
        timeout_seconds=10,
    ),
)

_CANARY: Final = (
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
)

_NOTIFICATIONS: Final = (
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

FUNCTIONS: Final[Mapping[str, FunctionSpec]] = {spec.name: spec for spec in (*_ALL, *_FRONT, *_CANARY, *_NOTIFICATIONS)}
"""By name."""

API: Final = tuple(spec for spec in _ALL if spec.routes)
"""Those behind the HTTP API."""

ROUTES: Final = tuple((method, path, spec.name) for spec in API for method, path in spec.routes)
"""Method, path and function of every route of the HTTP API."""

METRICS: Final[Mapping[str, tuple[str, ...]]] = {
    metric: tuple(name for name, spec in FUNCTIONS.items() if metric in spec.metrics)
    for each in FUNCTIONS.values()
    for metric in each.metrics
}
"""Every metric, and the functions that write it."""
