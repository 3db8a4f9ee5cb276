"""One job, as a client asks for it: by the API, followed by the stream over a connection that is cut after two events.

What it holds true of the deployment: the events are 1, 2, 3, ... without gap or repeat over both connections, the last
one is ``done``, and the job has completed.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Generator
from contextlib import closing
from typing import Any, Final
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from graphjobs.client.sse import EventParser

SECONDS: Final = 20.0
"""Of silence; a stream sends a heartbeat each 15."""
CHUNK: Final = 65_536
CUT_AFTER: Final = 2
PAUSE: Final = 1.0


class CanaryFailed(Exception):
    """The deployment does not do what it promises; the message says where."""


def opened(request: Request) -> Any:
    """The answer to `request`, which names an address of the configuration or one that the service itself has given."""
    return closing(urlopen(request, timeout=SECONDS))  # noqa: S310


def round_trip(
    api_url: str, body: str, token: str, deadline: float, *, pause: Callable[[float], Any] = time.sleep
) -> str:
    """Run one job; returns its id. `deadline` is a time of `time.monotonic`.

    Raises:
        CanaryFailed: the events are not as promised, the job has failed, or it has not ended in time.
        OSError: API or stream cannot be reached, or refuse.
    """
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    with opened(Request(f"{api_url}/jobs", body.encode(), headers)) as answer:  # noqa: S310
        job = json.loads(answer.read())
    seen = 0
    while time.monotonic() < deadline:
        cut = seen < CUT_AFTER
        with closing(_events(job["stream_url"], token, seen)) as events:
            for event in events:
                if event["seq"] != seen + 1:
                    raise CanaryFailed(f"{job['job_id']}: event {event['seq']} came after {seen}.")
                seen += 1
                if event["type"] == "done":
                    return _ended(job["job_id"], event["data"])
                if cut and seen >= CUT_AFTER:
                    break
            else:
                pause(PAUSE)
    raise CanaryFailed(f"{job['job_id']}: it has not ended in time; {seen} events have come.")


def _ended(job_id: str, done: dict[str, Any]) -> str:
    if done["status"] != "completed":
        raise CanaryFailed(f"{job_id}: it has {done['status']}: {done.get('error')}.")
    return job_id


def _events(stream_url: str, token: str, after: int) -> Generator[dict[str, Any], None, None]:
    """The events of one connection."""
    address = stream_url.partition("?")[0] + "?" + urlencode({"after": after})
    parser = EventParser()
    with opened(Request(address, headers={"Authorization": f"Bearer {token}"})) as answer:  # noqa: S310
        while chunk := answer.read1(CHUNK):
            for message in parser.feed(chunk):
                yield json.loads(message.data)
