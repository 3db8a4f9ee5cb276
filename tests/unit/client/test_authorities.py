"""Which services are believed to be who they say they are, and that to know it takes the time of one client alone."""

from __future__ import annotations

import asyncio
import ssl
from pathlib import Path
from typing import Any

import pytest

from graphjobs.client import authorities
from graphjobs.client.async_client import AsyncClient
from graphjobs.client.client import Client
from graphjobs.client.errors import ContractViolation, ServiceUnreachable
from graphjobs.client.retry import RetryPolicy
from tests.deployed.receiver import receiving
from tests.unit.client.awaited import awaited

ONCE = RetryPolicy(max_failures=1)


@pytest.mark.parametrize("make", [Client, awaited])
def test_the_environment_names_them(make: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service of a company's own authority; whoever is given none does not believe it, also after who was."""

    def asks() -> None:
        with make(url, "t", api_retries=ONCE, sleep=lambda _: None) as client:
            client.submit("hello")

    with receiving(tmp_path, 202, 202) as server:
        url = server.url.partition("/hook")[0]
        for _ in range(2):
            monkeypatch.delenv("SSL_CERT_FILE", raising=False)
            with pytest.raises(ServiceUnreachable, match="certificate verify failed"):
                asks()
            monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "receiver.pem"))
            with pytest.raises(ContractViolation):  # it was reached; it knows of no jobs
                asks()


def test_they_are_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    authorities._read.cache_clear()
    read: list[Any] = []
    make = ssl.create_default_context

    def counted(**options: Any) -> ssl.SSLContext:
        read.append(options)
        return make(**options)

    monkeypatch.setattr(ssl, "create_default_context", counted)
    for url in ("http://a.example", "https://a.example"):
        Client(url, "t").close()
        asyncio.run(AsyncClient(url, "t").aclose())
    assert len(read) == 1
