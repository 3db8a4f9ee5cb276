"""AWS in this process, on moto: the tables, the queue, the bucket and the secret of a deployment. Needs moto."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cache
from typing import Any, Final
from unittest.mock import patch

import boto3
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber

from graphjobs.local.quick_answers import quick_answers
from graphjobs.local.resources import TABLES
from graphjobs.local.transactions import rolled_back_by_item

TICKET_KEYS: Final = '{"current": "k1", "k1": "first-key-of-the-tests-0123456789abcdef"}'


@cache
def client(service: str) -> Any:
    """The boto3 client of `service` that this process shares: making one takes longer than most tests.

    Who registers handlers on a client makes one of their own.
    """
    return boto3.client(service)  # type: ignore[call-overload]


def empty_aws() -> AbstractContextManager[Any]:
    """moto, with nothing in it."""
    # The default session stays: else botocore's models are parsed anew each time.
    return mock_aws(config={"core": {"reset_boto3_session": False}})


@contextmanager
def emulated_aws() -> Iterator[dict[str, str]]:
    """moto, with the resources of a deployment; yields the settings that name them.

    It takes one request at a time, as the emulator of ``graphjobs local`` does: under threads a compare-and-swap could
    be won twice.
    """
    with _one_at_a_time(), rolled_back_by_item(), quick_answers(), empty_aws():
        for name, schema in TABLES.items():
            client("dynamodb").create_table(TableName=name, **schema)
        client("s3").create_bucket(Bucket="payloads")
        secret = client("secretsmanager").create_secret(Name="tickets", SecretString=TICKET_KEYS)["ARN"]
        yield {
            **{f"GRAPHJOBS_{name.upper()}_TABLE": name for name in TABLES},
            "GRAPHJOBS_QUEUE_URL": client("sqs").create_queue(QueueName="jobs")["QueueUrl"],
            "GRAPHJOBS_PAYLOAD_BUCKET": "payloads",
            "GRAPHJOBS_TICKET_SECRET": secret,
        }


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    lock, unlocked = threading.RLock(), BotocoreStubber.process_request

    def locked(stubber: BotocoreStubber, request: Any) -> Any:
        with lock:
            return unlocked(stubber, request)

    with patch.object(BotocoreStubber, "process_request", locked):
        yield
