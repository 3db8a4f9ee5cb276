"""The cursor: the seq of the last event that a client has seen, from ``Last-Event-ID`` or ``?after=``."""

import re
from typing import Final

from graphjobs.http.problem import Problem

DECIMAL: Final = re.compile(r"[0-9]{1,15}", re.ASCII)


def cursor(last_event_id: str | None, after: str | None) -> int:
    """The cursor; the header wins, since a browser that reconnects sends it to the first address again.

    Raises:
        Problem: 400, what was given is not a seq. Taking it for 0 would send everything twice.
    """
    text = last_event_id or after
    if not text:
        return 0
    if not DECIMAL.fullmatch(text):
        raise Problem(400, "invalid_cursor", "Last-Event-ID and after are the decimal seq of an event.")
    return int(text)


def too_high(after: int, last: int) -> Problem:
    """400: the client claims to have seen what was never written."""
    return Problem(400, "cursor_too_high", f"There is no event {after}; the last one is {last}.")
