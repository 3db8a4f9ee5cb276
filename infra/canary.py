"""The canary's function and its schedule."""

from __future__ import annotations

from typing import Final

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from constructs import Construct

from infra.environment import Environment
from infra.lambda_factory import LambdaFactory

MINUTES: Final = 5


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
