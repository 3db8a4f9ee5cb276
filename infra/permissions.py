"""Least privilege: the manifest's permissions as IAM statements. `LambdaFactory` gives a role exactly these, no more.

`tests/infra/test_roles.py` holds its own copy of the manifest's table, so that a change of either is a change of both.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from aws_cdk import aws_iam as iam

from graphjobs.core.manifest import FUNCTIONS
from infra.config import Config

OF_THE_STACK: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    "empty_bucket": {"bucket": ("s3:ListBucket",), "bucket/*": ("s3:DeleteObject",)},
}
"""Functions that are not ours to call: a deployment's own helpers."""

PERMISSIONS: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    **{spec.name: spec.may for spec in FUNCTIONS.values()},
    **OF_THE_STACK,
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
    """ARNs by the names of resources."""

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
