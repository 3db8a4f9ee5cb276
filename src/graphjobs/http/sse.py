"""The wire format: server-sent events, as in the WHATWG HTML standard, section 9.2.

``id:`` is the bare decimal seq, ``event:`` the type, ``data:`` the event's JSON on one line.
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
    """Tells a browser how long to wait before it comes back."""
    return b"retry: %d\n\n" % milliseconds


def comment(text: str) -> bytes:
    """A line that clients skip; shows that the connection is alive."""
    return f": {text}\n\n".encode()
