"""Following a job's events over as many connections as it takes.

Holds true: what is given is the log from the cursor on, each event once and in order, or an error; never a
gap and never a repeat, wherever the connections break.
"""

import json
from collections.abc import Callable, Generator
from contextlib import AbstractContextManager
from typing import Any, Final

import httpx

from graphjobs.client.errors import (
    MAX_RETRY_AFTER_SECONDS,
    ApiError,
    ContractViolation,
    SequenceError,
    ServiceUnreachable,
)
from graphjobs.client.retry import Failures, RetryPolicy
from graphjobs.client.session import origin_of, transport_errors
from graphjobs.client.sse import EventParser, Message
from graphjobs.core.event import DONE

Event = dict[str, Any]
"""``{"seq": 17, "type": "token", "ts": "<RFC 3339>", "data": {...}}``"""

Connect = Callable[[int], AbstractContextManager[httpx.Response]]
"""Opens the stream after a seq."""

DEFAULT_RECONNECT_SECONDS: Final = 1.0
"""Between two connections, until the server says otherwise with ``retry:``."""


class EventStream:
    """One job's events, after the seq `after`, until `done`."""

    def __init__(self, connect: Connect, after: int, policy: RetryPolicy) -> None:
        self._connect = connect
        self._last = after
        self._failures = Failures(policy)
        self._reconnect_seconds = DEFAULT_RECONNECT_SECONDS
        self._done = False

    def events(self) -> Generator[Event]:
        """The events; closing the generator closes the connection.

        Raises:
            ApiError: the service refuses (400, 401, 404), or has not recovered within the policy's bound.
            ServiceUnreachable: no connection holds, `policy.max_failures` times in a row without an event.
            SequenceError, ContractViolation: the stream is not what it has to be.
        """
        while not self._done:
            try:
                yield from self._one_connection()
            except (ApiError, ServiceUnreachable) as error:
                if not self._failures.absorb(error, self._reconnect_seconds):
                    raise
            else:
                if not self._done:
                    self._failures.pause(self._reconnect_seconds)

    def _one_connection(self) -> Generator[Event]:
        parser = EventParser()
        with self._connect(self._last) as response:
            if response.status_code == 204:
                self._done = True
                return
            _require_event_stream(response)
            silent = True
            with transport_errors(response.url):
                for chunk in response.iter_bytes():
                    silent = False
                    messages = parser.feed(chunk)
                    self._note_reconnection_time(parser)
                    for message in messages:
                        yield self._take(message)
                        if self._done:
                            return
        if silent:  # A 200 always sends a byte: this was no stream function closing in good order.
            raise ServiceUnreachable(origin_of(response.url), "the connection was closed without a byte")

    def _take(self, message: Message) -> Event:
        event = decoded(message, self._last + 1)
        self._last += 1
        self._failures.clear()
        self._done = event["type"] == DONE
        return event

    def _note_reconnection_time(self, parser: EventParser) -> None:
        if parser.retry_ms is not None:
            self._reconnect_seconds = min(parser.retry_ms / 1000, MAX_RETRY_AFTER_SECONDS)


def decoded(message: Message, expected_seq: int) -> Event:
    """The event in `message`.

    Raises:
        SequenceError: its seq is not `expected_seq`.
        ContractViolation: it is not an event, or disagrees with its own ``id`` or ``event`` field.
    """
    try:
        event = json.loads(message.data)
        seq, kind, data = event["seq"], event["type"], event["data"]
    except (ValueError, TypeError, KeyError) as error:
        raise ContractViolation(f"What should be event {expected_seq} is not one.") from error
    if type(seq) is not int or not isinstance(kind, str) or not isinstance(data, dict):
        raise ContractViolation(f"What should be event {expected_seq} is not one.")
    if seq != expected_seq:
        raise SequenceError(expected_seq, seq)
    if message.last_event_id != str(seq) or message.type != kind:
        raise ContractViolation(f"Event {seq} disagrees with its own id or event field.")
    return dict(event)


def _require_event_stream(response: httpx.Response) -> None:
    content_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
    if content_type != "text/event-stream":
        raise ContractViolation(f"{origin_of(response.url)} sends {content_type!r}, not an event stream.")
