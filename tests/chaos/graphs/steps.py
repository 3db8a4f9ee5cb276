"""A graph whose events are known beforehand: step after step of two parallel branches, one sync and one async."""

from __future__ import annotations

import asyncio
import operator
import os
import time
from typing import Annotated, Any, TypedDict

from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph

EVENTS_PER_BRANCH = 4


class State(TypedDict, total=False):
    """`steps` to do, `pause` seconds between events, and what has been done."""

    steps: int
    pause: float
    step: int
    done: Annotated[list[str], operator.add]


def plan(state: State) -> dict[str, Any]:
    """The next step."""
    return {"step": state.get("step", 0) + 1}


def left(state: State) -> dict[str, Any]:
    """Blocks its thread."""
    write = get_stream_writer()
    for index in range(EVENTS_PER_BRANCH):
        write({"type": "work", "step": state["step"], "branch": "left", "index": index, "pid": os.getpid()})
        time.sleep(state["pause"])
    return {"done": [f"left-{state['step']}"]}


async def right(state: State) -> dict[str, Any]:
    """Awaits."""
    write = get_stream_writer()
    for index in range(EVENTS_PER_BRANCH):
        write({"type": "work", "step": state["step"], "branch": "right", "index": index, "pid": os.getpid()})
        await asyncio.sleep(state["pause"])
    return {"done": [f"right-{state['step']}"]}


def join(state: State) -> dict[str, Any]:
    """The step is over."""
    get_stream_writer()({"type": "joined", "step": state["step"]})
    return {}


builder = StateGraph(State)
builder.add_node("plan", plan)
builder.add_node("left", left)
builder.add_node("right", right)
builder.add_node("join", join)
builder.add_edge(START, "plan")
builder.add_edge("plan", "left")
builder.add_edge("plan", "right")
builder.add_edge(["left", "right"], "join")
builder.add_conditional_edges("join", lambda state: END if state["step"] >= state["steps"] else "plan")
graph = builder.compile()
