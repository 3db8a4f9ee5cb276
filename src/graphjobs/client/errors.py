"""What can go wrong, as one tree; the text of each is one readable line, without token or ticket.

::

    GraphjobsError
    |-- ConfigurationError     an address or a token is missing or cannot be used
    |-- ApiError               the service answered with an error: status, code, detail
    |-- ServiceUnreachable     there was no answer, or it broke off
    |-- CannotAnswer           a job asks nothing, or not that
    `-- ContractViolation      an answer that the contract rules out
        `-- SequenceError      an event's seq is not the one that has to follow
"""

import json
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final

RETRYABLE_STATUSES: Final = frozenset({429, 500, 502, 503, 504})
"""Passing faults, ours (503) or the gateway's; any call may be repeated, so all of them are retried."""

FINAL_CODES: Final = frozenset({"update_failed"})
"""Of such a status and not passing: the job behind it has ended, and the same key gives the same job again."""

MAX_RETRY_AFTER_SECONDS: Final = 60.0
"""However long a server asks us to wait, a person at a terminal waits no longer than this at a time."""


class GraphjobsError(Exception):
    """Anything that the client raises of its own accord.

    Attributes:
        retryable: the same request may succeed later.
        retry_after: the least seconds to wait before that, 0.0 when the service named none.
    """

    retryable: bool = False
    retry_after: float = 0.0


class ConfigurationError(GraphjobsError):
    """An address or a token is missing or cannot be used."""


class ApiError(GraphjobsError):
    """The service answered with an error: our ``application/problem+json`` or the gateway's ``{"message"}``.

    Attributes:
        status: HTTP status.
        code: the problem's stable code, or the status' phrase in snake case when the gateway answered.
        detail: one sentence for a person.
    """

    def __init__(self, status: int, code: str, detail: str, retry_after: float = 0.0) -> None:
        super().__init__(f"{detail} ({status} {code})")
        self.status = status
        self.code = code
        self.detail = detail
        self.retry_after = retry_after
        self.retryable = status in RETRYABLE_STATUSES and code not in FINAL_CODES


class ServiceUnreachable(GraphjobsError):
    """There was no answer, or it broke off; `origin` is scheme, host and port."""

    retryable = True

    def __init__(self, origin: str, reason: str) -> None:
        super().__init__(f"No answer from {origin}: {reason}")
        self.origin = origin


class CannotAnswer(GraphjobsError):
    """An answer to a job that asks nothing, or not that, or several things at once. Nothing was sent."""


class ContractViolation(GraphjobsError):
    """An answer that the contract rules out: asking again would not make it right."""


class SequenceError(ContractViolation):
    """An event's seq is not the one that has to follow: `expected` is the last one plus 1."""

    def __init__(self, expected: int, received: int) -> None:
        kind = "repeats or reorders" if received < expected else "has a gap in"
        super().__init__(f"The stream {kind} its events: expected seq {expected}, received {received}.")
        self.expected = expected
        self.received = received


def api_error(status: int, body: bytes, retry_after: str | None) -> ApiError:
    """The error that an answer of `status` with `body` and a ``Retry-After`` header stands for."""
    members = _members(body)
    phrase = _phrase(status)
    code = members.get("code") or phrase.lower().replace(" ", "_").replace("-", "_")
    detail = members.get("detail") or members.get("message") or members.get("Message") or phrase
    return ApiError(status, str(code), str(detail), retry_after_seconds(retry_after))


def retry_after_seconds(value: str | None) -> float:
    """The seconds that a ``Retry-After`` header asks for (RFC 9110, 10.2.3: a number or a date), at most 60.

    An unreadable one asks for nothing: the client's own backoff then applies.
    """
    if value is None:
        return 0.0
    text = value.strip()
    if text.isascii() and text.isdigit():
        return MAX_RETRY_AFTER_SECONDS if len(text) > 9 else min(float(text), MAX_RETRY_AFTER_SECONDS)
    try:
        when = parsedate_to_datetime(text)
    except ValueError:
        return 0.0
    wait = (when if when.tzinfo else when.replace(tzinfo=UTC)) - datetime.now(UTC)
    return min(max(wait.total_seconds(), 0.0), MAX_RETRY_AFTER_SECONDS)


def _members(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`; a proxy's HTML page, for one, has none."""
    try:
        members = json.loads(body)
    except ValueError:
        return {}
    return members if isinstance(members, dict) else {}


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"HTTP {status}"
