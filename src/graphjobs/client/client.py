"""The client: one method a call of the HTTP contract, and `stream`, which outlives its connections."""

import uuid
from collections.abc import Generator, Mapping
from contextlib import AbstractContextManager
from types import TracebackType
from typing import Any, Final, Self
from urllib.parse import quote, urlsplit, urlunsplit

import httpx

from graphjobs.client.errors import ApiError, ConfigurationError, ContractViolation, ServiceUnreachable
from graphjobs.client.event_stream import Event, EventStream
from graphjobs.client.retry import Failures, RetryPolicy
from graphjobs.client.session import STREAM_TIMEOUT, Session, Token, header_value

API_RETRIES: Final = RetryPolicy(max_failures=5)
STREAM_RETRIES: Final = RetryPolicy(max_failures=8)


class Client:
    """Calls one graphjobs service on behalf of one user.

    Every call may be repeated without harm (a submission carries an ``Idempotency-Key``), so each is retried
    when the connection fails or the service answers 429 or 5xx. Not for several threads at once.

    Args:
        api_url: base URL of the HTTP API.
        stream_url: base URL of the stream; None takes it from the job's stream ticket.
        token: a bearer token, or what gives a fresh one (asked again once after a 401).
        transport: replaces the network, in tests.

    Raises:
        ConfigurationError: an address is not an http(s) one.

    Each method raises `ApiError` when the service refuses, `ServiceUnreachable` when there is no answer, and
    `ContractViolation` for an answer that makes no sense.
    """

    def __init__(
        self,
        api_url: str,
        stream_url: str | None,
        token: Token,
        *,
        transport: httpx.BaseTransport | None = None,
        api_retries: RetryPolicy = API_RETRIES,
        stream_retries: RetryPolicy = STREAM_RETRIES,
    ) -> None:
        self._api_url = _base_url(api_url)
        self._stream_url = _base_url(stream_url) if stream_url else None
        self._session = Session(token, transport)
        self._api_retries = api_retries
        self._stream_retries = stream_retries

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections that are kept open."""
        self._session.close()

    def submit(
        self,
        query: str | None = None,
        *,
        graph: str | None = None,
        input: Mapping[str, Any] | None = None,
        user_id: str | None = None,
        metadata: Mapping[str, Any] | None = None,
        timeout_seconds: int | None = None,
        idempotency_key: str | None = None,
    ) -> dict[str, Any]:
        """Submit a job and give the service's answer, sending the same ``Idempotency-Key`` at every try.

        ``{"job_id", "status", "status_url", "cancel_url", "stream_url", "created_at", "expires_at"}``; the
        `stream_url` carries a ticket, which is a secret.

        Raises:
            ConfigurationError: `idempotency_key` cannot be a header's value.
        """
        body = _given(
            query=query,
            graph=graph,
            input=input,
            user_id=user_id,
            metadata=metadata,
            timeout_seconds=timeout_seconds,
        )
        key = str(uuid.uuid4()) if idempotency_key is None else idempotency_key
        return self._call(
            "POST",
            "/jobs",
            json=body,
            headers={"Idempotency-Key": header_value(key, "The idempotency key")},
        )

    def status(self, job_id: str) -> dict[str, Any]:
        """``{"job_id", "status", "graph", "created_at", ..., "attempt", "last_seq", "result", "error"}``."""
        return self._call("GET", f"/jobs/{_segment(job_id)}/status")

    def cancel(self, job_id: str) -> dict[str, Any]:
        """Ask for the job's end; its ``status`` is then ``cancelling``, or the terminal one it had or got."""
        return self._call("POST", f"/jobs/{_segment(job_id)}/cancel")

    def list(self, *, status: str | None = None, limit: int | None = None, cursor: str | None = None) -> dict[str, Any]:
        """The caller's jobs, newest first: ``{"jobs": [...], "next_cursor": "..." or None}``."""
        return self._call("GET", "/jobs", params=_given(status=status, limit=limit, cursor=cursor))

    def stream_ticket(self, job_id: str) -> dict[str, Any]:
        """A fresh ticket for a browser: ``{"stream_url", "expires_at"}``. The address is a secret."""
        return self._call("POST", f"/jobs/{_segment(job_id)}/stream-ticket")

    def stream(self, job_id: str, after: int = 0) -> Generator[Event]:
        """The job's events with a seq above `after`, live, up to and with `done`; none if that has been seen.

        Reconnects by itself and resumes with ``Last-Event-ID``: nothing is lost or repeated. Closing the
        generator closes the connection.

        Raises:
            SequenceError: an event's seq is not exactly the last one plus 1.
            ValueError: `after` is below 0.
        """
        if after < 0:
            raise ValueError("after must be 0 or more")
        url = f"{self._stream_base(job_id)}/stream/{_segment(job_id)}"

        def connect(last: int) -> AbstractContextManager[httpx.Response]:
            headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity"}
            if last:
                headers["Last-Event-ID"] = str(last)
            return self._session.open("GET", url, headers=headers, timeout=STREAM_TIMEOUT)

        return EventStream(connect, after, self._stream_retries).events()

    def _stream_base(self, job_id: str) -> str:
        if self._stream_url is None:
            ticket = urlsplit(str(self.stream_ticket(job_id).get("stream_url", "")))
            base, found, _ = ticket.path.rpartition("/stream/")
            if not found:
                raise ContractViolation("The stream ticket names no stream.")
            self._stream_url = _base_url(urlunsplit((ticket.scheme, ticket.netloc, base, "", "")))
        return self._stream_url

    def _call(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        failures = Failures(self._api_retries)
        while True:
            try:
                return self._session.fetch(method, self._api_url + path, **request)
            except (ApiError, ServiceUnreachable) as error:
                if not failures.absorb(error):
                    raise


def _base_url(url: str) -> str:
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
        raise ConfigurationError("An address has to look like https://host or http://127.0.0.1:8000.")
    return url.strip().rstrip("/")


def _given(**members: Any) -> dict[str, Any]:
    """The members that have a value."""
    return {name: value for name, value in members.items() if value is not None}


def _segment(job_id: str) -> str:
    """`job_id` as one path segment, whatever is in it."""
    return quote(job_id, safe="")
