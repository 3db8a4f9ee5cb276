"""Least privilege: the manifest's permissions, and those of a deployment's own helpers, without CDK.

`tests/infra/test_roles.py` holds its own copy of the manifest's table, so that a change of either is a change of both.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from graphjobs.core.manifest import FUNCTIONS

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


def bedrock_advice(model: str) -> str | None:
    """A line about a model that will most likely be refused; None if nothing is known against it."""
    if re.fullmatch(r"bedrock\w*:anthropic\.claude-.+", model):
        provider, _, name = model.partition(":")
        return (
            f"model: most Claude models are served by an inference profile only, such as {provider}:us.{name} or "
            f"{provider}:global.{name}; should jobs fail with ValidationException, name one."
        )
    return None
