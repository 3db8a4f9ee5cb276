"""What functions keep jobs in, put together from settings: the one place where stores and clients meet."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

from graphjobs.aws import clients
from graphjobs.aws.dynamo_log import DynamoEventLog
from graphjobs.aws.erasure import Erasure
from graphjobs.aws.input_bodies import InputBodies
from graphjobs.aws.job_store import JobStore
from graphjobs.aws.payload_store import PayloadStore
from graphjobs.aws.queue import JobQueue
from graphjobs.aws.state_store import StateStore
from graphjobs.aws.thread_history import ThreadHistory
from graphjobs.aws.thread_store import ThreadStore
from graphjobs.aws.transition import Transitions
from graphjobs.core.lifetimes import Lifetimes
from graphjobs.core.times import Clock, now_ms

if TYPE_CHECKING:
    from botocore.config import Config
    from mypy_boto3_dynamodb import DynamoDBClient

    from graphjobs.core.settings import Settings


class Backend:
    """Each part is made when it is first asked for, so a function needs the settings of those that it uses."""

    def __init__(self, settings: Settings, config: Config = clients.REQUEST, clock: Clock = now_ms) -> None:
        """`config` says how long its clients wait and how often they try: see `clients`."""
        self.settings = settings
        self.clock = clock
        self._config = config

    @cached_property
    def dynamodb(self) -> DynamoDBClient:
        """The client that the stores share."""
        return clients.dynamodb(self._config)

    @cached_property
    def jobs(self) -> JobStore:
        """The rows."""
        bodies = InputBodies(lambda: clients.s3(self._config), self.settings.payload_bucket)
        return JobStore(self.dynamodb, self.settings.jobs_table, bodies)

    @cached_property
    def log(self) -> DynamoEventLog:
        """The events."""
        payloads = PayloadStore(clients.s3(self._config), self.settings.payload_bucket)
        return DynamoEventLog(self.dynamodb, self.settings.events_table, payloads)

    @cached_property
    def transitions(self) -> Transitions:
        """What changes row and log together."""
        return Transitions(
            self.dynamodb, self.jobs, self.log, threads=self.threads, announce=self.queue.announce, clock=self.clock
        )

    @cached_property
    def threads(self) -> ThreadStore:
        """The rows of threads."""
        return ThreadStore(self.dynamodb, self.settings.jobs_table, self.settings.thread_retention_seconds)

    @cached_property
    def erasure(self) -> Erasure:
        """What erases deleted jobs."""
        return Erasure(self.dynamodb, clients.s3(self._config), self.threads, self.states, self.settings)

    @cached_property
    def states(self) -> StateStore:
        """The states of threads."""
        settings = self.settings
        return StateStore(
            self.dynamodb,
            settings.checkpoints_table,
            lambda: clients.s3(self._config),
            settings.payload_bucket,
            Lifetimes.of(settings).state,
        )

    @cached_property
    def history(self) -> ThreadHistory:
        """What can be seen of threads."""
        return ThreadHistory(self.jobs, self.log, self.states)

    @cached_property
    def queue(self) -> JobQueue:
        """The messages."""
        return JobQueue(clients.sqs(self._config), self.settings.queue_url)
