"""From LangGraph's stream parts to events."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage

from graphjobs.core.event import RESERVED_TYPES, Event, StoredEvent
from graphjobs.worker.jsonable import encode
from graphjobs.worker.translate import GraphInterrupted, boundary, translate


def part(kind: str, data: Any, *ns: str) -> dict[str, Any]:
    return {"type": kind, "ns": ns, "data": data}


def events(kind: str, data: Any, *ns: str) -> list[tuple[str, dict[str, Any]]]:
    """The events, their data as the writer makes it."""
    return [(name, json.loads(encode(content))) for name, content in translate(part(kind, data, *ns))]


def test_a_token_names_its_node_and_message() -> None:
    message = AIMessageChunk(content="hi", id="m1")
    assert events("messages", (message, {"langgraph_node": "answer"})) == [
        ("token", {"text": "hi", "node": "answer", "message_id": "m1"})
    ]


def test_a_token_of_content_blocks_is_their_text() -> None:
    message = AIMessageChunk([{"type": "text", "text": "a\ud800"}, {"type": "image", "url": "x"}])
    assert events("messages", (message, {}))[0][1]["text"] == "a\ufffd"


@pytest.mark.parametrize("message", [AIMessageChunk(content=""), HumanMessage("q"), ToolMessage("t", tool_call_id="1")])
def test_what_is_not_text_of_the_assistant_is_no_token(message: Any) -> None:
    assert events("messages", (message, {"langgraph_node": "n"})) == []


def test_each_node_of_a_step_has_an_update() -> None:
    made = events("updates", {"a": {"x": {1}}, "b": None})
    assert made == [("update", {"node": "a", "output": {"x": [1]}}), ("update", {"node": "b", "output": None})]


def test_what_comes_from_a_cache_is_an_update_of_its_node_alone() -> None:
    made = events("updates", {"a": {"x": 1}, "__metadata__": {"cached": True}})
    assert made == [("update", {"node": "a", "output": {"x": 1}})]


def test_a_node_of_a_subgraph_is_named_by_its_path() -> None:
    ns = ("outer:0123-4567", "middle:89")
    assert events("updates", {"inner": {}}, *ns)[0][1]["node"] == "outer/middle/inner"
    assert events("messages", (AIMessage("x"), {"langgraph_node": "inner"}), *ns)[0][1]["node"] == "outer/middle/inner"


def test_an_interrupt_is_told() -> None:
    with pytest.raises(GraphInterrupted):
        events("updates", {"__interrupt__": ()})


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"type": "progress", "percent": 40, "message": "m"}, ("progress", {"percent": 40, "message": "m"})),
        ({"type": "my.own-type_2", "a": 1}, ("my.own-type_2", {"a": 1})),
        ({"type": "custom", "a": 1}, ("custom", {"a": 1})),
        ({"a": 1}, ("custom", {"a": 1})),
        ("text", ("custom", {"value": "text"})),
        (None, ("custom", {"value": None})),
        ([1, {2}], ("custom", {"value": [1, [2]]})),
        ({"type": 5}, ("custom", {"type": 5})),
        ({"type": "bad type"}, ("custom", {"type": "bad type"})),
        ({"type": "a\nevent: done"}, ("custom", {"type": "a\nevent: done"})),
        ({"type": "a\n"}, ("custom", {"type": "a\n"})),
        ({"type": ""}, ("custom", {"type": ""})),
        ({"type": "가"}, ("custom", {"type": "가"})),
        ({"type": "x" * 65}, ("custom", {"type": "x" * 65})),
    ],
)
def test_what_a_node_writes_gets_the_type_that_it_names(written: Any, expected: Any) -> None:
    assert events("custom", written) == [expected]


@pytest.mark.parametrize("kind", sorted(RESERVED_TYPES))
def test_a_node_cannot_forge_what_only_the_service_writes(kind: str) -> None:
    assert events("custom", {"type": kind, "status": "completed"}) == [
        ("custom", {"type": kind, "status": "completed"})
    ]


def test_a_checkpoint_is_a_boundary_and_no_event() -> None:
    own = part("checkpoints", {"values": {}})
    assert boundary(own) == {"values": {}} and list(translate(own)) == []
    assert boundary(part("checkpoints", {"values": {}}, "sub:1")) is None
    assert boundary(part("updates", {})) is None


written = st.dictionaries(
    st.text() | st.just("type"), st.text(st.characters(exclude_categories=())) | st.floats() | st.binary()
)


@settings(max_examples=150, deadline=None, database=None)
@given(written | st.floats() | st.text(st.characters(exclude_categories=())))
def test_anything_written_is_an_event_whose_line_is_strict_json(value: Any) -> None:
    ((kind, data),) = events("custom", value)
    line = Event(1, kind, "t", data).line()
    assert StoredEvent(1, line).type == kind not in RESERVED_TYPES
    assert json.loads(line.encode(), parse_constant=pytest.fail)["data"] == data
