"""Telling others of a job's status: events on EventBridge, and webhooks. Only where the configuration asks for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as sources
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from graphjobs.core.job import Status
from graphjobs.core.manifest import FUNCTIONS
from infra.config import Config
from infra.environment import Environment
from infra.findings import accept
from infra.lambda_factory import LambdaFactory
from infra.signing_keys import signing_keys

TRIES: Final = 8
"""Of a webhook: with the pauses of `graphjobs.notify.deliver` about six hours."""

BATCH: Final = 10
OLDEST: Final = Duration.hours(24)
"""Older changes are given up: what DynamoDB keeps of a stream at most."""


class Notifications(Construct):
    """What the two functions need: queues and the keys that sign webhooks. Empty where nobody is told."""

    def __init__(self, scope: Construct, id: str, config: Config, key: kms.IKey | None = None) -> None:
        super().__init__(scope, id)
        self._config = config
        self._key = key
        self.dead_letters: sqs.Queue | None = None
        self.webhooks: sqs.Queue | None = None
        self.arns: dict[str, str] = {}
        self.environment: dict[str, str] = {"WEBHOOK_HOSTS": "", "WEBHOOKS_URL": "", "WEBHOOK_SECRET": ""}
        self.environment["EVENT_BUS"] = config.event_bus
        if not config.notifies:
            return
        self.dead_letters = self._queue("DeadLetters", retention_period=Duration.days(14))
        accept(
            self.dead_letters,
            "AwsSolutions-SQS3",
            "It is the dead-letter queue, of a stream's mapping and of webhooks.",
        )
        self.arns["untold"] = self.dead_letters.queue_arn
        if config.event_bus:
            self.arns["event_bus"] = Stack.of(self).format_arn(
                service="events", resource="event-bus", resource_name=config.event_bus
            )
        if config.webhooks:
            self._webhooks(self.dead_letters)

    def _webhooks(self, dead_letters: sqs.Queue) -> None:
        timeout = FUNCTIONS["deliver_webhook"].timeout_seconds or 0
        self.webhooks = self._queue(
            "Webhooks",
            # Six times the function's timeout, as Lambda's guide has it.
            visibility_timeout=Duration.seconds(timeout * 6),
            retention_period=Duration.days(4),
            dead_letter_queue=sqs.DeadLetterQueue(queue=dead_letters, max_receive_count=TRIES),
        )
        secret = signing_keys(self, "WebhookKeys", "webhooks", self._removal, self._key)
        self.secret = secret
        self.arns |= {"webhooks": self.webhooks.queue_arn, "webhook_secret": secret.secret_arn}
        self.environment |= {
            "WEBHOOK_HOSTS": "public",
            "WEBHOOKS_URL": self.webhooks.queue_url,
            "WEBHOOK_SECRET": secret.secret_arn,
        }

    @property
    def _removal(self) -> RemovalPolicy:
        return RemovalPolicy.RETAIN if self._config.production else RemovalPolicy.DESTROY

    def _queue(self, id: str, **options: Any) -> sqs.Queue:
        return sqs.Queue(
            self,
            id,
            encryption=sqs.QueueEncryption.KMS if self._key else sqs.QueueEncryption.SQS_MANAGED,
            encryption_master_key=self._key,
            enforce_ssl=True,
            removal_policy=self._removal,
            **options,
        )


class Notify(Construct):
    """The functions, and what calls them."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        notifications: Notifications,
        jobs: dynamodb.Table,
        *,
        environment: Environment,
        functions: LambdaFactory,
    ) -> None:
        super().__init__(scope, id)
        assert jobs.table_stream_arn and notifications.dead_letters  # noqa: S101 - both are there when anybody is told
        publish = functions.make("publish_status", environment=environment.of("publish_status"))
        lambda_.EventSourceMapping(
            self,
            "Changes",
            target=publish.target,
            event_source_arn=jobs.table_stream_arn,
            # A change that was made while the mapping is set up is told too.
            starting_position=lambda_.StartingPosition.TRIM_HORIZON,
            batch_size=BATCH,
            report_batch_item_failures=True,
            bisect_batch_on_error=True,
            max_record_age=OLDEST,
            # The right to send there is in the manifest: a role is not changed from outside.
            on_failure=sources.SqsDlq(notifications.dead_letters),
            filters=[lambda_.FilterCriteria.filter(pattern) for pattern in patterns()],
        )
        if notifications.webhooks is not None:
            deliver = functions.make("deliver_webhook", environment=environment.of("deliver_webhook"))
            lambda_.EventSourceMapping(
                self,
                "Deliveries",
                target=deliver.target,
                event_source_arn=notifications.webhooks.queue_arn,
                batch_size=1,
                report_batch_item_failures=True,
            )


def patterns() -> list[Mapping[str, Any]]:
    """Which records invoke the function: new rows, and rows whose status is another one. Heartbeats do not."""
    ended = [status.value for status in Status if status.terminal]
    row = {"pk": {"S": [{"prefix": "job#"}]}}
    return [
        {"eventName": ["INSERT"], "dynamodb": {"NewImage": row}},
        *(
            {
                "eventName": ["MODIFY"],
                "dynamodb": {
                    "NewImage": {**row, "status": {"S": after}},
                    "OldImage": {"status": {"S": [{"anything-but": after}]}},
                },
            }
            for after in ([Status.RUNNING.value], [Status.CANCELLING.value], ended)
        ),
    ]
