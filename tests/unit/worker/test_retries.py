"""A node that LangGraph runs again says so: what its failed try had streamed is void, and nothing else is."""

from __future__ import annotations

import asyncio
import operator
import threading
from collections.abc import Iterable
from typing import Annotated, Any, TypedDict

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.types import RetryPolicy, Send

from graphjobs.core.event import Event
from tests.support.worker.recorded import Recorded, record
from tests.support.worker.scripted_model import ScriptedModel, piece

MODEL = ScriptedModel(scripts=[[piece("a"), piece("b")]])
AGAIN = RetryPolicy(initial_interval=0.0, jitter=False, max_attempts=5, retry_on=ConnectionError)


class State(TypedDict, total=False):
    """A branch's number, and what branches add."""

    number: int
    done: Annotated[list[Any], operator.add]


def place(event: Event) -> tuple[str, str]:
    """Node and task of an event."""
    return event.node or event.data.get("node", ""), event.task or event.data.get("task", "")


def kept(events: Iterable[Event]) -> list[Event]:
    """What stands for a client that does as README's "What `retry` asks of you" says."""
    held: list[Event] = []
    for event in events:
        if event.type == "retry":
            task, after = event.data["task"], event.data["discard_after"]
            held = [
                each
                for each in held
                if each.seq <= after or not (place(each)[1] == task or place(each)[1].startswith(task + "/"))
            ]
        else:
            held.append(event)
    return held


class Flaky:
    """A node that fails as often as told, each time after all that it streams."""

    def __init__(self, failures: int) -> None:
        self.left = failures
        self.lock = threading.Lock()

    def fails(self) -> bool:
        with self.lock:
            self.left -= 1
            return self.left >= 0


def graph_of(node: Any, *, fan_out: int = 0) -> Any:
    builder = StateGraph(State)
    builder.add_node("work", node, retry_policy=AGAIN)
    if fan_out:
        sends = [Send("work", {"number": number}) for number in range(fan_out)]
        builder.add_conditional_edges(START, lambda _: sends, ["work"])
    else:
        builder.add_edge(START, "work")
    builder.add_edge("work", END)
    return builder.compile()


def texts(events: Iterable[Event]) -> str:
    return "".join(event.data["text"] for event in events if event.type == "token")


@pytest.mark.parametrize("how", ["sync", "async"])
def test_a_failed_try_is_void_and_the_next_one_stands(how: str) -> None:
    flaky = Flaky(2)

    def node(state: State) -> Any:
        get_stream_writer()({"type": "step", "text": "x"})
        MODEL.invoke("go")
        if flaky.fails():
            raise ConnectionError
        return {"done": [1]}

    async def anode(state: State) -> Any:
        get_stream_writer()({"type": "step", "text": "x"})
        await MODEL.ainvoke("go")
        if flaky.fails():
            raise ConnectionError
        return {"done": [1]}

    run = record(graph_of(node if how == "sync" else anode))
    assert [(data["node"], data["attempt"]) for data in run.of("retry")] == [("work", 2), ("work", 3)]
    assert texts(run.events) == "ababab" and texts(kept(run.events)) == "ab"
    assert [event.type for event in kept(run.events)] == ["step", "token", "token", "message", "update"]
    assert run.outcome.result == {"done": [1]}


def test_nothing_is_said_of_a_node_that_does_not_fail_or_that_is_run_again_by_the_graph() -> None:
    def node(state: State) -> Any:
        return {"done": [1]}

    builder = StateGraph(State)
    builder.add_node("work", node, retry_policy=AGAIN)
    builder.add_edge(START, "work")
    builder.add_conditional_edges("work", lambda state: END if len(state["done"]) > 2 else "work")
    run = record(builder.compile())
    assert run.of("retry") == [] and len(run.of("update")) == 3


def test_what_is_called_like_its_node_within_it_is_no_try_of_it() -> None:
    flaky = Flaky(1)

    async def work(state: State) -> Any:
        if flaky.fails():
            raise ConnectionError
        return {"done": [1]}

    inner = graph_of(work)
    inner.name = "work"

    async def outer(state: State) -> Any:
        return await inner.ainvoke({})

    run = record(graph_of(outer))
    assert [data["node"] for data in run.of("retry")] == ["work/work"]


def test_a_subgraph_within_the_node_is_void_with_it() -> None:
    flaky = Flaky(1)

    async def speak(state: State) -> Any:
        await MODEL.ainvoke("go")

    inner = graph_of(speak)

    async def outer(state: State) -> Any:
        await inner.ainvoke({})
        if flaky.fails():
            raise ConnectionError
        return {"done": [1]}

    run = record(graph_of(outer))
    assert texts(run.events) == "abab" and texts(kept(run.events)) == "ab"
    assert [event.data["node"] for event in kept(run.events) if event.type == "update"] == ["work/work", "work"]


@settings(max_examples=15, deadline=None, database=None)
@given(failures=st.lists(st.integers(0, 3), min_size=1, max_size=4), order=st.randoms(use_true_random=False))
def test_of_parallel_branches_only_those_that_failed_are_void(failures: list[int], order: Any) -> None:
    flaky = [Flaky(each) for each in failures]

    async def branch(state: State) -> Any:
        number = state["number"]
        write = get_stream_writer()
        for index in range(3):
            write({"type": "step", "number": number, "index": index})
            for _ in range(order.randint(0, 3)):
                await asyncio.sleep(0)
        if flaky[number].fails():
            raise ConnectionError
        return {"done": [number]}

    run: Recorded = record(graph_of(branch, fan_out=len(failures)))
    assert sorted(run.outcome.result["done"]) == list(range(len(failures)))
    assert len(run.of("retry")) == sum(failures)
    for number, times in enumerate(failures):
        steps = [event.data for event in run.events if event.type == "step" and event.data["number"] == number]
        assert len(steps) == 3 * (times + 1)
        stands = [event.data["index"] for event in kept(run.events) if event.data.get("number") == number]
        assert stands == [0, 1, 2]
