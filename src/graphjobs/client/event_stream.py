"""Following a job's events over as many connections as it takes: the state between them, without any I/O.

Holds true: what is given is the log from the cursor on, each event once and in order, or an error; never a
gap and never a repeat, wherever the connections break.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

import httpx

from graphjobs.client.answers import Event
from graphjobs.client.errors import (
    MAX_RETRY_AFTER_SECONDS,
    ContractViolation,
    GraphjobsError,
    SequenceError,
    ServiceUnreachable,
)
from graphjobs.client.exchange import origin_of
from graphjobs.client.retry import Failures
from graphjobs.client.sse import EventParser, Message
from graphjobs.core.event import DONE

DEFAULT_RECONNECT_SECONDS: Final = 1.0
"""Between two connections, until the server says otherwise with ``retry:``."""


class EventStream:
    """One job's events after a cursor. For each connection: `opened`, `feed` for each chunk, `closed`, `pause`.

    Attributes:
        last: seq of the last event that was given.
        done: whether nothing more will come.
    """

    def __init__(self, after: int, failures: Failures) -> None:
        """`after` is the cursor.

        Raises:
            ValueError: it is below 0.
        """
        if after < 0:
            raise ValueError("after must be 0 or more")
        self.last = after
        self.done = False
        self._failures = failures
        self._reconnect_seconds = DEFAULT_RECONNECT_SECONDS
        self._parser = EventParser()
        self._silent = True

    def opened(self, response: httpx.Response) -> None:
        """A connection was answered with 2xx.

        Raises:
            ContractViolation: it is no event stream.
        """
        self.done = response.status_code == 204
        content_type = response.headers.get("Content-Type", "").partition(";")[0].strip().lower()
        if not self.done and content_type != "text/event-stream":
            raise ContractViolation(f"{origin_of(response.url)} sends {content_type!r}, not an event stream.")
        self._parser = EventParser()
        self._silent = True

    def feed(self, chunk: bytes) -> Iterator[Event]:
        """The events that `chunk` completes; each counts as received when it is taken.

        Raises:
            SequenceError, ContractViolation: the stream is not what it has to be.
        """
        self._silent = False
        messages = self._parser.feed(chunk)
        if self._parser.retry_ms is not None:
            self._reconnect_seconds = min(self._parser.retry_ms / 1000, MAX_RETRY_AFTER_SECONDS)
        for message in messages:
            event = decoded(message, self.last + 1)
            self.last += 1
            self._failures.clear()
            self.done = event["type"] == DONE
            yield event
            if self.done:
                return

    def closed(self, url: httpx.URL) -> None:
        """The connection was closed in good order.

        Raises:
            ServiceUnreachable: without a byte, which no stream function does.
        """
        if self._silent and not self.done:
            raise ServiceUnreachable(origin_of(url), "the connection was closed without a byte")

    def pause(self, error: GraphjobsError | None = None) -> float:
        """Seconds until the next connection, after `error` or a close in good order.

        Raises:
            GraphjobsError: `error` itself, if it is not worth another try.
        """
        return self._reconnect_seconds if error is None else self._failures.wait(error, self._reconnect_seconds)


def decoded(message: Message, expected_seq: int) -> Event:
    """The event in `message`.

    Raises:
        SequenceError: its seq is not `expected_seq`.
        ContractViolation: it is not an event, or disagrees with its own ``id`` or ``event`` field.
    """
    try:
        event: Any = json.loads(message.data)
        seq, kind, data = event["seq"], event["type"], event["data"]
    except (ValueError, TypeError, KeyError) as error:
        raise ContractViolation(f"What should be event {expected_seq} is not one.") from error
    if type(seq) is not int or not isinstance(kind, str) or not isinstance(data, dict):
        raise ContractViolation(f"What should be event {expected_seq} is not one.")
    if seq != expected_seq:
        raise SequenceError(expected_seq, seq)
    if message.last_event_id != str(seq) or message.type != kind:
        raise ContractViolation(f"Event {seq} disagrees with its own id or event field.")
    received: Event = event
    return received
