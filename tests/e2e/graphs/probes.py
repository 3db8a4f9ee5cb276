"""Small graphs that make one thing visible each; every event says which job it is of (`name`)."""

# No `from __future__ import annotations`: LangGraph reads the annotations of nodes at run time.
import asyncio
import os
import time
from pathlib import Path
from typing import Any, TypedDict

from langchain_core.language_models import FakeListChatModel
from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph

SECRET = "the password is hunter2"


class State(TypedDict, total=False):
    """`name` marks the job's events; the others say how long the job works (`gate`: until that file is there)."""

    name: str
    seconds: float
    count: int
    pause: float
    gate: str
    answer: str


def run_once(state: State) -> dict[str, Any]:
    """One event and an answer."""
    get_stream_writer()({"type": "ran", "name": state.get("name"), "pid": os.getpid()})
    return {"answer": f"fast {state.get('name')}"}


def sleep_in_thread(state: State) -> dict[str, Any]:
    """A synchronous node: cannot be interrupted, and writes an event every 50 ms meanwhile."""
    write = get_stream_writer()
    ends = time.monotonic() + state["seconds"]
    index = 0
    while time.monotonic() < ends:
        write({"type": "awake", "name": state.get("name"), "index": index, "pid": os.getpid()})
        index += 1
        time.sleep(0.05)
    return {"answer": f"slept {state.get('name')}"}


async def block_loop(state: State) -> dict[str, Any]:
    """An asynchronous node that should not: it blocks the event loop."""
    get_stream_writer()({"type": "awake", "name": state.get("name"), "index": 0, "pid": os.getpid()})
    await asyncio.sleep(0.05)  # the loop has to turn for the event to leave it
    time.sleep(state["seconds"])
    return {"answer": f"blocked {state.get('name')}"}


def after_sleep(state: State) -> dict[str, Any]:
    """Never reached by a job that was cancelled in the node before."""
    get_stream_writer()({"type": "reached", "name": state.get("name")})
    return {}


async def wait_for_gate(state: State) -> dict[str, Any]:
    """Works, and says so, until somebody makes the file."""
    write = get_stream_writer()
    while not Path(state["gate"]).exists():
        write({"type": "waiting", "name": state.get("name"), "pid": os.getpid()})
        await asyncio.sleep(0.1)
    return {"answer": f"let through {state.get('name')}"}


def give_up(state: State) -> dict[str, Any]:
    """Fails after its first event."""
    get_stream_writer()({"type": "ran", "name": state.get("name")})
    raise RuntimeError(SECRET)


async def speak(state: State) -> dict[str, Any]:
    """`count` tokens, one character each, `pause` seconds apart."""
    text = "가나다라마바사아자차카타파하 " * (state["count"] // 15 + 1)
    model = FakeListChatModel(responses=[text[: state["count"]]], sleep=state["pause"] or None)
    reply = await model.ainvoke("Speak.")
    return {"answer": reply.text}


def compiled(*nodes: Any) -> Any:
    """The nodes one after the other."""
    builder = StateGraph(State)
    names = [node.__name__ for node in nodes]
    for name, node in zip(names, nodes, strict=True):
        builder.add_node(name, node)
    for one, following in zip([START, *names], [*names, END], strict=True):
        builder.add_edge(one, following)
    return builder.compile()


def nested_graph() -> Any:
    """A graph within a graph."""
    builder = StateGraph(State)
    builder.add_node("outer", compiled(run_once, speak))
    builder.add_edge(START, "outer")
    builder.add_edge("outer", END)
    return builder.compile()


fast = compiled(run_once)
nap = compiled(sleep_in_thread, after_sleep)
held = compiled(run_once, wait_for_gate, after_sleep)
stuck = compiled(block_loop, after_sleep)
failing = compiled(give_up)
talk = compiled(speak)
nested = nested_graph()
