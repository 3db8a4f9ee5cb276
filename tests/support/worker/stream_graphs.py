"""Graphs that stream all that graphs stream: agents, whole messages, parallel branches, subgraphs, custom events."""

from __future__ import annotations

import operator
from typing import Annotated, Any, TypedDict

from langchain.agents import create_agent
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from langgraph.config import get_stream_writer
from langgraph.func import entrypoint, task
from langgraph.graph import END, START, MessagesState, StateGraph
from langgraph.types import Command, Send

from tests.support.worker.scripted_model import ANSWERS, ASKS, ScriptedModel

MODEL = ScriptedModel(scripts=[ASKS, ANSWERS])
WHOLE = ScriptedModel(scripts=[ANSWERS], streams=False)
INNER = MODEL.with_config(tags=["inner"])
QUIET = MODEL.with_config(tags=["nostream"])


def chain(schema: Any, **nodes: Any) -> Any:
    """The nodes one after the other."""
    builder = StateGraph(schema)
    last = START
    for name, node in nodes.items():
        builder.add_node(name, node)
        builder.add_edge(last, name)
        last = name
    builder.add_edge(last, END)
    return builder.compile()


@tool
def weather(city: str) -> str:
    """The weather of a city."""
    return f"rain in {city}"


agent = create_agent(MODEL, [weather])


async def speak(state: MessagesState) -> Any:
    """Asynchronous, by `ainvoke`."""
    return {"messages": [await MODEL.ainvoke(state["messages"])]}


def speak_sync(state: MessagesState) -> Any:
    """Synchronous, by `stream`."""
    whole: Any = None
    for chunk in INNER.stream(state["messages"]):
        whole = chunk if whole is None else whole + chunk
    return {"messages": [whole]}


async def revise(state: MessagesState) -> Any:
    """Speaks, and returns another message."""
    draft = await MODEL.ainvoke(state["messages"])
    return {"messages": [AIMessage(draft.text + " [1]")]}


async def several(state: MessagesState) -> Any:
    """Whole messages of every kind, no model."""
    others = [ToolMessage("t", tool_call_id="c"), HumanMessage("from no user")]
    return {"messages": [AIMessage("one"), AIMessage("two"), *others]}


async def unstreamed(state: MessagesState) -> Any:
    """A model that does not stream, and one that must not be seen."""
    await QUIET.ainvoke("x")
    return {"messages": [await WHOLE.ainvoke(state["messages"])]}


inner = chain(MessagesState, speak=speak, speak_sync=speak_sync)
inner_sync = chain(MessagesState, speak_sync=speak_sync)


async def calls_twice(state: MessagesState) -> Any:
    """Calls a subgraph twice."""
    for _ in range(2):
        found = await inner.ainvoke({"messages": [HumanMessage("x")]})
    return {"messages": found["messages"][-1:]}


def calls_sync(state: MessagesState) -> Any:
    """Calls a subgraph synchronously."""
    return {"messages": inner_sync.invoke({"messages": [HumanMessage("x")]})["messages"]}


class Items(TypedDict, total=False):
    """What parallel branches add to."""

    number: int
    items: Annotated[list[Any], operator.add]


async def branch(state: Items) -> Any:
    """One of several tasks of one name."""
    write = get_stream_writer()
    for index in range(3):
        write({"type": "progress", "number": state["number"], "index": index})
    await MODEL.ainvoke("x")
    return {"items": [state["number"]]}


def _fan_out() -> Any:
    builder = StateGraph(Items)
    builder.add_node("branch", branch)
    sends = [Send("branch", {"number": number}) for number in range(4)]
    builder.add_conditional_edges(START, lambda _: sends, ["branch"])
    builder.add_edge("branch", END)
    return builder.compile()


def jump(state: Items) -> Any:
    """Returns commands."""
    return Command(goto="land", update={"items": ["jumped"]})


def _jumping() -> Any:
    builder = StateGraph(Items)
    builder.add_node("jump", jump, destinations=("land",))
    builder.add_node("land", lambda state: None)
    builder.add_edge(START, "jump")
    return builder.compile()


@task
async def shout(text: str) -> str:
    """A task of a functional graph."""
    get_stream_writer()({"text": text})
    return text.upper()


@entrypoint()
async def functional(given: Any) -> Any:
    """A functional graph."""
    return [await shout(word) for word in ("a", "b")]


GRAPHS: dict[str, Any] = {
    "agent": agent,
    "speak": chain(MessagesState, speak=speak),
    "speak_sync": chain(MessagesState, speak_sync=speak_sync),
    "revise": chain(MessagesState, revise=revise),
    "several": chain(MessagesState, several=several),
    "unstreamed": chain(MessagesState, unstreamed=unstreamed),
    "subgraph": chain(MessagesState, outer=inner, several=several),
    "calls_twice": chain(MessagesState, calls_twice=calls_twice),
    "calls_sync": chain(MessagesState, calls_sync=calls_sync),
    "fan_out": _fan_out(),
    "jumping": _jumping(),
    "functional": functional,
}
