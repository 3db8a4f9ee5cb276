"""The permissions as IAM statements: `LambdaFactory` gives a role exactly these, no more."""

from __future__ import annotations

from typing import Final

from aws_cdk import aws_iam as iam

from infra.config import Config
from infra.permissions import OPTIONAL, PERMISSIONS, Resources
from infra.values import secret_of

LOGGING: Final = ("logs:CreateLogStream", "logs:PutLogEvents")

BEDROCK: Final = ("bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream")

GEOGRAPHIES: Final = ("us", "eu", "apac", "jp", "au", "ca", "us-gov", "global")


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
