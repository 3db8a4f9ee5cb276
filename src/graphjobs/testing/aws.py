"""AWS in this process, on moto: the tables, the queue, the bucket and the secret of a deployment. Needs moto."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from copy import deepcopy
from functools import cache
from typing import Any, Final
from unittest.mock import patch

import boto3
from botocore import UNSIGNED
from botocore.config import Config
from moto import mock_aws
from moto.backends import get_backend
from moto.core import models
from moto.core.botocore_stubber import BotocoreStubber

from graphjobs.local.quick_answers import quick_answers
from graphjobs.local.resources import ACCOUNT, REGION, TABLES
from graphjobs.local.transactions import rolled_back_by_item

TICKET_KEYS: Final = '{"current": "k1", "k1": "first-key-of-the-tests-0123456789abcdef"}'

KEPT: Final = (("dynamodb", "tables"), ("secretsmanager", "secrets"))
"""Services, and the attribute of moto's backend in which each keeps what has been made."""

UNSIGNED_CALLS: Final = Config(signature_version=UNSIGNED, user_agent="tests")
"""moto reads neither a signature nor who asks; to make both is a fifth of a call."""

SIGNED: Final = frozenset({"s3"})
"""What presigned URLs are made with."""


@cache
def client(service: str) -> Any:
    """The boto3 client of `service` that this process shares: making one takes longer than most tests.

    Who registers handlers on a client makes one of their own.
    """
    return own_client(service)


def own_client(service: str) -> Any:
    """A boto3 client of `service` that nobody else has."""
    return boto3.client(service, config=None if service in SIGNED else UNSIGNED_CALLS)  # type: ignore[call-overload]


@contextmanager
def empty_aws() -> Iterator[None]:
    """moto, with nothing in it, for boto3."""
    # Not for the library requests, for which moto would make a thousand answers ready each time. And the default
    # session stays: else botocore's models are parsed anew.
    with patch.object(models, "RESPONSES_METHODS", ()), mock_aws(config={"core": {"reset_boto3_session": False}}):
        yield


@contextmanager
def emulated_aws() -> Iterator[dict[str, str]]:
    """moto, with the resources of a deployment; yields the settings that name them.

    It takes one request at a time, as the emulator of ``graphjobs local`` does: under threads a compare-and-swap could
    be won twice.
    """
    with _one_at_a_time(), rolled_back_by_item(), quick_answers(), empty_aws():
        secret, queue_url, made = _made()
        for (service, attribute), kept in made.items():
            setattr(_backend(service), attribute, deepcopy(kept))
        # Not by a request, which takes as long as all the rest.
        _backend("s3", "aws").create_bucket("payloads", REGION)
        _backend("sqs").create_queue("jobs")
        yield {
            **{f"GRAPHJOBS_{name.upper()}_TABLE": name for name in TABLES},
            "GRAPHJOBS_QUEUE_URL": queue_url,
            "GRAPHJOBS_PAYLOAD_BUCKET": "payloads",
            "GRAPHJOBS_TICKET_SECRET": secret,
        }


@cache
def _made() -> tuple[str, str, dict[tuple[str, str], Any]]:
    """The secret's ARN, the queue's URL, and what moto has made: once, since to ask for it takes longer than a test."""
    for name, schema in TABLES.items():
        client("dynamodb").create_table(TableName=name, **schema)
    secret = client("secretsmanager").create_secret(Name="tickets", SecretString=TICKET_KEYS)["ARN"]
    url = client("sqs").create_queue(QueueName="jobs")["QueueUrl"]
    return secret, url, {(each, attribute): deepcopy(getattr(_backend(each), attribute)) for each, attribute in KEPT}


def _backend(service: str, region: str = REGION) -> Any:
    return get_backend(service)[ACCOUNT][region]  # type: ignore[call-overload]


@contextmanager
def _one_at_a_time() -> Iterator[None]:
    lock, unlocked = threading.RLock(), BotocoreStubber.process_request

    def locked(stubber: BotocoreStubber, request: Any) -> Any:
        with lock:
            return unlocked(stubber, request)

    with patch.object(BotocoreStubber, "process_request", locked):
        yield
