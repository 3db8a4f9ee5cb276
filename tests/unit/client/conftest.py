"""A running service with a short chat job, and a client that waits without waiting."""

from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import pytest

from graphjobs.client.client import Client
from graphjobs.client.retry import RetryPolicy
from tests.unit.client.awaited import awaited
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


@pytest.fixture(params=["sync", "async"])
def client_of(request: pytest.FixtureRequest, service: Service, waits: list[float]) -> Generator[Callable[..., Client]]:
    """Makes clients of `service`, of both kinds; they are closed at the end."""
    made: list[Client] = []

    def make(token: Any = "good", stream_url: str | None = service.url, **options: Any) -> Client:
        policy = RetryPolicy(max_failures=4, random=lambda: 0.0)
        options = {"stream_url": stream_url, "api_retries": policy, "stream_retries": policy, **options}
        if request.param == "sync":
            made.append(Client(service.url, token, sleep=waits.append, **options))
        else:
            made.append(awaited(service.url, token, sleep=waits.append, **options))
        return made[-1]

    yield make
    for client in made:
        client.close()


@pytest.fixture
def configured(service: Service, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The environment names `service`, and the working folder has no local instance."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("GRAPHJOBS_STATE_DIR", raising=False)
    monkeypatch.setenv("GRAPHJOBS_API_URL", service.url)
    monkeypatch.setenv("GRAPHJOBS_STREAM_URL", service.url)
    monkeypatch.setenv("GRAPHJOBS_TOKEN", service.token)
