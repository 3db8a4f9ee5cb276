"""The input of a graph, and the place of a query in it."""

# No `from __future__ import annotations`: pydantic describes a functional graph by the type that it is annotated with.
import io
from typing import Annotated, Any

import pytest
from langchain_core.messages import AnyMessage, HumanMessage
from langgraph.func import entrypoint
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.graph.message import add_messages
from pydantic import BaseModel
from typing_extensions import TypedDict

from graphjobs.core.run_request import RunRequest
from graphjobs.worker.graph_input import InputInvalid, graph_input


class WithQuery(TypedDict, total=False):
    query: str
    other: int


class Both(WithQuery, total=False):
    messages: Annotated[list[AnyMessage], add_messages]


class Neither(TypedDict, total=False):
    question: str


class Model(BaseModel):
    messages: Annotated[list[AnyMessage], add_messages] = []


def graph(state: Any, given: Any = None) -> Any:
    builder: Any = StateGraph(state, input_schema=given or state)
    return builder.add_node("n", lambda state: {}).add_edge(START, "n").compile()


@entrypoint()
def of_text(text: str) -> str:
    return text


@entrypoint()
def of_object(given: dict[str, Any]) -> Any:
    return given


@entrypoint()
def of_typed(given: Neither) -> Any:
    return given


@entrypoint()
def of_odd(given: io.StringIO) -> Any:
    return given


@pytest.mark.parametrize("value", [None, {}, {"a": 1}, "text", 3, [1, 2], True])
def test_an_input_is_given_as_it_is(value: Any) -> None:
    assert graph_input(of_text, RunRequest(input=value)) == value
    assert graph_input(graph(WithQuery), RunRequest(input=value)) == value


@pytest.mark.parametrize("taker", [graph(WithQuery), graph(Both), graph(MessagesState, WithQuery), of_object, of_odd])
def test_a_query_is_put_beside_the_input(taker: Any) -> None:
    assert graph_input(taker, RunRequest(query="q")) == {"query": "q"}
    assert graph_input(taker, RunRequest(query="q", input={"other": 1})) == {"query": "q", "other": 1}


@pytest.mark.parametrize("taker", [graph(WithQuery), graph(MessagesState), graph(Neither)])
def test_a_query_of_the_inputs_own_wins(taker: Any) -> None:
    assert graph_input(taker, RunRequest(query="q", input={"query": "own"})) == {"query": "own"}


@pytest.mark.parametrize("taker", [graph(MessagesState), graph(Model), graph(Both, MessagesState)])
def test_a_query_becomes_one_human_message(taker: Any) -> None:
    assert graph_input(taker, RunRequest(query="q")) == {"messages": [HumanMessage("q")]}


@pytest.mark.parametrize("before", [[{"role": "user", "content": "a"}], {"role": "user", "content": "a"}])
def test_the_message_of_a_query_follows_those_that_were_given(before: Any) -> None:
    found = graph_input(graph(MessagesState), RunRequest(query="q", input={"messages": before}))
    assert found == {"messages": [{"role": "user", "content": "a"}, HumanMessage("q")]}


def test_the_caller_s_own_input_is_left_as_it_is() -> None:
    given: dict[str, Any] = {"messages": []}
    graph_input(graph(MessagesState), RunRequest(query="q", input=given))
    assert given == {"messages": []}


@pytest.mark.parametrize(
    ("taker", "message"),
    [
        (graph(Neither), "neither query nor messages, but question"),
        (of_typed, "neither query nor messages, but question"),
        (of_text, "is of type string"),
    ],
)
def test_a_query_without_a_place_is_refused_and_not_dropped(taker: Any, message: str) -> None:
    with pytest.raises(InputInvalid, match=message):
        graph_input(taker, RunRequest(query="q"))


def test_a_query_beside_an_input_that_is_no_object_is_refused() -> None:
    with pytest.raises(InputInvalid, match="an object"):
        graph_input(of_text, RunRequest(query="q", input="text"))
