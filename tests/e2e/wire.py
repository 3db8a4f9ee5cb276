"""The bytes of a stream, read as strictly as they are specified, by a parser that is not the client's."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx

Event = dict[str, Any]

READ_SECONDS = 40.0
OPTIONAL = ("node", "task", "cut")
"""The members that only some events have, in the order of the line."""


@dataclass
class Wire:
    """What a connection says; an event without its blank line does not count.

    Attributes:
        kinds: ``retry``, ``comment`` or ``event``, in the order of the stream.
    """

    events: list[Event] = field(default_factory=list)
    kinds: list[str] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        """Whether the last event is ``done``."""
        return bool(self.events) and self.events[-1]["type"] == "done"


def parsed(body: bytes) -> Wire:
    """Read `body`: ``id``, ``event`` and ``data`` in this order and a blank line, or one line of another kind."""
    wire = Wire()
    frame: list[bytes] = []
    for line in body.split(b"\n")[:-1]:
        if not line:
            wire.events.append(_event(b"\n".join(frame).decode("utf-8")))
            wire.kinds.append("event")
            frame = []
        elif line.startswith((b": ", b"retry: ")):
            assert not frame, frame
            assert line.startswith(b": ") or line.removeprefix(b"retry: ").isdigit(), line
            wire.kinds.append("comment" if line.startswith(b": ") else "retry")
        else:
            frame.append(line)
    return wire


def _event(frame: str) -> Event:
    lines = frame.split("\n")
    assert [line.partition(": ")[0] for line in lines] == ["id", "event", "data"], frame
    seq, kind, data = (line.partition(": ")[2] for line in lines)
    event: Event = json.loads(data)
    optional = [name for name in OPTIONAL if name in event]
    assert list(event) == ["seq", "type", "ts", *optional, "data"], frame
    assert ("node" in event) == ("task" in event), frame
    assert (str(event["seq"]), event["type"]) == (seq, kind), frame
    assert isinstance(event["data"], dict), frame
    return event


class Connection:
    """One open stream."""

    def __init__(self, response: httpx.Response) -> None:
        self.response = response
        self.body = b""
        self._chunks: Iterator[bytes] = response.iter_raw()

    @property
    def wire(self) -> Wire:
        """What has been received so far."""
        return parsed(self.body)

    def until(self, enough: Callable[[Wire], bool]) -> Wire:
        """Read until `enough`, or to the end."""
        while not enough(wire := self.wire):
            chunk = next(self._chunks, None)
            if chunk is None:
                return wire
            self.body += chunk
        return wire

    def cut_after(self, size: int) -> Wire:
        """Read `size` bytes, no more, or to the end; what follows is lost with the connection."""
        while len(self.body) < size and (chunk := next(self._chunks, None)) is not None:
            self.body += chunk
        self.body = self.body[:size]
        return self.wire

    def rest(self) -> Wire:
        """Read to the end."""
        for chunk in self._chunks:
            self.body += chunk
        return self.wire


@contextmanager
def opened(
    client: httpx.Client, url: str, headers: Mapping[str, str], params: Mapping[str, str]
) -> Iterator[Connection]:
    """Open a stream; leaving closes the connection, whatever was still to come."""
    # A request's own parameters would replace those of the address, and one of those is the ticket.
    address = httpx.URL(url).copy_merge_params(dict(params))
    timeout = httpx.Timeout(READ_SECONDS)
    with client.stream("GET", address, headers=dict(headers), timeout=timeout) as response:
        yield Connection(response)


def check_whole(events: list[Event]) -> None:
    """A log from beginning to end: seqs 1..n, ``metadata`` first and once, ``done`` last and once."""
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    assert [event["seq"] for event in events if event["type"] == "metadata"] == [1]
    assert [event["seq"] for event in events if event["type"] == "done"] == [len(events)]
