"""What a person is told while nothing comes: a connection that broke, a call that is tried again, a long silence."""

import sys
import threading
import time
from collections.abc import Generator
from contextlib import contextmanager
from typing import Final

from graphjobs.cli.event_view import EventView
from graphjobs.cli.terminal import say
from graphjobs.client.errors import GraphjobsError

BEFORE_FIRST_SECONDS: Final = 2.0
SILENCE_SECONDS: Final = 20.0
"""A model may think for a while; a worker that was lost is replaced after about 47 s."""
LOOK_SECONDS: Final = 0.25

WAITING: Final = "Queued: waiting for a worker."
SILENT: Final = "No event for {seconds:.0f} s: the job works in silence, or another worker has to take it over."


class Notices:
    """Lines on stderr about what cannot be seen in the events."""

    def __init__(self, before_first: float = BEFORE_FIRST_SECONDS, silence: float = SILENCE_SECONDS) -> None:
        """Seconds of silence before the first event, and later, that are spoken of."""
        self._before_first = before_first
        self._silence = silence
        self._view: EventView | None = None
        self._heard_at = 0.0
        self._begun = False
        self._said = False

    def retry(self, error: GraphjobsError, failures: int) -> None:
        """A call failed, or a connection broke, and is tried again: `graphjobs.Client`'s `on_retry`."""
        if self._view is not None:
            self._view.leave()
        say(f"{error}; {'reconnecting' if self._view else 'trying again'} ({failures})")

    def heard(self) -> None:
        """An event has come."""
        self._begun = True
        self._said = False
        self._heard_at = time.monotonic()

    @contextmanager
    def following(self, view: EventView, *, begun: bool) -> Generator[None]:
        """A stream is followed and shown by `view`; `begun` says that its first events are known already."""
        self._view, self._begun, self._said = view, begun, False
        self._heard_at = time.monotonic()
        ended = threading.Event()
        watch = threading.Thread(target=self._watch, args=(ended,), name="notices", daemon=True)
        watch.start()
        try:
            yield
        finally:
            ended.set()
            watch.join()
            self._view = None

    def _watch(self, ended: threading.Event) -> None:
        """Say once of each silence that it is one. On a thread of its own: the main one waits for the next event."""
        while not ended.wait(LOOK_SECONDS):
            silent = time.monotonic() - self._heard_at
            if not self._said and silent >= (self._silence if self._begun else self._before_first):
                self._said = True
                text = SILENT.format(seconds=silent) if self._begun else WAITING
                print(f"\n{text}" if self._begun and sys.stderr.isatty() else text, file=sys.stderr, flush=True)
