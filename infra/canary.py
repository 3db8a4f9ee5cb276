"""The canary: its function, its schedule, and with the stack's own user pool its user."""

from __future__ import annotations

import json
from typing import Final

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_cognito as cognito
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from aws_cdk import aws_kms as kms
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra.config import Config
from infra.environment import Environment
from infra.findings import accept
from infra.lambda_factory import LambdaFactory

MINUTES: Final = 5
USER: Final = "graphjobs-canary@example.com"
"""A pool's users are addresses; nothing is ever sent to this one."""


class CanaryCredentials(Construct):
    """`secret_arn`: what the canary gets its token with, configured or the stack's own; None without a canary."""

    def __init__(self, scope: Construct, id: str, config: Config, key: kms.IKey | None) -> None:
        super().__init__(scope, id)
        self.secret_arn: str | None = config.canary_secret or None
        self._made: secretsmanager.Secret | None = None
        if config.has_canary and not config.canary_secret:
            self._made = self._secret(key)
            self.secret_arn = self._made.secret_arn

    def user_in(self, pool: cognito.UserPool | None, functions: LambdaFactory) -> None:
        """Have the user of the stack's own secret made in `pool`, and removed with the stack."""
        if self._made is None or pool is None:
            return
        functions.custom_resource(
            self,
            "User",
            "make_canary_user",
            resource_type="Custom::CanaryUser",
            properties={"UserPool": pool.user_pool_id, "Secret": self._made.secret_arn},
            timeout=Duration.minutes(2),
        )

    def _secret(self, key: kms.IKey | None) -> secretsmanager.Secret:
        secret = secretsmanager.Secret(
            self,
            "Secret",
            description="The canary's user and password in the user pool",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template=json.dumps({"username": USER}),
                generate_string_key="password",
                password_length=40,
                require_each_included_type=True,
            ),
            encryption_key=key,
            removal_policy=RemovalPolicy.DESTROY,  # its user goes with it
        )
        accept(
            secret,
            "AwsSolutions-SMG4",
            "Its user may do what any user may; deployed without a canary and again with one, it has a new password.",
        )
        return secret


class Canary(Construct):
    """Asks for a job as a client does, every few minutes."""

    def __init__(self, scope: Construct, id: str, *, environment: Environment, functions: LambdaFactory) -> None:
        super().__init__(scope, id)
        made = functions.make(
            "canary",
            environment=environment.of("canary"),
            # A failure is to be seen, not tried again.
            asynchronous={"retry_attempts": 0, "max_event_age": Duration.seconds(60)},
        )
        events.Rule(
            self,
            "Schedule",
            description="graphjobs: a job as a client asks for it",
            schedule=events.Schedule.rate(Duration.minutes(MINUTES)),
            targets=[targets.LambdaFunction(made.target)],
        )
