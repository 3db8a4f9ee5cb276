"""The reconciler: a function on a schedule. Two runs at once are as good as one."""

from __future__ import annotations

from aws_cdk import Duration
from aws_cdk import aws_events as events
from aws_cdk import aws_events_targets as targets
from constructs import Construct

from infra.config import Config
from infra.environment import Environment
from infra.lambda_factory import LambdaFactory


class Reconcile(Construct):
    """The reconciler's function and its schedule."""

    def __init__(
        self, scope: Construct, id: str, config: Config, *, environment: Environment, functions: LambdaFactory
    ) -> None:
        super().__init__(scope, id)
        made = functions.make(
            "reconcile",
            environment=environment.of("reconcile"),
            # The next run is a better second try than a repetition of this one.
            asynchronous={"retry_attempts": 0, "max_event_age": Duration.seconds(60)},
        )
        self.function = made.function
        events.Rule(
            self,
            "Schedule",
            description="graphjobs: look after the jobs that nothing else will bring to an end",
            schedule=events.Schedule.rate(Duration.minutes(config.reconcile_minutes)),
            targets=[targets.LambdaFunction(made.target)],
        )
