"""A running service with a short chat job, and a client that waits without waiting."""

from collections.abc import Callable, Generator
from typing import Any

import pytest

from graphjobs.client.client import Client
from graphjobs.client.retry import RetryPolicy
from tests.unit.client.log import chat_log
from tests.unit.client.service import Service, running

TOKENS = ["환불은 ", "14일 ", "이내에 ", "가능합니다."]


@pytest.fixture
def service() -> Generator[Service]:
    with running(chat_log(TOKENS)) as service:
        yield service


@pytest.fixture
def waits() -> list[float]:
    """The waits that the client asked for, in seconds; the jitter's share is 0."""
    return []


@pytest.fixture
def client_of(service: Service, waits: list[float]) -> Generator[Callable[..., Client]]:
    """Makes clients of `service`; they are closed at the end."""
    made: list[Client] = []

    def make(token: Any = "good", stream_url: str | None = service.url, **options: Any) -> Client:
        policy = RetryPolicy(max_failures=4, sleep=waits.append, random=lambda: 0.0)
        client = Client(service.url, stream_url, token, api_retries=policy, stream_retries=policy, **options)
        made.append(client)
        return client

    yield make
    for client in made:
        client.close()
