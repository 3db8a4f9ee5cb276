"""Least privilege: what each function may do, as one table. `LambdaFactory` gives a role exactly this, no more.

An action is here because the code calls it; `tests/infra/test_roles.py` holds its own copy of the table, so that a
change of either is a change of both. A transaction is authorised as its parts are (PutItem, UpdateItem).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aws_cdk import aws_iam as iam

from graphjobs.aws.schema import ACTIVE_INDEX, BY_OWNER_INDEX
from infra.config import API_FUNCTIONS, Config

# Names of resources, for the tables here and in the tests.
JOBS: Final = "jobs"
JOBS_BY_OWNER: Final = f"jobs/index/{BY_OWNER_INDEX}"
JOBS_ACTIVE: Final = f"jobs/index/{ACTIVE_INDEX}"
EVENTS: Final = "events"
CHECKPOINTS: Final = "checkpoints"
QUEUE: Final = "queue"
TICKET_SECRET: Final = "ticket_secret"  # noqa: S105 -- a name, not a secret
BUCKET: Final = "bucket"
EVENT_PAYLOADS: Final = "bucket/events/*"
CHECKPOINT_PAYLOADS: Final = "bucket/checkpoints/*"
ANY_PAYLOAD: Final = "bucket/*"

PERMISSIONS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "create_job": {
        JOBS: ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"),
        QUEUE: ("sqs:SendMessage",),
        TICKET_SECRET: ("secretsmanager:GetSecretValue",),
    },
    "job_status": {
        JOBS: ("dynamodb:GetItem",),
        EVENTS: ("dynamodb:Query",),
        EVENT_PAYLOADS: ("s3:GetObject",),
    },
    "list_jobs": {JOBS_BY_OWNER: ("dynamodb:Query",)},
    "cancel_job": {
        JOBS: ("dynamodb:GetItem", "dynamodb:UpdateItem"),
        EVENTS: ("dynamodb:PutItem", "dynamodb:Query"),
    },
    "stream_ticket": {JOBS: ("dynamodb:GetItem",), TICKET_SECRET: ("secretsmanager:GetSecretValue",)},
    "not_found": {},
    "stream": {
        JOBS: ("dynamodb:GetItem",),
        EVENTS: ("dynamodb:BatchGetItem", "dynamodb:GetItem", "dynamodb:Query"),
        EVENT_PAYLOADS: ("s3:GetObject",),
        TICKET_SECRET: ("secretsmanager:GetSecretValue",),
    },
    "worker": {
        JOBS: ("dynamodb:GetItem", "dynamodb:UpdateItem"),
        EVENTS: ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"),
        CHECKPOINTS: ("dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:Query"),
        EVENT_PAYLOADS: ("s3:PutObject",),
        # The saver tags its objects with their time to live.
        CHECKPOINT_PAYLOADS: ("s3:GetObject", "s3:PutObject", "s3:PutObjectTagging"),
        QUEUE: (
            "sqs:ChangeMessageVisibility",
            "sqs:DeleteMessage",
            "sqs:GetQueueAttributes",
            "sqs:ReceiveMessage",
            "sqs:SendMessage",
        ),
    },
    "reconcile": {
        JOBS: ("dynamodb:GetItem", "dynamodb:UpdateItem"),
        JOBS_ACTIVE: ("dynamodb:Query",),
        EVENTS: ("dynamodb:PutItem", "dynamodb:Query"),
        QUEUE: ("sqs:SendMessage",),
    },
    "empty_bucket": {BUCKET: ("s3:ListBucket",), ANY_PAYLOAD: ("s3:DeleteObject",)},
}

LOGGING: Final = ("logs:CreateLogStream", "logs:PutLogEvents")
TRACING: Final = ("xray:PutTelemetryRecords", "xray:PutTraceSegments")
BEDROCK: Final = ("bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream")

WILDCARDS: Final = {
    "*": "X-Ray's two write actions support no resource-level permissions.",
    "bucket/events/*": "The objects of one prefix; their names are made at run time.",
    "bucket/checkpoints/*": "The objects of one prefix; their names are made at run time.",
    "bucket/*": "Emptying a bucket is deleting whatever is in it.",
    "bedrock": "An inference profile calls its model in whichever of its regions has room.",
}
"""Why each wildcard is there, by the name of its resource."""


@dataclass(frozen=True, slots=True)
class Resources:
    """ARNs by the names above."""

    arns: Mapping[str, str]

    def arn(self, name: str) -> str:
        """The ARN of a resource, or of what is under it (``bucket/events/*``)."""
        first, slash, rest = name.partition("/")
        return self.arns[first] + slash + rest


def statements(function: str, resources: Resources, log_group_arn: str) -> list[iam.PolicyStatement]:
    """Everything that `function` may do."""
    allowed = [
        iam.PolicyStatement(actions=list(actions), resources=[resources.arn(name)])
        for name, actions in PERMISSIONS[function].items()
    ]
    allowed.append(iam.PolicyStatement(actions=list(LOGGING), resources=[log_group_arn]))
    allowed.append(iam.PolicyStatement(actions=list(TRACING), resources=["*"]))
    return allowed


def bedrock_statement(config: Config, partition: str, region: str, account: str) -> iam.PolicyStatement | None:
    """What the worker needs to call the configured model of Bedrock, and no other; None if it is not of Bedrock."""
    provider, _, model = config.model.partition(":")
    if not provider.startswith("bedrock"):
        return None
    resources = list(config.bedrock_resources) or _model_arns(model, partition, region, account)
    return iam.PolicyStatement(actions=list(BEDROCK), resources=resources)


def _model_arns(model: str, partition: str, region: str, account: str) -> list[str]:
    if model.startswith("arn:"):
        return [model]
    scope, _, base = model.partition(".")
    # A model's id begins with its maker; that of a cross-region inference profile with a geography.
    if scope in ("us", "eu", "apac", "jp", "au", "ca", "us-gov", "global"):
        profile = f"arn:{partition}:bedrock:{region}:{account}:inference-profile/{model}"
        return [profile, f"arn:{partition}:bedrock:*::foundation-model/{base}"]
    return [f"arn:{partition}:bedrock:{region}::foundation-model/{model}"]


FUNCTIONS: Final = (*API_FUNCTIONS, "not_found", "stream", "worker", "reconcile")
