"""A graph whose events are known beforehand: step after step of three parallel branches.

One is synchronous; one is asynchronous, fails halfway at its first try in every third step, and is tried again; one
calls a tool. Each step leaves an item in the store.
"""

from __future__ import annotations

import asyncio
import operator
import os
import time
from typing import Annotated, Any, TypedDict

from langchain_core.messages import AIMessage, AnyMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langgraph.config import get_store, get_stream_writer
from langgraph.graph import END, START, StateGraph, add_messages
from langgraph.prebuilt import ToolNode
from langgraph.types import RetryPolicy

EVENTS_PER_BRANCH = 4
FAILS_EVERY = 3
TRIED: set[tuple[str, int]] = set()
"""Job and step that this process has tried before."""


class State(TypedDict, total=False):
    """`steps` to do, `pause` seconds between events, and what has been done."""

    steps: int
    pause: float
    step: int
    done: Annotated[list[str], operator.add]
    messages: Annotated[list[AnyMessage], add_messages]
    stored: list[int]


def plan(state: State) -> dict[str, Any]:
    """The next step."""
    number = state.get("step", 0) + 1
    call = {"name": "note", "args": {"step": number}, "id": f"call-{number}"}
    return {"step": number, "messages": [AIMessage("", tool_calls=[call], id=f"calls-{number}")]}


@tool
def note(step: int) -> str:
    """Note a step."""
    return f"noted {step}"


def left(state: State) -> dict[str, Any]:
    """Blocks its thread."""
    write = get_stream_writer()
    for index in range(EVENTS_PER_BRANCH):
        write({"type": "work", "step": state["step"], "branch": "left", "index": index, "pid": os.getpid()})
        time.sleep(state["pause"])
    return {"done": [f"left-{state['step']}"]}


async def right(state: State, config: RunnableConfig) -> dict[str, Any]:
    """Awaits; what a try that fails has written is void."""
    write = get_stream_writer()
    this = (str(config["configurable"]["job_id"]), state["step"])
    fails = state["step"] % FAILS_EVERY == 0 and this not in TRIED
    TRIED.add(this)
    for index in range(EVENTS_PER_BRANCH):
        if fails and index == EVENTS_PER_BRANCH // 2:
            raise ConnectionError("as a model's service fails, for a moment")
        write({"type": "work", "step": state["step"], "branch": "right", "index": index, "pid": os.getpid()})
        await asyncio.sleep(state["pause"])
    return {"done": [f"right-{state['step']}"]}


def join(state: State, config: RunnableConfig) -> dict[str, Any]:
    """The step is over; its item is its own key, so that it may be put again."""
    store, namespace = get_store(), ("chaos", str(config["configurable"]["job_id"]))
    store.put(namespace, f"step-{state['step']}", {"step": state["step"]})
    get_stream_writer()({"type": "joined", "step": state["step"]})
    return {"stored": sorted(item.value["step"] for item in store.search(namespace, limit=100))}


builder = StateGraph(State)
builder.add_node("plan", plan)
builder.add_node("left", left)
builder.add_node("right", right, retry_policy=RetryPolicy(initial_interval=0.01, jitter=False))
builder.add_node("tools", ToolNode([note]))
builder.add_node("join", join)
builder.add_edge(START, "plan")
builder.add_edge("plan", "left")
builder.add_edge("plan", "right")
builder.add_edge("plan", "tools")
builder.add_edge(["left", "right", "tools"], "join")
builder.add_conditional_edges("join", lambda state: END if state["step"] >= state["steps"] else "plan")
graph = builder.compile()
