"""From LangGraph's stream parts to events."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langgraph.types import Interrupt

from graphjobs.core.event import RESERVED_TYPES, Event, StoredEvent
from graphjobs.worker.messages import ENDED, PIECE, RETURNED, SPOKEN
from graphjobs.worker.tasks import Place, Tasks
from graphjobs.worker.translate import OwnEvents

Told = tuple[str, dict[str, Any]]


class Stream:
    """The parts of one run, and the events that are made of them."""

    def __init__(self) -> None:
        self.own = OwnEvents(Tasks())

    def of(self, mode: str, data: Any, *ns: str) -> list[Told]:
        return [(kind, json.loads(made.text)) for kind, made, _ in self.own.of((ns, mode, data))]

    def message(self, mode: str, message: Any, ns: str = "answer:1", **metadata: Any) -> list[Told]:
        about = {"langgraph_node": ns.rpartition("|")[2].partition(":")[0], "langgraph_checkpoint_ns": ns, **metadata}
        return self.of(mode, (message, about), *ns.split("|")[:-1])

    def custom(self, value: Any, *ns: str) -> tuple[str, dict[str, Any], Place | None]:
        ((kind, made, place),) = self.own.custom(value, ns or ("n:1",))
        return kind, json.loads(made.text), place

    def task(self, name: str, task_id: str, output: Any, *ns: str, interrupts: Any = ()) -> list[Told]:
        """A task ends: the two parts that LangGraph tells of it."""
        self.of("updates", {"__interrupt__": ()} if interrupts else {name: output}, *ns)
        asked = [{"id": each.id, "value": each.value} for each in interrupts]
        return self.of("tasks", {"id": task_id, "name": name, "result": {}, "error": None, "interrupts": asked}, *ns)


@pytest.fixture
def stream() -> Stream:
    return Stream()


ABOUT = {"node": "answer", "task": "1", "message_id": "m1"}


def test_a_piece_of_text_names_its_node_task_and_message(stream: Stream) -> None:
    assert stream.message(PIECE, AIMessageChunk("hi", id="m1")) == [("token", {"text": "hi", **ABOUT})]


def test_a_piece_may_hold_all_three(stream: Stream) -> None:
    call = {"index": 0, "id": "c", "name": "look", "args": '{"a'}
    piece = AIMessageChunk(
        [{"type": "thinking", "thinking": "hm"}, {"type": "text", "text": "a"}, {"type": "image"}], id="m1"
    )
    piece.tool_call_chunks = [{**call, "type": "tool_call_chunk"}]  # type: ignore[typeddict-item]
    assert stream.message(PIECE, piece) == [
        ("reasoning", {"text": "hm", **ABOUT}),
        ("token", {"text": "a", **ABOUT}),
        ("tool_call", {**call, **ABOUT}),
    ]


@pytest.mark.parametrize(
    "piece",
    [
        AIMessageChunk([{"type": "thinking", "thinking": "hm", "index": 0}]),
        AIMessageChunk([{"type": "reasoning", "reasoning": "hm"}]),
        AIMessageChunk([{"type": "reasoning", "summary": [{"type": "summary_text", "text": "h"}, {"text": "m"}]}]),
        AIMessageChunk([{"type": "reasoning_content", "reasoning_content": {"text": "hm", "signature": "s"}}]),
        AIMessageChunk("", additional_kwargs={"reasoning_content": "hm"}),
    ],
)
def test_every_shape_of_reasoning_is_reasoning_and_no_text(stream: Stream, piece: Any) -> None:
    assert [(kind, data["text"]) for kind, data in stream.message(PIECE, piece)] == [("reasoning", "hm")]


@pytest.mark.parametrize(
    "piece",
    [
        AIMessageChunk(""),
        AIMessageChunk([]),
        AIMessageChunk([{"type": "redacted_thinking", "data": "x"}, {"type": "reasoning_content"}]),
        AIMessageChunk([{"type": "reasoning_content", "reasoning_content": {"signature": "s"}}]),
    ],
)
def test_a_piece_without_text_is_no_event(stream: Stream, piece: Any) -> None:
    assert stream.message(PIECE, piece) == []


def test_the_halves_of_a_character_are_joined_across_pieces_and_one_that_stays_alone_is_told_at_the_end(
    stream: Stream,
) -> None:
    made = [stream.message(PIECE, AIMessageChunk(text, id="m1")) for text in ("a\ud83d", "\ude00b", "", "c\ud83d")]
    assert [[data["text"] for _, data in told] for told in made] == [["a"], ["\U0001f600b"], [], ["c"]]
    left, whole = stream.message(ENDED, AIMessage("x", id="m1"))
    assert left == ("token", {"text": "\ufffd", **ABOUT}) and whole[0] == "message"


def test_a_message_whose_pieces_were_told_is_told_whole_without_its_text_as_a_token(stream: Stream) -> None:
    stream.message(PIECE, AIMessageChunk("hi", id="m1"))
    usage = {"input_tokens": 1, "output_tokens": 2, "total_tokens": 3}
    call = {"name": "look", "args": {"a": 1}, "id": "c", "type": "tool_call"}
    message = AIMessage("hi", id="m1", usage_metadata=usage, tool_calls=[call])
    assert stream.message(ENDED, message, tags=["inner"]) == [
        (
            "message",
            {"role": "assistant", "content": "hi", "tool_calls": [call], "usage": usage, "tags": ["inner"], **ABOUT},
        )
    ]


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (HumanMessage("q", id="m1"), {"role": "user", "content": "q"}),
        (ToolMessage("t", tool_call_id="c", id="m1"), {"role": "tool", "content": "t", "tool_call_id": "c"}),
        (
            ToolMessage("t", tool_call_id="c", id="m1", status="error", name="n"),
            {"role": "tool", "content": "t", "tool_call_id": "c", "status": "error", "name": "n"},
        ),
    ],
)
def test_what_is_not_the_assistants_is_a_message_and_no_token(
    stream: Stream, message: Any, expected: dict[str, Any]
) -> None:
    assert stream.message(RETURNED, message) == [("message", {**expected, **ABOUT})]


@pytest.mark.parametrize("mode", [SPOKEN, RETURNED])
def test_a_whole_message_is_a_token_too(stream: Stream, mode: str) -> None:
    for text in ("one", "two"):
        told = stream.message(mode, AIMessage(text, id="m1"))
        assert told == [
            ("token", {"text": text, **ABOUT}),
            ("message", {"role": "assistant", "content": text, **ABOUT}),
        ]


@pytest.mark.parametrize("mode", [PIECE, SPOKEN])
@pytest.mark.parametrize("ns", ["answer:1", "answer:1|inner:2"])
def test_but_not_what_a_node_returns_after_a_model_has_spoken_in_it_or_within(
    stream: Stream, mode: str, ns: str
) -> None:
    stream.message(mode, AIMessageChunk("draft", id="m0"), ns)
    assert [kind for kind, _ in stream.message(RETURNED, AIMessage("draft [1]", id="m1"))] == ["message"]
    stream.task("answer", "1", None)
    assert [kind for kind, _ in stream.message(RETURNED, AIMessage("new", id="m2"), "answer:3")] == ["token", "message"]


def test_each_node_of_a_step_has_an_update_that_names_its_task(stream: Stream) -> None:
    assert stream.task("a", "1", {"x": {1}}) == [("update", {"node": "a", "task": "1", "output": {"x": [1]}})]
    assert stream.task("b", "2", None) == [("update", {"node": "b", "task": "2", "output": None})]


def test_what_comes_from_a_cache_is_an_update_of_its_node_alone(stream: Stream) -> None:
    made = stream.of("updates", {"a": {"x": 1}, "__metadata__": {"cached": True}})
    assert made == [("update", {"node": "a", "output": {"x": 1}})]


def test_a_node_of_a_subgraph_is_named_by_its_path_and_so_is_that_of_a_repeated_one(stream: Stream) -> None:
    for ns in (("outer:1", "middle:2"), ("outer:1", "middle:2", "1")):
        assert stream.task("inner", "3", {}, *ns)[0][1]["node"] == "outer/middle/inner"
        ((_, token),) = stream.message(PIECE, AIMessageChunk("x"), "|".join([*ns, "inner:3"]))
        assert (token["node"], token["task"]) == ("outer/middle/inner", "1/2/3")
        assert stream.custom("x", *ns, "inner:3")[2] == Place("outer/middle/inner", "1/2/3")


def test_an_interrupt_is_told_once_by_the_innermost_node_that_asks(stream: Stream) -> None:
    question = Interrupt(value={"ok": {1}}, id="i")
    told = stream.task("ask", "2", None, "outer:1", interrupts=[question])
    assert told == [("interrupt", {"node": "outer/ask", "task": "1/2", "id": "i", "value": {"ok": [1]}})]
    assert stream.task("outer", "1", None, interrupts=[question]) == []


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
def test_what_a_node_writes_gets_the_type_that_it_names(stream: Stream, written: Any, expected: Any) -> None:
    assert stream.custom(written) == (*expected, Place("n", "1"))


@pytest.mark.parametrize("kind", sorted(RESERVED_TYPES))
def test_a_node_cannot_forge_what_only_the_service_writes(stream: Stream, kind: str) -> None:
    assert stream.custom({"type": kind, "status": "completed"})[:2] == ("custom", {"type": kind, "status": "completed"})


written = st.dictionaries(
    st.text() | st.just("type"), st.text(st.characters(exclude_categories=())) | st.floats() | st.binary()
)


@settings(max_examples=150, deadline=None, database=None)
@given(written | st.floats() | st.text(st.characters(exclude_categories=())))
def test_anything_written_is_an_event_whose_line_is_strict_json(value: Any) -> None:
    kind, data, place = Stream().custom(value)
    assert place is not None
    line = Event(1, kind, "t", data, place.node, place.task).line()
    assert StoredEvent(1, line).type == kind not in RESERVED_TYPES
    assert json.loads(line.encode(), parse_constant=pytest.fail)["data"] == data
