"""AWS clients: an answer that is slow, or never comes, is a passing fault, and soon."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import BotoCoreError

from graphjobs.aws import clients as aws
from graphjobs.aws.clients import HEARTBEAT, REQUEST, WORKER, is_transient, longest_call
from graphjobs.core.settings import Settings
from graphjobs.local.edge import TIMEOUT_SECONDS as API_SECONDS

CLIENTS: dict[str, tuple[Callable[[Config], Any], Callable[[Any], object]]] = {
    "dynamodb": (aws.dynamodb, lambda client: client.get_item(TableName="t", Key={"pk": {"S": "x"}})),
    "sqs": (aws.sqs, lambda client: client.send_message(QueueUrl="http://127.0.0.1/q", MessageBody="x")),
    "s3": (aws.s3, lambda client: client.get_object(Bucket="bucket", Key="x")),
    "secrets": (aws.secrets_manager, lambda client: client.get_secret_value(SecretId="x")),
}


@pytest.mark.parametrize("config", [REQUEST, WORKER, HEARTBEAT], ids=["request", "worker", "heartbeat"])
@pytest.mark.parametrize("service", CLIENTS)
def test_no_client_is_left_with_botocores_minute(service: str, config: Any) -> None:
    client = CLIENTS[service][0](config)
    made = client.meta.config
    assert (made.connect_timeout, made.read_timeout) == (config.connect_timeout, config.read_timeout)
    assert made.retries["total_max_attempts"] == config.retries["total_max_attempts"]


def test_no_call_outlives_what_waits_for_it() -> None:
    lease = Settings()
    assert longest_call(REQUEST) < API_SECONDS, "the HTTP API would answer in our place"
    assert longest_call(REQUEST) == 5 + 1 + 5 + 2 + 5
    assert longest_call(HEARTBEAT) < lease.lease_seconds - lease.heartbeat_seconds, "one renewal may fail"


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A service that takes every request and answers none."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{listener.getsockname()[1]}")
        yield


@pytest.mark.parametrize("service", CLIENTS)
def test_an_answer_that_never_comes_is_a_passing_fault(service: str, silent: None) -> None:
    make, call = CLIENTS[service]
    once: Any = {"total_max_attempts": 1}
    with pytest.raises(BotoCoreError) as caught:
        call(make(REQUEST.merge(Config(read_timeout=0.1, retries=once))))
    assert is_transient(caught.value)
