"""The AWS resources of a deployment, made on an emulator: what `infra` declares, as the functions see it."""

from __future__ import annotations

import json
import secrets
from typing import Any

from graphjobs.aws.schema import CHECKPOINTS_TABLE, EVENTS_TABLE, JOBS_TABLE, STORE_TABLE

REGION = "us-east-1"
ENDPOINT_VARIABLE = "GRAPHJOBS_AWS_ENDPOINT_URL"
"""Leads `graphjobs.aws.clients` to the emulator."""

CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "local",
    "AWS_SECRET_ACCESS_KEY": "local",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""What the SDK wants to see; the emulator checks none of it."""

MAX_RECEIVES = 100


ACCOUNT = "123456789012"
TABLES = {"jobs": JOBS_TABLE, "events": EVENTS_TABLE, "checkpoints": CHECKPOINTS_TABLE, "store": STORE_TABLE}


def settings_of(endpoint_url: str, suffix: str) -> dict[str, str]:
    """The settings that name the resources of an instance in moto, known before they are made."""
    return {
        **{f"GRAPHJOBS_{name.upper()}_TABLE": f"{name}-{suffix}" for name in TABLES},
        "GRAPHJOBS_QUEUE_URL": f"{endpoint_url}/{ACCOUNT}/jobs-{suffix}",
        "GRAPHJOBS_PAYLOAD_BUCKET": f"payloads-{suffix}",
        "GRAPHJOBS_TICKET_SECRET": f"tickets-{suffix}",
    }


def create_resources(endpoint_url: str, suffix: str, *, visibility_seconds: int) -> dict[str, str]:
    """Make tables, queues, bucket and ticket secret at `endpoint_url`; returns the settings that name them."""
    dynamodb = client("dynamodb", endpoint_url)
    for name, schema in TABLES.items():
        dynamodb.create_table(TableName=f"{name}-{suffix}", **schema)
    sqs = client("sqs", endpoint_url)
    dlq = sqs.create_queue(QueueName=f"jobs-dlq-{suffix}")["QueueUrl"]
    dlq_arn = sqs.get_queue_attributes(QueueUrl=dlq, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = {"deadLetterTargetArn": dlq_arn, "maxReceiveCount": MAX_RECEIVES}
    queue = sqs.create_queue(
        QueueName=f"jobs-{suffix}",
        Attributes={"VisibilityTimeout": str(visibility_seconds), "RedrivePolicy": json.dumps(redrive)},
    )["QueueUrl"]
    client("s3", endpoint_url).create_bucket(Bucket=f"payloads-{suffix}")
    keys = {"current": "k1", "k1": secrets.token_urlsafe(32)}
    client("secretsmanager", endpoint_url).create_secret(Name=f"tickets-{suffix}", SecretString=json.dumps(keys))
    return settings_of(endpoint_url, suffix) | {"GRAPHJOBS_QUEUE_URL": queue}


def client(service: str, endpoint_url: str) -> Any:
    """A client of the emulator."""
    import boto3  # half a second that the supervisor does without

    return boto3.client(
        service,  # type: ignore[call-overload]
        endpoint_url=endpoint_url,
        region_name=REGION,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    )
