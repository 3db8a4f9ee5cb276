"""The stack: every capability, and how they are wired. One a stage; nothing has a physical name."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from aws_cdk import CfnOutput, Stack, Tags
from aws_cdk import aws_kms as kms
from constructs import Construct

from infra.alarms import Alarms
from infra.api import Api
from infra.auth import Auth
from infra.bucket_emptier import BucketEmptier
from infra.budget import Budget
from infra.bundling import Bundle
from infra.canary import Canary, CanaryCredentials
from infra.config import Config
from infra.dashboard import Dashboard
from infra.environment import Environment, from_config, namespace
from infra.graph_project import GraphProject
from infra.installed import WORKER
from infra.job_queue import JobQueue
from infra.lambda_factory import LambdaFactory
from infra.metrics import Metrics
from infra.notify import Notifications, Notify
from infra.permissions import OF_THE_STACK, Resources
from infra.reconcile import Reconcile
from infra.release import graph_digest
from infra.storage import Storage
from infra.stream import Stream
from infra.worker import Worker


class GraphJobsStack(Stack):
    """Jobs in, events out."""

    def __init__(
        self,
        scope: Construct,
        id: str,
        config: Config,
        project: GraphProject,
        bundles: Mapping[str, Bundle] | None,
        **options: Any,
    ) -> None:
        super().__init__(scope, id, description=f"graphjobs ({config.stage})", **options)
        Tags.of(self).add("graphjobs:stage", config.stage)
        key = kms.Key.from_key_arn(self, "Key", config.kms_key_arn) if config.kms_key_arn else None
        storage = Storage(self, "Storage", config, key)
        queue = JobQueue(self, "Jobs", config, key)
        auth = Auth(self, "Auth", config, key)
        notifications = Notifications(self, "Notifications", config, key)
        canary = CanaryCredentials(self, "CanaryCredentials", config, key)
        resources = _resources(canary, storage, queue, auth, notifications)
        functions = LambdaFactory(Construct(self, "Functions"), config, resources, bundles, key=key)
        values = from_config(config, project, _digest(bundles))
        environment = _environment(config, values, storage, queue, auth, notifications)

        stream = Stream(self, "Stream", config, environment=environment, functions=functions)
        environment = environment.with_value("STREAM_URL", stream.url)
        api = Api(self, "Api", config, auth=auth, environment=environment, functions=functions)
        Worker(self, "Worker", config, queue=queue, environment=environment, functions=functions)
        Reconcile(self, "Reconcile", config, environment=environment, functions=functions)
        if canary.secret_arn:
            environment = environment.with_value("CANARY_SECRET", canary.secret_arn)
            Canary(self, "Canary", environment=environment.with_value("API_URL", api.url), functions=functions)
            canary.user_in(auth.user_pool, functions)
        if config.notifies:
            Notify(self, "Notify", notifications, storage.jobs, environment=environment, functions=functions)
        if not config.production:
            BucketEmptier(self, "BucketEmptier", storage.payloads, functions)

        metrics = Metrics(
            namespace=namespace(config),
            queue=queue,
            http_api=api.http_api,
            functions={name: made.function for name, made in functions.made.items()},
            tables=storage.tables,
            untold=notifications.dead_letters,
            stream_api=stream.front.api if stream.front else None,
        )
        if config.budget_usd:
            Budget(self, "Budget", config)
        alarms = Alarms(self, "Alarms", config, metrics)
        dashboard = Dashboard(
            self,
            "Monitoring",
            metrics,
            alarms=alarms.alarms,
            log_groups=[made.log_group for name, made in functions.made.items() if name not in OF_THE_STACK],
        )
        outputs = {
            "Stage": config.stage,
            "ApiUrl": api.url,
            "StreamUrl": stream.url,
            "StreamFunctionName": stream.function.function_name,
            "Issuer": auth.issuer,
            "Audience": ",".join(auth.audience),
            "DashboardUrl": dashboard.url,
            "AlarmTopicArn": alarms.topic.topic_arn,
            "QueueUrl": queue.queue.queue_url,
            "DlqUrl": queue.dead_letters.queue_url,
            "JobsTable": storage.jobs.table_name,
            "EventsTable": storage.events.table_name,
            "CheckpointsTable": storage.checkpoints.table_name,
            "StoreTable": storage.store.table_name,
            "PayloadBucket": storage.payloads.bucket_name,
            "TicketSecretArn": auth.ticket_secret.secret_arn,
        }
        if auth.user_pool is not None and auth.client is not None:
            outputs["UserPoolId"] = auth.user_pool.user_pool_id
            outputs["UserPoolClientId"] = auth.client.user_pool_client_id
        if notifications.dead_letters is not None:
            outputs["UntoldUrl"] = notifications.dead_letters.queue_url
        if notifications.webhooks is not None:
            outputs["WebhooksUrl"] = notifications.webhooks.queue_url
            outputs["WebhookSecretArn"] = notifications.secret.secret_arn
        for name, value in outputs.items():
            CfnOutput(self, name, value=value)


def _digest(bundles: Mapping[str, Bundle] | None) -> str:
    return graph_digest(bundles[WORKER].folder) if bundles else ""


def _resources(
    canary: CanaryCredentials, storage: Storage, queue: JobQueue, auth: Auth, notifications: Notifications
) -> Resources:
    return Resources(
        {
            **notifications.arns,
            **({"canary_secret": canary.secret_arn} if canary.secret_arn else {}),
            **({"user_pool": auth.user_pool.user_pool_arn} if auth.user_pool else {}),
            "jobs": storage.jobs.table_arn,
            "events": storage.events.table_arn,
            "checkpoints": storage.checkpoints.table_arn,
            "store": storage.store.table_arn,
            "bucket": storage.payloads.bucket_arn,
            "queue": queue.queue.queue_arn,
            "ticket_secret": auth.ticket_secret.secret_arn,
        }
    )


def _environment(
    config: Config,
    values: Mapping[str, str],
    storage: Storage,
    queue: JobQueue,
    auth: Auth,
    notifications: Notifications,
) -> Environment:
    return Environment(
        namespace(config),
        {
            **values,
            **notifications.environment,
            "JOBS_TABLE": storage.jobs.table_name,
            "EVENTS_TABLE": storage.events.table_name,
            "CHECKPOINTS_TABLE": storage.checkpoints.table_name,
            "STORE_TABLE": storage.store.table_name,
            "PAYLOAD_BUCKET": storage.payloads.bucket_name,
            "QUEUE_URL": queue.queue.queue_url,
            "OIDC_ISSUER": auth.issuer,
            "OIDC_AUDIENCE": ",".join(auth.audience),
            "TICKET_SECRET": auth.ticket_secret.secret_arn,
        },
    )
