"""The functions behind the HTTP API, with their routes: a part of `manifest`."""

from __future__ import annotations

from typing import Final

from graphjobs.core.function_spec import FunctionSpec

TICKETS: Final = {"ticket_secret": ("secretsmanager:GetSecretValue",)}
"""For those that make or check tickets."""

ADMINISTRATORS: Final = ("admin_claim", "admin_value")
"""For those that let an administrator in."""

API: Final = (
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
            **TICKETS,
        },
        group="api",
        metrics=("JobsCreated",),
    ),
    FunctionSpec(
        name="list_jobs",
        module="graphjobs.api.list_jobs",
        routes=(("GET", "/jobs"),),
        needs=("jobs_table",),
        reads=ADMINISTRATORS,
        may={"jobs/index/by_owner": ("dynamodb:Query",)},
        group="api",
    ),
    FunctionSpec(
        name="job_status",
        module="graphjobs.api.job_status",
        routes=(("GET", "/jobs/{job_id}/status"),),
        needs=("jobs_table", "events_table", "payload_bucket", "stream_url"),
        reads=("thread_retention_seconds", *ADMINISTRATORS),
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
        reads=("thread_retention_seconds", *ADMINISTRATORS),
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
        reads=ADMINISTRATORS,
        may={"jobs": ("dynamodb:GetItem", "dynamodb:UpdateItem"), **TICKETS},
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
        reads=("thread_retention_seconds", *ADMINISTRATORS),
        may={
            "jobs": ("dynamodb:GetItem", "dynamodb:UpdateItem"),
            # How far the running job has got.
            "events": ("dynamodb:Query",),
            "checkpoints": ("dynamodb:BatchGetItem", "dynamodb:Query"),
            "bucket/states/*": ("s3:GetObject",),
        },
        group="api",
    ),
)
"""Those behind the HTTP API."""

ROUTES: Final = tuple((method, path, spec.name) for spec in API for method, path in spec.routes)
"""Method, path and function of every route of the HTTP API."""
