"""Logs of jobs as tests need them: events, and the bytes that a stream sends for them."""

from typing import Any

from graphjobs.client.answers import Event
from graphjobs.core.event import Event as EventModel
from graphjobs.core.event import StoredEvent
from graphjobs.http.sse import encode

JOB_ID = "job-00000000-0000-4000-8000-000000000001"


def event(seq: int, kind: str, **data: Any) -> Event:
    return {"seq": seq, "type": kind, "ts": "2026-01-01T00:00:00.000Z", "data": data}


def chat_log(tokens: list[str]) -> list[Event]:
    """metadata, the tokens, done."""
    middle = [event(seq, "token", text=text, node="model", message_id="m1") for seq, text in enumerate(tokens, start=2)]
    end = event(len(tokens) + 2, "done", status="completed", result={"answer": "".join(tokens)})
    return [event(1, "metadata", graph="chat", model="offline"), *middle, end]


def wire(events: list[Event]) -> bytes:
    """The bytes of `events` as the stream function sends them, without the ``retry:`` that comes first."""
    return b"".join(encode(StoredEvent(item["seq"], model(item).line())) for item in events)


def model(event: Event) -> EventModel:
    """The event as the writer has it."""
    cut = tuple(event.get("cut", ()))
    return EventModel(
        event["seq"], event["type"], event["ts"], event["data"], event.get("node"), event.get("task"), cut
    )
