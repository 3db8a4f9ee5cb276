"""One client of the stream, with the real opening and framing; its connection is cut after any byte."""

from __future__ import annotations

from typing import Any

from graphjobs.client.sse import EventParser
from graphjobs.stream.frame import Delivery, Frame
from graphjobs.stream.opening import Credentials, Door

BEARER = Credentials(bearer="token", ticket=None)


class AnyToken:
    """A verifier that takes every token for the owner's."""

    sub = "user-1"

    def verify(self, token: str) -> AnyToken:
        return self


class Viewer:
    """What one client has received, over all its connections."""

    def __init__(self, world: Any, job_id: str) -> None:
        nothing: Any = None
        verifier: Any = AnyToken()
        self._world = world
        self._job_id = job_id
        self._door = Door(world.jobs, world.log, verifier, nothing, world.clock)
        self.received: list[tuple[str, str]] = []

    @property
    def _after(self) -> int:
        return int(self.received[-1][0]) if self.received else 0

    def read(self, cut: float, slots: int) -> bool:
        """One connection: resume, take up to `slots` slots, lose what is after `cut` of the bytes.

        Returns whether there is nothing more to come.
        """
        opening = self._door.open(self._job_id, BEARER, self._after)
        if opening.finished:
            return True
        delivery = Delivery(self._job_id, self._after)
        frames = delivery.take([opening.first]) if opening.first else b""
        if slots:
            frames += delivery.take(
                [Frame(slot) for slot in self._world.log.following(*delivery.next, max_slots=slots)]
            )
        messages = EventParser().feed(frames[: round(len(frames) * cut)])
        self.received += [(message.last_event_id, message.data) for message in messages]
        log = [event for slot in self._world.storage.log(self._job_id) for event in slot.events()]
        expected = [(str(event.seq), event.line) for event in log]
        assert self.received == expected[: len(self.received)], "a client received what is not the log"
        return False

    def read_to_the_end(self) -> None:
        """Resume until there is nothing more: then it has the whole log, and is told that it is over."""
        length = len(self._world.storage.log(self._job_id))
        self.read(1, length)
        assert self.received and self.read(1, 1), "the stream of an ended job does not end"
