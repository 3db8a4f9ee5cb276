"""The worker: takes one message of the queue at a time and runs its graph."""

from __future__ import annotations

from aws_cdk import Duration, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.config import Config
from infra.environment import Environment
from infra.findings import accept, accept_wildcard
from infra.job_queue import JobQueue
from infra.lambda_factory import LambdaFactory
from infra.permissions import WILDCARDS
from infra.statements import bedrock_statements, secrets_statement


class Worker(Construct):
    """The worker function and its mapping to the queue."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        config: Config,
        *,
        queue: JobQueue,
        environment: Environment,
        functions: LambdaFactory,
    ) -> None:
        super().__init__(scope, id)
        stack = Stack.of(self)
        bedrock = bedrock_statements(config, stack.partition, stack.region, stack.account)
        secrets = secrets_statement(config)
        made = functions.make(
            "worker",
            memory_mb=config.worker_memory_mb,
            timeout=Duration.seconds(config.worker_timeout_seconds),
            environment={**dict(config.worker_environment), **environment.of("worker")},
            more_statements=[*bedrock, *([secrets] if secrets else [])],
            snap_start=config.snap_start,
            # A job longer than one invocation sends itself on by the queue, which Lambda would stop after 16
            # rounds as a runaway loop; `max_handoffs` is the bound here.
            recursive_loop=lambda_.RecursiveLoop.ALLOW,
        )
        for number, arn in enumerate(config.worker_policies):
            made.role.add_managed_policy(iam.ManagedPolicy.from_managed_policy_arn(self, f"Policy{number}", arn))
            if ":iam::aws:policy/" in arn:
                reason = "The configuration names this policy of AWS's for the user's own graph."
                accept(made.role, f"AwsSolutions-IAM4[Policy::{arn}]", reason)
        self.function = made.function
        lambda_.EventSourceMapping(
            self,
            "Mapping",
            target=made.target,
            event_source_arn=queue.queue.queue_arn,
            batch_size=1,
            report_batch_item_failures=True,
            max_concurrency=config.workers,
        )
        for statement in bedrock:
            for resource in statement.resources:
                accept_wildcard(made.role, resource, WILDCARDS["bedrock"])
