"""Conversations whose every word depends on all that was said before: one that is lost or repeated shows for ever."""

# No `from __future__ import annotations`: LangGraph reads the annotations of nodes at run time.
import operator
import os
import time
import zlib
from typing import Annotated, Any, TypedDict

from langgraph.config import get_stream_writer
from langgraph.graph import START, StateGraph
from langgraph.types import interrupt


class Talk(TypedDict, total=False):
    """What was said, in order; `pause` seconds a step."""

    said: Annotated[list[str], operator.add]
    pause: float


def _step(name: str, state: Talk) -> Talk:
    get_stream_writer()({"type": "step", "name": name, "pid": os.getpid()})
    time.sleep(state.get("pause", 0))
    said = state["said"]
    return {"said": [f"{name} {len(said)} {zlib.crc32(chr(10).join(said).encode())}"]}


def listen(state: Talk) -> Talk:
    """The first step of a turn."""
    return _step("listen", state)


def think(state: Talk) -> Talk:
    """The second."""
    return _step("think", state)


def reply(state: Talk) -> Talk:
    """The last."""
    return _step("reply", state)


def approve(state: Talk) -> Talk:
    """Ask, and note the answer."""
    return {"said": [f"approved by {interrupt('Shall I?')}"]}


def act(state: Talk) -> Talk:
    """What is done once it was approved."""
    get_stream_writer()({"type": "acted", "on": state["said"]})
    return {"said": ["acted"]}


def _sequence(*nodes: Any) -> Any:
    builder: Any = StateGraph(Talk)
    builder.add_sequence(list(nodes))
    builder.add_edge(START, nodes[0].__name__)
    return builder.compile()


dialogue = _sequence(listen, think, reply)
approval = _sequence(approve, act)
