"""The calls of the HTTP contract, as requests that are still to be sent. Pure: both clients send them."""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlsplit, urlunsplit

from graphjobs.client.answers import JobOptions, StreamTicket
from graphjobs.client.errors import ConfigurationError, ContractViolation


@dataclass(frozen=True, slots=True)
class Call:
    """One request; `path` begins at the service's base URL.

    Attributes:
        deletes: afterwards what it names is gone, so that a 404 says that it has been done, if it may have been.
    """

    method: str
    path: str
    json: Any = None
    params: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    deletes: bool = False


def submit(query: str | None, idempotency_key: str | None, options: JobOptions) -> Call:
    """``POST /jobs``, with the same ``Idempotency-Key`` however often it is sent.

    Raises:
        ConfigurationError: the key cannot be a header's value.
    """
    return Call("POST", "/jobs", json=_given({"query": query, **options}), headers=_keyed(idempotency_key))


def status(job_id: str) -> Call:
    """``GET /jobs/{job_id}/status``."""
    return Call("GET", f"/jobs/{_segment(job_id)}/status")


def cancel(job_id: str) -> Call:
    """``POST /jobs/{job_id}/cancel``."""
    return Call("POST", f"/jobs/{_segment(job_id)}/cancel")


def delete(job_id: str) -> Call:
    """``DELETE /jobs/{job_id}``."""
    return Call("DELETE", f"/jobs/{_segment(job_id)}", deletes=True)


def list_jobs(status: str | None, limit: int | None, cursor: str | None, owner: str | None) -> Call:
    """``GET /jobs``."""
    asked = {"status": status, "limit": limit, "cursor": cursor, "owner": owner}
    return Call("GET", "/jobs", params=_given(asked))


def thread(thread_id: str) -> Call:
    """``GET /threads/{thread_id}``."""
    return Call("GET", f"/threads/{_segment(thread_id)}")


def state(thread_id: str, checkpoint_id: str | None, subgraphs: bool) -> Call:
    """``GET /threads/{thread_id}/state``, or that of one checkpoint."""
    at = "" if checkpoint_id is None else f"/{_segment(checkpoint_id)}"
    params = {"subgraphs": "true"} if subgraphs else {}
    return Call("GET", f"/threads/{_segment(thread_id)}/state{at}", params=params)


def update_state(
    thread_id: str, values: Any, as_node: str | None, checkpoint_id: str | None, idempotency_key: str | None
) -> Call:
    """``POST /threads/{thread_id}/state``, with the same ``Idempotency-Key`` however often it is sent.

    Raises:
        ConfigurationError: the key cannot be a header's value.
    """
    asked = _given({"values": values, "as_node": as_node, "checkpoint_id": checkpoint_id})
    return Call("POST", f"/threads/{_segment(thread_id)}/state", json=asked, headers=_keyed(idempotency_key))


def delete_thread(thread_id: str) -> Call:
    """``DELETE /threads/{thread_id}``."""
    return Call("DELETE", f"/threads/{_segment(thread_id)}", deletes=True)


def history(thread_id: str, limit: int | None, before: str | None) -> Call:
    """``GET /threads/{thread_id}/history``."""
    return Call("GET", f"/threads/{_segment(thread_id)}/history", params=_given({"limit": limit, "before": before}))


def stream_ticket(job_id: str) -> Call:
    """``POST /jobs/{job_id}/stream-ticket``."""
    return Call("POST", f"/jobs/{_segment(job_id)}/stream-ticket")


def revoke_tickets(job_id: str) -> Call:
    """``DELETE /jobs/{job_id}/stream-ticket``."""
    return Call("DELETE", f"/jobs/{_segment(job_id)}/stream-ticket")


def stream(job_id: str, last: int) -> Call:
    """``GET /stream/{job_id}``, of the stream's base URL: what follows event `last`."""
    headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity"}
    if last:
        headers["Last-Event-ID"] = str(last)
    return Call("GET", f"/stream/{_segment(job_id)}", headers=headers)


def stream_base(ticket: StreamTicket) -> str:
    """The stream's base URL, which a ticket's address begins with.

    Raises:
        ContractViolation: it names no stream.
    """
    parts = urlsplit(str(ticket.get("stream_url", "")))
    base, found, _ = parts.path.rpartition("/stream/")
    if not found:
        raise ContractViolation("The stream ticket names no stream.")
    return base_url(urlunsplit((parts.scheme, parts.netloc, base, "", "")))


def base_url(url: str) -> str:
    """`url` without a slash at its end.

    Raises:
        ConfigurationError: it is no http(s) address.
    """
    parts = urlsplit(url.strip())
    if parts.scheme not in ("http", "https") or not parts.hostname or parts.query:
        raise ConfigurationError("An address has to look like https://host or http://127.0.0.1:8000.")
    return url.strip().rstrip("/")


def header_value(text: str, name: str) -> str:
    """`text`, if it can be a header's value.

    Raises:
        ConfigurationError: it cannot; it is named by `name` and not shown, since it may be a secret.
    """
    if not text or not text.isascii() or not text.isprintable() or text != text.strip():
        raise ConfigurationError(f"{name} is empty or holds characters that a header cannot carry.")
    return text


def _keyed(idempotency_key: str | None) -> dict[str, str]:
    """The header that makes a repeated request the same one; a key of its own if none is given."""
    key = str(uuid.uuid4()) if idempotency_key is None else idempotency_key
    return {"Idempotency-Key": header_value(key, "The idempotency key")}


def _given(members: Mapping[str, Any]) -> dict[str, Any]:
    """The members that have a value."""
    return {name: value for name, value in members.items() if value is not None}


def _segment(text: str) -> str:
    """An id as one path segment, whatever is in it."""
    return quote(text, safe="")
