"""The queue between the API and the workers, and its dead-letter queue, which keeps its messages for people."""

from __future__ import annotations

from typing import Final

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_kms as kms
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.config import Config

VISIBILITY_MARGIN: Final = 30
"""Seconds; a mapping demands that a message stay hidden for as long as its function may run."""

MAX_RECEIVES: Final = 100
"""High, since attempts are counted on the job's row: a message that comes here is one that no worker could read,
or that met a backend failing for hours."""

RETENTION: Final = Duration.days(4)
"""Of a message that nobody takes; the reconciler sends a new one for each job that still waits."""

DEAD_LETTER_RETENTION: Final = Duration.days(14)
"""The most that SQS has. It counts from when a message was first sent, so the queue's own retention must be shorter by
the time that people have for looking at a dead letter: ten days at least."""


class JobQueue(Construct):
    """The `queue` and its `dead_letters`."""

    def __init__(self, scope: Construct, id: str, config: Config, key: kms.IKey | None = None) -> None:
        """`key` is the customer's own, None is for a key of SQS's."""
        super().__init__(scope, id)
        encryption = sqs.QueueEncryption.KMS if key else sqs.QueueEncryption.SQS_MANAGED
        removal = RemovalPolicy.RETAIN if config.production else RemovalPolicy.DESTROY
        self.dead_letters = sqs.Queue(
            self,
            "DeadLetters",
            encryption=encryption,
            encryption_master_key=key,
            enforce_ssl=True,
            retention_period=DEAD_LETTER_RETENTION,
            removal_policy=removal,
        )
        self.queue = sqs.Queue(
            self,
            "Queue",
            encryption=encryption,
            encryption_master_key=key,
            enforce_ssl=True,
            retention_period=RETENTION,
            visibility_timeout=Duration.seconds(config.worker_timeout_seconds + VISIBILITY_MARGIN),
            dead_letter_queue=sqs.DeadLetterQueue(queue=self.dead_letters, max_receive_count=MAX_RECEIVES),
            removal_policy=removal,
        )
