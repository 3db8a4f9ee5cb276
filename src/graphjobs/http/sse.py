"""The wire format: server-sent events, as in the WHATWG HTML standard, section 9.2.

``id:`` is the bare decimal seq, ``event:`` the type, ``data:`` the event's JSON on one line. A blank line ends an event
and nothing else: ``retry:`` and comments count as soon as their line ends, and some clients (httpx-sse,
fetch-event-source) take a blank line after one of them for an event without data.
"""

from typing import Final

from graphjobs.core.event import StoredEvent

CONTENT_TYPE: Final = "text/event-stream"


def encode(event: StoredEvent) -> bytes:
    """`event` as it goes over the wire.

    Raises:
        ValueError: its line is no event.
    """
    return f"id: {event.seq}\nevent: {event.type}\ndata: {event.line}\n\n".encode()


def retry(milliseconds: int) -> bytes:
    """Tells a client how long to wait before it comes back, from now on."""
    return b"retry: %d\n" % milliseconds


def comment(text: str) -> bytes:
    """A line that clients skip; shows that the connection is alive."""
    return f": {text}\n".encode()
