"""Graphs whose events carry the time at which a node wrote them."""

from __future__ import annotations

import asyncio
import time
from typing import Any, TypedDict

from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph


class State(TypedDict, total=False):
    """`events` to write, `pause` seconds between them (0: as fast as they go)."""

    events: int
    pause: float
    written: int


async def write(state: State) -> dict[str, Any]:
    """All events in one step, as a model streams its tokens."""
    writer = get_stream_writer()
    for number in range(state["events"]):
        writer({"type": "work", "number": number, "written_at": time.time(), "text": "lorem ipsum"})
        if state["pause"]:
            await asyncio.sleep(state["pause"])
        elif number % 100 == 99:
            await asyncio.sleep(0)
    return {"written": state["events"]}


builder = StateGraph(State)
builder.add_node("write", write)
builder.add_edge(START, "write")
builder.add_edge("write", END)
graph = builder.compile()
