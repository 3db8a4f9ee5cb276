"""An event holds what was written at the moment it was written, whatever the graph does with the object afterwards."""

from __future__ import annotations

import copy
import json
import operator
import threading
from contextlib import suppress
from typing import Annotated, Any, TypedDict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langchain_core.messages import AIMessageChunk
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, MessagesState, StateGraph

from graphjobs.core.outcome import EVENT_TOO_LARGE
from tests.support.worker.recorded import record
from tests.support.worker.scripted_model import ScriptedModel, piece

JSON = st.recursive(
    st.integers(-9, 9) | st.text("ab", max_size=2), lambda inner: st.lists(inner, max_size=2), max_leaves=3
)
CHANGES = st.lists(
    st.tuples(st.sampled_from(["set", "append", "nest", "write", "pause"]), JSON), min_size=1, max_size=25
)
"""What a node does with the one object that it writes again and again."""


class State(TypedDict, total=False):
    """The object goes on from node to node."""

    work: Any
    seen: Annotated[list[Any], operator.add]


def change(work: dict[str, Any], kind: str, value: Any) -> None:
    if kind == "set":
        work["value"] = value
    elif kind == "append":
        work.setdefault("list", []).append(value)
    elif kind == "nest":
        work["list"] = [work.get("list", []), {"deep": value}]


def graph_of(changes: list[tuple[str, Any]], written: list[Any], returned: list[Any], how: str) -> Any:
    """Two nodes that do the same to one object: `written` and `returned` are copies of what it was when it was."""
    work: dict[str, Any] = {}

    def act() -> dict[str, Any]:
        write = get_stream_writer()
        for kind, value in changes:
            change(work, kind, value)
            if kind == "write":
                write({"type": "work", "work": work})
                written.append(copy.deepcopy(work))
        returned.append(copy.deepcopy(work))
        return {"work": work}

    def node(state: State) -> Any:
        return act()

    async def anode(state: State) -> Any:
        return act()

    builder = StateGraph(State)
    for name in ("first", "second"):
        builder.add_node(name, node if how == "sync" else anode)
    builder.add_edge(START, "first")
    builder.add_edge("first", "second")
    builder.add_edge("second", END)
    if how != "nested":
        return builder.compile()
    outer = StateGraph(State)
    outer.add_node("outer", builder.compile())
    outer.add_edge(START, "outer")
    outer.add_edge("outer", END)
    return outer.compile()


@pytest.mark.parametrize("how", ["sync", "async", "nested"])
@settings(max_examples=15, deadline=None, database=None)
@given(changes=CHANGES)
def test_what_a_node_writes_and_returns_is_recorded_as_it_was(how: str, changes: list[tuple[str, Any]]) -> None:
    written: list[Any] = []
    returned: list[Any] = []
    run = record(graph_of(changes, written, returned, how))
    assert [data["work"] for data in run.of("work")] == written
    updates = [data["output"]["work"] for data in run.of("update") if data["node"] != "outer"]
    assert updates == returned
    assert run.outcome.result["work"] == run.of("update")[-1]["output"]["work"]


@pytest.mark.parametrize("mode", ["custom", "updates", "values", "tasks", "debug"])
def test_langgraphs_own_parts_are_recorded_as_they_were(mode: str) -> None:
    written: list[Any] = []
    returned: list[Any] = []
    changes = [("append", 1), ("write", 0), ("append", 2), ("write", 0)]
    run = record(graph_of(changes, written, returned, "async"), stream_mode=(mode,))
    text = json.dumps([data["data"] for data in run.of(mode)])
    for value in written if mode == "custom" else returned:
        assert json.dumps(value) in text


def test_a_piece_of_a_message_that_is_changed_after_it_was_streamed_is_recorded_as_it_was() -> None:
    model = ScriptedModel(scripts=[[piece("a"), piece("b")]])

    async def speak(state: MessagesState) -> Any:
        async for chunk in model.astream("go"):
            assert isinstance(chunk, AIMessageChunk)
            chunk.content = "changed"
        return {}

    builder = StateGraph(MessagesState)
    builder.add_node(speak)
    builder.add_edge(START, "speak")
    builder.add_edge("speak", END)
    assert [data["text"] for data in record(builder.compile()).of("token")] == ["a", "b"]


def test_threads_of_a_node_write_without_losing_an_event() -> None:
    def many(state: State) -> Any:
        write = get_stream_writer()

        def work(number: int) -> None:
            for index in range(200):
                write({"type": "work", "number": number, "index": index})

        import contextvars

        threads = [threading.Thread(target=contextvars.copy_context().run, args=(work, number)) for number in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return {}

    builder = StateGraph(State)
    builder.add_node(many)
    builder.add_edge(START, "many")
    builder.add_edge("many", END)
    told = record(builder.compile()).of("work")
    for number in range(4):
        assert [data["index"] for data in told if data["number"] == number] == list(range(200))


@pytest.mark.parametrize("how", ["written", "returned"])
def test_an_event_that_is_too_large_fails_the_run_although_the_node_catches_it(
    monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    monkeypatch.setattr("graphjobs.core.event.MAX_EVENT_BYTES", 2_000)

    async def node(state: State) -> Any:
        if how == "returned":
            return {"work": "x" * 2_000}
        with suppress(ValueError):
            get_stream_writer()({"pad": "x" * 2_000})
        return {"work": 1}

    builder = StateGraph(State)
    builder.add_node(node)
    builder.add_edge(START, "node")
    builder.add_edge("node", END)
    assert record(builder.compile()).outcome.code == EVENT_TOO_LARGE
