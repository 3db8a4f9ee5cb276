"""Least privilege: the manifest's permissions as IAM statements. `LambdaFactory` gives a role exactly these, no more.

`tests/infra/test_roles.py` holds its own copy of the manifest's table, so that a change of either is a change of both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aws_cdk import aws_iam as iam

from graphjobs.core.manifest import FUNCTIONS
from infra.config import Config
from infra.values import secret_of

OF_THE_STACK: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "empty_bucket": {"bucket": ("s3:ListBucket",), "bucket/*": ("s3:DeleteObject",)},
    "make_canary_user": {
        "user_pool": ("cognito-idp:AdminCreateUser", "cognito-idp:AdminDeleteUser", "cognito-idp:AdminSetUserPassword"),
        "canary_secret": ("secretsmanager:GetSecretValue",),
    },
}
"""Functions that are not ours to call: a deployment's own helpers."""

PERMISSIONS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    **{spec.name: spec.may for spec in FUNCTIONS.values()},
    **OF_THE_STACK,
}

OPTIONAL: Final = frozenset(spec.name for spec in FUNCTIONS.values() if spec.optional)

LOGGING: Final = ("logs:CreateLogStream", "logs:PutLogEvents")
TRACING: Final = ("xray:PutTelemetryRecords", "xray:PutTraceSegments")
ENCRYPTION: Final = (
    "kms:Decrypt",
    "kms:DescribeKey",
    "kms:Encrypt",
    "kms:GenerateDataKey",
    "kms:ReEncryptFrom",
    "kms:ReEncryptTo",
)
"""What reading and writing through a service with a key of the customer's needs of that key."""

BEDROCK: Final = ("bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream")

GEOGRAPHIES: Final = ("us", "eu", "apac", "jp", "au", "ca", "us-gov", "global")

WILDCARDS: Final = {
    "*": "X-Ray's two write actions support no resource-level permissions.",
    "jobs/stream/*": "The name of a table's stream holds the time at which it was made.",
    "bucket/events/*": "The objects of one prefix; their names are made at run time.",
    "bucket/inputs/*": "The objects of one prefix; their names are made at run time.",
    "bucket/checkpoints/*": "The objects of one prefix; their names are made at run time.",
    "bucket/states/*": "The objects of one prefix; their names are made at run time.",
    "bucket/*": "Emptying a bucket is deleting whatever is in it.",
    "bedrock": "An inference profile calls its model in whichever of its regions has room.",
}
"""Why each wildcard is there, by the name of its resource."""


@dataclass(frozen=True, slots=True)
class Resources:
    """ARNs by the names of resources."""

    arns: Mapping[str, str]

    def has(self, name: str) -> bool:
        """Whether this deployment has the resource."""
        return name.partition("/")[0] in self.arns

    def arn(self, name: str) -> str:
        """The ARN of a resource, or of what is under it (``bucket/events/*``)."""
        first, slash, rest = name.partition("/")
        return self.arns[first] + slash + rest


def statements(function: str, resources: Resources, log_group_arn: str) -> list[iam.PolicyStatement]:
    """What `function` may do in every deployment."""
    allowed = [
        iam.PolicyStatement(actions=list(actions), resources=[resources.arn(name)])
        for name, actions in PERMISSIONS[function].items()
        # Those who tell others of a job do so in one of two ways or both: what is not there needs no right.
        if resources.has(name) or function not in OPTIONAL
    ]
    allowed.append(iam.PolicyStatement(actions=list(LOGGING), resources=[log_group_arn]))
    return allowed


def bedrock_statements(config: Config, partition: str, region: str, account: str) -> list[iam.PolicyStatement]:
    """What the worker needs to call the configured model of Bedrock, and no other; none if it is not of Bedrock."""
    provider, _, model = config.model.partition(":")
    if not provider.startswith("bedrock"):
        return []
    if config.bedrock_resources:
        return [iam.PolicyStatement(actions=list(BEDROCK), resources=list(config.bedrock_resources))]
    profile = _profile_arn(model, partition, region, account)
    if profile is None:
        arn = model if model.startswith("arn:") else f"arn:{partition}:bedrock:{region}::foundation-model/{model}"
        return [iam.PolicyStatement(actions=list(BEDROCK), resources=[arn])]
    return [
        # langchain-aws asks a profile which model is behind it.
        iam.PolicyStatement(actions=[*BEDROCK, "bedrock:GetInferenceProfile"], resources=[profile]),
        iam.PolicyStatement(
            actions=list(BEDROCK),
            resources=[f"arn:{partition}:bedrock:*::foundation-model/{_base(model)}"],
            conditions={"StringEquals": {"bedrock:InferenceProfileArn": profile}},
        ),
    ]


def bedrock_advice(model: str) -> str | None:
    """A line about a model that will most likely be refused; None if nothing is known against it."""
    if re.fullmatch(r"bedrock\w*:anthropic\.claude-.+", model):
        provider, _, name = model.partition(":")
        return (
            f"model: most Claude models are served by an inference profile only, such as {provider}:us.{name} or "
            f"{provider}:global.{name}; should jobs fail with ValidationException, name one."
        )
    return None


def secrets_statement(config: Config) -> iam.PolicyStatement | None:
    """What the worker needs to read the configured secrets, and no other."""
    arns = sorted({secret_of(arn) for _, arn in config.worker_secrets})
    return iam.PolicyStatement(actions=["secretsmanager:GetSecretValue"], resources=arns) if arns else None


def _profile_arn(model: str, partition: str, region: str, account: str) -> str | None:
    if model.startswith("arn:"):
        return model if "inference-profile/" in model else None
    # A model's id begins with its maker; that of a cross-region inference profile with a geography.
    if model.partition(".")[0] in GEOGRAPHIES:
        return f"arn:{partition}:bedrock:{region}:{account}:inference-profile/{model}"
    return None


def _base(model: str) -> str:
    """The model behind a profile; an application's profile has a name that says nothing of it."""
    name = model.rpartition("/")[2] if "application-inference-profile" not in model else ""
    scope, _, base = name.partition(".")
    return base if scope in GEOGRAPHIES else "*"
