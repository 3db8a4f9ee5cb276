"""The wire format: a table of exact bytes, and what parsers of other people make of them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from graphjobs.core.event import Event, StoredEvent, event_line
from graphjobs.http import sse

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)
NASTY = st.sampled_from(
    ["a\nb", "\r", "\r\n\r\n", "\u2028\u2029", "\0", "\x85", "\x0b\x0c\x1c\x1d\x1e", "data: x\n\n", "\ufeff", "환불"]
)
DATA = st.dictionaries(st.text(max_size=8) | NASTY, JSON | NASTY, max_size=4)

Dispatched = list[tuple[str, str, str]]
"""Type, data and last event id of each event."""


def standard(stream: bytes) -> Dispatched:
    """As section 9.2.6 of the standard says: EventSource, eventsource-parser, our own client."""
    found, kind, data, last_id = [], "", "", ""
    for line in stream.decode().split("\n")[:-1]:
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


def httpx_sse(stream: bytes) -> Dispatched:
    """As httpx-sse: a blank line dispatches whatever a field was given of, data or not, and `retry` is a field."""
    found: Dispatched = []
    kind, data, last_id, retry = "", list[str](), "", ""
    for line in stream.decode().split("\n")[:-1]:
        if not line:
            if kind or data or last_id or retry:
                found.append((kind or "message", "\n".join(data), last_id))
            kind, data, retry = "", [], ""
        elif not line.startswith(":"):
            name, _, value = line.partition(":")
            value = value.removeprefix(" ")
            kind = value if name == "event" else kind
            last_id = value if name == "id" else last_id
            retry = value if name == "retry" else retry
            data += [value] if name == "data" else []
    return found


def fetch_event_source(stream: bytes) -> Dispatched:
    """As @microsoft/fetch-event-source: every blank line is a message, of comments and `retry` too."""
    found: Dispatched = []
    message = {"event": "", "data": "", "id": ""}
    for line in stream.decode().split("\n")[:-1]:
        if not line:
            found.append((message["event"] or "message", message["data"], message["id"]))
            message = {"event": "", "data": "", "id": ""}
        elif (colon := line.find(":")) > 0:
            message[line[:colon]] = line[colon + 1 :].removeprefix(" ")
    return found


def text_lines(stream: bytes) -> Dispatched:
    """As those who loop over `iter_lines()` of httpx or requests: lines end where `str.splitlines` says."""
    return standard("\n".join([*stream.decode().splitlines(), ""]).encode())


def universal_newlines(stream: bytes) -> Dispatched:
    """As those who read a text file object."""
    lines = list(io.TextIOWrapper(io.BytesIO(stream), encoding="utf-8"))
    return standard("".join(lines).encode())


PARSERS = [standard, httpx_sse, fetch_event_source, text_lines, universal_newlines]


def stored(seq: int, kind: str, data: dict[str, Any]) -> StoredEvent:
    return StoredEvent(seq, Event(seq, kind, "2026-01-01T00:00:00.000Z", data).line())


def line(data: str) -> bytes:
    """The ``data:`` line of event 1, a `custom`, with this JSON as its data."""
    return b'data: {"seq":1,"type":"custom","ts":"2026-01-01T00:00:00.000Z","data":' + data.encode() + b"}\n"


@pytest.mark.parametrize(
    ("data", "json_text"),
    [
        pytest.param({}, "{}", id="nothing"),
        pytest.param({"text": "환불"}, '{"text":"환불"}', id="not ASCII"),
        pytest.param({"a": "\n\r\t"}, r'{"a":"\n\r\t"}', id="line feed, carriage return"),
        pytest.param({"a": "\x0b\x0c\x1c\x1d\x1e"}, r'{"a":"\u000b\f\u001c\u001d\u001e"}', id="other controls"),
        pytest.param({"a": "\x85"}, r'{"a":"\u0085"}', id="next line"),
        pytest.param({"a": "환\u2028"}, r'{"a":"환\u2028"}', id="line separator"),
        pytest.param({"a": "\u2029b"}, r'{"a":"\u2029b"}', id="paragraph separator"),
        pytest.param({"\u2028": 1}, r'{"\u2028":1}', id="in a name"),
        pytest.param({"a": "\\\u2028"}, r'{"a":"\\\u2028"}', id="after a backslash"),
        pytest.param({"a": "\ufeff\0"}, '{"a":"\ufeff\\u0000"}', id="byte order mark, NULL"),
        pytest.param({"a": "\U0001f600"}, '{"a":"\U0001f600"}', id="beyond the basic plane"),
        pytest.param({"a": ": x\n\ndata: y"}, r'{"a":": x\n\ndata: y"}', id="what looks like fields"),
    ],
)
def test_the_bytes_of_an_event(data: dict[str, Any], json_text: str) -> None:
    assert sse.encode(stored(1, "custom", data)) == b"id: 1\nevent: custom\n" + line(json_text) + b"\n"
    assert json.loads(json_text) == data


def test_the_bytes_of_what_is_no_event() -> None:
    assert sse.comment("heartbeat") == b": heartbeat\n"
    assert sse.retry(1500) == b"retry: 1500\n"


def test_data_that_is_json_already_is_held_on_one_line_too() -> None:
    assert event_line(1, "custom", "t", '{"a":"\u2028"}') == r'{"seq":1,"type":"custom","ts":"t","data":{"a":"\u2028"}}'


@pytest.mark.parametrize("parser", PARSERS)
@given(datas=st.lists(DATA, max_size=5), pauses=st.lists(st.integers(0, 2), min_size=6, max_size=6))
def test_every_parser_gets_the_events_and_nothing_else(
    parser: Callable[[bytes], Dispatched], datas: list[dict[str, Any]], pauses: list[int]
) -> None:
    """Also where heartbeats come between them, and `retry` at both ends."""
    events = [stored(seq, "custom", data) for seq, data in enumerate(datas, 1)]
    wire = sse.retry(1000) + sse.comment("heartbeat") * pauses[0]
    for event, pause in zip(events, pauses[1:], strict=False):
        wire += sse.encode(event) + sse.comment("heartbeat") * pause
    wire += sse.retry(100)
    assert b"\r" not in wire and b"\0" not in wire, "either would end a line, or have an id ignored"
    got = parser(wire)
    assert [(kind, last_id) for kind, _, last_id in got] == [("custom", str(e.seq)) for e in events]
    assert [json.loads(data)["data"] for _, data, _ in got] == datas
