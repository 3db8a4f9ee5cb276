"""How a finding of cdk-nag that stays is accepted: with its reason, at the construct that it is about."""

from __future__ import annotations

from typing import Any

from aws_cdk import Acknowledgment, Stack, Validations
from constructs import IConstruct


def accept(construct: IConstruct, rule: str, reason: str) -> None:
    """Accept the finding `rule` (``AwsSolutions-S1``) on `construct`."""
    Validations.of(construct).acknowledge(Acknowledgment(id=rule, reason=reason))


def accept_wildcard(construct: IConstruct, arn: str, reason: str) -> None:
    """Accept that a role below `construct` may act on `arn`, which has a wildcard in it."""
    text = _text(Stack.of(construct).resolve(arn))
    accept(construct, f"AwsSolutions-IAM5[Resource::{text}]", reason)


def _text(value: Any) -> str:
    """An ARN as cdk-nag writes it: what is known only at deployment in angle brackets."""
    if isinstance(value, str):
        return value
    if "Fn::Join" in value:
        separator, parts = value["Fn::Join"]
        return str(separator).join(_text(part) for part in parts)
    return f"<{value['Ref']}>" if "Ref" in value else f"<{'.'.join(value['Fn::GetAtt'])}>"
