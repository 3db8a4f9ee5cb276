"""Turns the worker's own log lines into notes for the terminal of ``graphjobs local``."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable
from typing import Any

from graphjobs.local.notes import CLAIMED, FAILED, FINISHED, Note


class LogNotes(logging.Handler):
    """A handler of the worker's logger: `send` gets a note for what a person at the terminal wants to see.

    `keys` gives the keys that the logger puts on every line; the job's id is one of them.
    """

    def __init__(self, send: Callable[[Note], object], keys: Callable[[], dict[str, Any]]) -> None:
        super().__init__()
        self._send = send
        self._keys = keys
        self._claimed_at = 0.0

    def emit(self, record: logging.LogRecord) -> None:
        """Send a note if the line tells of a job's claim, its end, or what its graph raised."""
        job_id = self._keys().get("job_id")
        if job_id is None:
            return
        told = record.__dict__
        if record.msg == "claimed":
            self._claimed_at = time.monotonic()
            facts = {name: told.get(name) for name in ("graph", "attempt", "epoch")}
            self._send({"note": CLAIMED, "job_id": job_id, **facts})
        elif record.msg == "finished":
            seconds = round(time.monotonic() - self._claimed_at, 1)
            facts = {name: told.get(name) for name in ("status", "code")}
            self._send({"note": FINISHED, "job_id": job_id, "seconds": seconds, **facts})
        elif record.levelno >= logging.ERROR and record.exc_info and record.exc_info[1]:
            self._send({"note": FAILED, "job_id": job_id, "trace": readable_trace(record.exc_info[1])})


def readable_trace(error: BaseException) -> str:
    """The trace as Python prints it, and what the exception cannot print of itself by its class."""
    try:
        return "".join(traceback.format_exception(error)).rstrip()
    except Exception:  # a user's __str__ or __repr__ may raise anything
        frames = "".join(traceback.format_tb(error.__traceback__)).rstrip()
        return f"Traceback (most recent call last):\n{frames}\n{type(error).__name__} (it cannot be printed)"
