"""The API functions through their real handlers: true HTTP API events in, answers out, on moto and with faults."""

from __future__ import annotations

import importlib
import json
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import pytest
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route

from graphjobs.auth.ticket_keys import SecretKeyring
from graphjobs.auth.tickets import Tickets
from graphjobs.core.api_functions import ROUTES
from graphjobs.core.times import now_ms
from graphjobs.local.gateway import payload
from graphjobs.local.lambda_context import LambdaContext
from tests.support.backend import Backend
from tests.support.faults import Faults
from tests.support.issuer import segment

HOST = "api.example.test"
JSON = "application/json"
FUNCTIONS = tuple(name for _, _, name in ROUTES)


@dataclass(frozen=True)
class Answer:
    """What a function answered; header names are lower case."""

    status: int
    headers: dict[str, str]
    text: str

    @property
    def body(self) -> dict[str, Any]:
        """The JSON object of the answer."""
        members: dict[str, Any] = json.loads(self.text)
        return members

    @property
    def code(self) -> str:
        """The code of a problem, which this must be."""
        assert self.headers["content-type"] == "application/problem+json", self
        assert self.body["status"] == self.status
        return str(self.body["code"])


@dataclass
class Api:
    """The functions on one backend; `clients` are what they call AWS with, by name in `graphjobs.aws.clients`."""

    aws: Backend
    clients: dict[str, Faults]
    _calls: list[tuple[str, str]]

    @property
    def dynamodb(self) -> Faults:
        """The DynamoDB client of the functions."""
        return self.clients["dynamodb"]

    @property
    def sqs(self) -> Faults:
        """The SQS client of the functions."""
        return self.clients["sqs"]

    def calls(self) -> list[tuple[str, str]]:
        """Every AWS call that the functions have made, in order: service and operation."""
        return list(self._calls)

    def forget_calls(self) -> None:
        """Begin to count again."""
        self._calls.clear()
        for client in self.clients.values():
            client.calls.clear()

    def call(
        self,
        method: str,
        path: str,
        *,
        body: Any = None,
        user: str | None = "user-1",
        headers: Mapping[str, str] | None = None,
        claims: Mapping[str, Any] | None = None,
    ) -> Answer:
        """Call the function behind a route; `body` is bytes as they are, or what is sent as JSON.

        `claims` are further ones of the user's token.
        """
        raw = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        verified = None if user is None else claims_of(user) | dict(claims or {})
        token = {} if verified is None else {"authorization": f"Bearer {segment({})}.{segment(verified)}.signature"}
        sent = {"host": HOST, **token, **({"content-type": JSON} if raw else {}), **(headers or {})}
        name, event = http_event(method, path, raw, sent, verified)
        handler = importlib.import_module(f"graphjobs.api.{name}").handler
        result = json.loads(json.dumps(handler(event, LambdaContext(name, time.monotonic() + 29))))
        return answer_of(result)

    def submit(self, *, user: str = "user-1", key: str | None = None, **members: Any) -> Answer:
        """``POST /jobs``; a query unless `members` say otherwise."""
        body = members or {"query": "hello"}
        return self.call("POST", "/jobs", body=body, user=user, headers={"idempotency-key": key} if key else None)

    def items(self) -> list[dict[str, Any]]:
        """All that is in the Jobs table."""
        found: list[dict[str, Any]] = self.aws.dynamodb.scan(TableName="jobs", ConsistentRead=True)["Items"]
        return found


def answer_of(result: dict[str, Any]) -> Answer:
    """The answer in a function's result, which must be one that the HTTP API takes as it is."""
    assert result["isBase64Encoded"] is False
    headers = dict(result.get("headers", {}))
    for name, values in result.get("multiValueHeaders", {}).items():
        headers[name] = values[0]
    assert all(isinstance(value, str) for value in headers.values()), headers
    return Answer(result["statusCode"], {name.lower(): value for name, value in headers.items()}, result["body"])


def claims_of(user: str) -> dict[str, Any]:
    """The claims of a user's token."""
    return {"sub": user, "aud": "graphjobs-test", "exp": 1_900_000_000}


def http_event(
    method: str, path: str, body: bytes, headers: Mapping[str, str], claims: dict[str, Any] | None
) -> tuple[str, dict[str, Any]]:
    """The function that a request goes to, and the event it is called with."""
    address, _, query = path.partition("?")
    scope: dict[str, Any] = {
        "type": "http",
        "method": method,
        "path": address,
        "query_string": query.encode(),
        "headers": [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()],
        "client": ("192.0.2.1", 50000),
        "server": (HOST, 443),
        "scheme": "https",
    }
    for known, template, name in ROUTES:
        match, found = Route(template, lambda request: Response(), methods=[known]).matches(scope)
        if match is Match.FULL:
            event = payload(Request({**scope, **found}), f"{known} {template}", body, claims)
            return name, json.loads(json.dumps(event))
    raise LookupError(f"no route for {method} {address}")


@contextmanager
def api(aws: Backend, monkeypatch: pytest.MonkeyPatch, **environ: str) -> Iterator[Api]:
    """The functions on `aws`, wired by themselves from its environment variables."""
    aws.clock.now = now_ms()
    calls: list[tuple[str, str]] = []
    made = {"dynamodb": aws.dynamodb, "sqs": aws.sqs, "s3": aws.s3, "secrets_manager": aws.secrets}
    clients = {
        name: Faults(client, on_call=lambda operation, name=name: calls.append((name, operation)))
        for name, client in made.items()
    }
    for name, client in clients.items():
        monkeypatch.setattr(f"graphjobs.aws.clients.{name}", lambda *_, client=client: client)
    for variable, value in {**aws.environ, **environ}.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setenv("POWERTOOLS_METRICS_DISABLED", "true")
    monkeypatch.setattr("graphjobs.aws.retry.backoff", lambda attempt: 0.0)
    rewire()
    try:
        yield Api(aws, clients, calls)
    finally:
        rewire()


def rewire() -> None:
    """Let every function build itself anew, as a new Lambda environment does."""
    for name in FUNCTIONS:
        importlib.import_module(f"graphjobs.api.{name}").wiring.cache_clear()


def open_ticket(aws: Backend, job_id: str, address: str, now: int) -> None:
    """Check that the ticket in a stream's address opens the stream of `job_id`; raises `AuthError`."""
    base, _, ticket = address.partition("?ticket=")
    assert base == f"https://stream.example.test/stream/{job_id}"
    Tickets(SecretKeyring(aws.secrets, aws.settings.ticket_secret)).check(job_id, ticket, now)
