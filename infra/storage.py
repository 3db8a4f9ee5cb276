"""Where jobs are kept: three tables, made from the key schema of `graphjobs.aws.schema`, and a bucket for large bodies.

In production all of it outlives the stack; in any other stage it goes with it.
"""

from __future__ import annotations

import math
from typing import Any, Final

from aws_cdk import Duration, RemovalPolicy
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_kms as kms
from aws_cdk import aws_s3 as s3
from constructs import Construct

from graphjobs.aws import schema
from graphjobs.core.lifetimes import Lifetimes
from infra.config import Config
from infra.findings import accept

DAY: Final = 86_400
PREFIXES: Final = ("events", "inputs", "checkpoints", "states")
"""Of the bucket's objects: bodies of slots, and inputs, checkpoints and states too large for an item."""

TYPES: Final = {
    "S": dynamodb.AttributeType.STRING,
    "N": dynamodb.AttributeType.NUMBER,
    "B": dynamodb.AttributeType.BINARY,
}


class Storage(Construct):
    """The tables `jobs`, `events`, `checkpoints` and `store`, and the bucket `payloads`."""

    def __init__(self, scope: Construct, id: str, config: Config, key: kms.IKey | None = None) -> None:
        """`key` is the customer's own, None is for keys of AWS's."""
        super().__init__(scope, id)
        self._config = config
        self._key = key
        changes = dynamodb.StreamViewType.NEW_AND_OLD_IMAGES if config.notifies else None
        self.jobs = self._table("Jobs", schema.JOBS_TABLE, schema.TTL_ATTRIBUTE, stream=changes)
        self.events = self._table("Events", schema.EVENTS_TABLE, schema.TTL_ATTRIBUTE)
        self.checkpoints = self._table("Checkpoints", schema.CHECKPOINTS_TABLE, schema.CHECKPOINT_TTL_ATTRIBUTE)
        self.store = self._table("Store", schema.STORE_TABLE, schema.TTL_ATTRIBUTE)
        self.payloads = self._bucket()

    @property
    def tables(self) -> dict[str, dynamodb.Table]:
        """The tables by their names."""
        return {name: table for name, table in vars(self).items() if isinstance(table, dynamodb.Table)}

    @property
    def removal(self) -> RemovalPolicy:
        """What becomes of data when the stack goes."""
        return RemovalPolicy.RETAIN if self._config.production else RemovalPolicy.DESTROY

    def _table(
        self, id: str, definition: dict[str, Any], ttl: str, stream: dynamodb.StreamViewType | None = None
    ) -> dynamodb.Table:
        types = {item["AttributeName"]: item["AttributeType"] for item in definition["AttributeDefinitions"]}
        table = dynamodb.Table(
            self,
            id,
            **_keys(definition["KeySchema"], types),
            billing_mode=dynamodb.BillingMode.PAY_PER_REQUEST,
            # Always encrypted at rest; a key of AWS's own costs nothing per request.
            encryption=dynamodb.TableEncryption.CUSTOMER_MANAGED if self._key else dynamodb.TableEncryption.DEFAULT,
            encryption_key=self._key,
            point_in_time_recovery_specification=dynamodb.PointInTimeRecoverySpecification(
                point_in_time_recovery_enabled=True
            ),
            time_to_live_attribute=ttl,
            stream=stream,
            deletion_protection=self._config.production,
            removal_policy=self.removal,
        )
        for index in definition.get("GlobalSecondaryIndexes", []):
            projection = index["Projection"]
            table.add_global_secondary_index(
                index_name=index["IndexName"],
                projection_type=dynamodb.ProjectionType[projection["ProjectionType"]],
                non_key_attributes=projection.get("NonKeyAttributes"),
                **_keys(index["KeySchema"], types),
            )
        return table

    def _bucket(self) -> s3.Bucket:
        config = self._config
        needed = Lifetimes(config.max_timeout_seconds, config.retention_days * DAY, config.thread_retention_days * DAY)
        lives = {
            "events": needed.job,
            "inputs": needed.job,
            "checkpoints": needed.checkpoint,
            "states": needed.state,
        }
        bucket = s3.Bucket(
            self,
            "Payloads",
            encryption=s3.BucketEncryption.KMS if self._key else s3.BucketEncryption.S3_MANAGED,
            encryption_key=self._key,
            bucket_key_enabled=True if self._key else None,
            block_public_access=s3.BlockPublicAccess.BLOCK_ALL,
            object_ownership=s3.ObjectOwnership.BUCKET_OWNER_ENFORCED,
            enforce_ssl=True,
            lifecycle_rules=[
                s3.LifecycleRule(
                    id=f"expire-{prefix}",
                    prefix=f"{prefix}/",
                    # A day more than the item that names it, which is written after it.
                    expiration=Duration.days(math.ceil(lives[prefix] / DAY) + 1),
                    abort_incomplete_multipart_upload_after=Duration.days(1),
                )
                for prefix in PREFIXES
            ],
            removal_policy=self.removal,
        )
        accept(
            bucket,
            "AwsSolutions-S1",
            "Only the functions' roles can reach the bucket; CloudTrail data events are the audit to turn on, "
            "and server access logs would need a second bucket that has the same finding.",
        )
        return bucket


def _keys(key_schema: list[dict[str, str]], types: dict[str, str]) -> dict[str, Any]:
    names = {"HASH": "partition_key", "RANGE": "sort_key"}
    return {
        names[key["KeyType"]]: dynamodb.Attribute(name=key["AttributeName"], type=TYPES[types[key["AttributeName"]]])
        for key in key_schema
    }
