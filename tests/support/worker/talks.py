"""Graphs that hold a conversation, or ask a person: each turn adds what it was told and what it answered."""

from __future__ import annotations

import operator
from typing import Annotated, Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.types import Send, interrupt

from tests.support.worker.graphs import HOOKS


class Talk(TypedDict, total=False):
    """What was said, in order."""

    said: Annotated[list[str], operator.add]


def _hook(step: str) -> None:
    HOOKS.pop(step, lambda: None)()


def listen(state: Talk) -> Talk:
    """The first of two steps of a turn."""
    _hook("listen")
    return {"said": [f"heard {state['said'][-1]}"]}


def answer(state: Talk) -> Talk:
    """The second: it tells how much it remembers."""
    _hook("answer")
    return {"said": [f"answer to {len(state['said'])}"]}


def talk() -> StateGraph[Any]:
    """A turn of two steps."""
    builder: Any = StateGraph(Talk)
    builder.add_sequence([listen, answer])
    builder.add_edge(START, "listen")
    return builder  # type: ignore[no-any-return]


def ask(state: Talk) -> Talk:
    """Ask, and note the answer."""
    _hook("asking")
    said = interrupt({"question": f"after {len(state['said'])}"})
    _hook("answered")
    return {"said": [f"approved: {said}"]}


def act(state: Talk) -> Talk:
    """What is only done once it was approved."""
    _hook("act")
    return {"said": ["acted"]}


def approval() -> StateGraph[Any]:
    """A step before the question, the question, a step after."""
    builder: Any = StateGraph(Talk)
    builder.add_sequence([listen, ask, act])
    builder.add_edge(START, "listen")
    return builder  # type: ignore[no-any-return]


def ask_one(state: dict[str, str]) -> Talk:
    """One of several questions at once."""
    return {"said": [f"{state['name']}: {interrupt(state['name'])}"]}


def panel() -> StateGraph[Any]:
    """Three branches, two of which ask, the one of them within a subgraph; then a step."""
    inner: Any = StateGraph(Talk)
    inner.add_node("inner", lambda state: {"said": [f"inner: {interrupt('inner')}"]})
    inner.add_edge(START, "inner")
    compiled = inner.compile()

    def sub(state: Talk) -> Talk:
        return {"said": [compiled.invoke({"said": []})["said"][-1]]}

    builder: Any = StateGraph(Talk)
    builder.add_node("ask_one", ask_one)
    builder.add_node("sub", sub)
    builder.add_node("quiet", lambda state: {"said": ["quiet"]})
    builder.add_node("act", act)
    builder.add_conditional_edges(
        START, lambda state: [Send("ask_one", {"name": "a"}), Send("sub", state), Send("quiet", state)]
    )
    for node in ("ask_one", "sub", "quiet"):
        builder.add_edge(node, "act")
    builder.add_edge("act", END)
    return builder  # type: ignore[no-any-return]
