"""What is compared: something that runs the graph `work` as a job and lets its events be followed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import httpx

from graphjobs.client.sse import EventParser, Message


class System(Protocol):
    """One way to run a job, which takes one job at a time."""

    name: str

    def prepare(self) -> Any:
        """What must be there before a job is submitted, and is no part of its latency; given to `follow`."""

    def follow(self, prepared: Any, graph_input: dict[str, Any]) -> Iterator[dict[str, Any]]:
        """Submit a job and give its events, parsed, as they come; of the graph's own, what the node wrote."""


@dataclass(frozen=True, slots=True)
class Run:
    """What one job showed.

    Attributes:
        first_ms: from before the submit to the first event of any kind.
        first_written_ms: from before the submit to the first event that a node wrote.
        lags_ms: from written by a node to parsed here, one an event.
    """

    first_ms: float
    first_written_ms: float
    lags_ms: list[float]


def run(system: System, events: int, pause: float) -> Run:
    """Run one job to its end.

    Raises:
        RuntimeError: events are missing, or out of order.
    """
    prepared = system.prepare()
    first = first_written = 0.0
    lags: list[float] = []
    began = time.time()
    for event in system.follow(prepared, {"events": events, "pause": pause}):
        now = time.time()  # the clock of `written_at`, which another process reads
        first = first or now
        if "written_at" in event:
            first_written = first_written or now
            if event["number"] != len(lags):
                raise RuntimeError(f"{system.name}: event {event['number']} came in place of {len(lags)}")
            lags.append((now - event["written_at"]) * 1000)
    if len(lags) != events:
        raise RuntimeError(f"{system.name}: {len(lags)} of {events} events came")
    return Run((first - began) * 1000, (first_written - began) * 1000, lags)


def follow_sse(
    http: httpx.Client, url: str, headers: dict[str, str], is_last: Callable[[Message], bool]
) -> Iterator[dict[str, Any]]:
    """The JSON objects of a stream of server-sent events, parsed by our own client's parser."""
    parser = EventParser()
    with http.stream("GET", url, headers={"accept": "text/event-stream", **headers}) as answer:
        answer.raise_for_status()
        for chunk in answer.iter_bytes():
            for message in parser.feed(chunk):
                if is_last(message):
                    return
                event = json.loads(message.data)
                yield event if isinstance(event, dict) else {}
