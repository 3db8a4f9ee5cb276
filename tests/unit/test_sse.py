"""The wire format, held against a parser written from the standard alone."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from graphjobs.core.event import Event, StoredEvent
from graphjobs.http import sse

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NASTY = st.sampled_from(["a\nb", "\r", "\r\n\r\n", "\u2028\u2029", "\0", "\x85", "data: x\n\n", "\ufeff", "환불"])
DATA = st.dictionaries(st.text(max_size=8), JSON | NASTY, max_size=4)


def dispatched(stream: bytes) -> list[tuple[str, str, str]]:
    """Type, data and last event id of each event, as section 9.2.6 of the standard says, for LF line ends."""
    found, kind, data, last_id = [], "", "", ""
    for line in stream.decode().split("\n"):
        if not line:
            if data:
                found.append((kind or "message", data.removesuffix("\n"), last_id))
            kind, data = "", ""
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            if name == "event":
                kind = value
            elif name == "data":
                data += value + "\n"
            elif name == "id":
                last_id = value
    return found


def stored(seq: int, kind: str, data: dict[str, Any]) -> StoredEvent:
    return StoredEvent(seq, Event(seq, kind, "2026-01-01T00:00:00.000Z", data).line())


def test_the_bytes_of_an_event() -> None:
    assert sse.encode(stored(17, "token", {"text": "환불"})) == (
        b"id: 17\nevent: token\n"
        b'data: {"seq":17,"type":"token","ts":"2026-01-01T00:00:00.000Z","data":{"text":"'
        + "환불".encode()
        + b'"}}\n\n'
    )


@given(st.lists(DATA, max_size=5))
def test_any_data_comes_back_event_by_event(datas: list[dict[str, Any]]) -> None:
    events = [stored(seq, "custom", data) for seq, data in enumerate(datas, 1)]
    wire = b"".join(map(sse.encode, events))
    assert b"\r" not in wire and b"\0" not in wire, "either would end a line, or have an id ignored"
    got = dispatched(sse.retry(1000) + wire + sse.comment("heartbeat"))
    assert [(kind, last_id) for kind, _, last_id in got] == [("custom", str(e.seq)) for e in events]
    assert [json.loads(data)["data"] for _, data, _ in got] == datas


def test_a_comment_and_a_retry_are_no_events() -> None:
    assert sse.comment("heartbeat") == b": heartbeat\n\n"
    assert sse.retry(1500) == b"retry: 1500\n\n"
    assert dispatched(sse.comment("heartbeat") + sse.retry(1)) == []
