"""Graphs within graphs: what a subgraph saves and where it stops are its own."""

from __future__ import annotations

import inspect
from typing import Any

from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

from tests.support.worker import graphs as worker_graphs
from tests.support.worker.graphs import HOOKS, State, _began


def _node(name: str) -> Any:
    async def node(state: State) -> dict[str, Any]:
        _began(name)
        hooked = HOOKS.pop(name, lambda: None)()
        if inspect.isawaitable(hooked):
            await hooked
        return {"done": [name]}

    return node


def _chain(*names: str) -> StateGraph[Any]:
    builder: Any = StateGraph(State)
    for name, before in zip(names, (START, *names), strict=False):
        builder.add_node(name, _node(name))
        builder.add_edge(before, name)
    return builder  # type: ignore[no-any-return]


def fan_out() -> StateGraph[Any]:
    """Two branches of one step, each of which runs the same subgraph of two steps."""
    compiled: Any = _chain("first", "second").compile()

    async def branch(state: State) -> dict[str, Any]:
        return {"done": ["+".join((await compiled.ainvoke({"done": []}))["done"])]}

    builder: Any = StateGraph(State)
    builder.add_node("before", _node("before"))
    builder.add_node("branch", branch)
    builder.add_edge(START, "before")
    builder.add_conditional_edges("before", lambda state: [Send("branch", {}), Send("branch", {})], ["branch"])
    builder.add_edge("branch", END)
    return builder  # type: ignore[no-any-return]


def within() -> StateGraph[Any]:
    """A step whose subgraph has two steps, and one after it."""
    compiled: Any = _chain("first", "second").compile()

    async def sub(state: State) -> dict[str, Any]:
        return {"done": list((await compiled.ainvoke({"done": []}))["done"])}

    builder: Any = StateGraph(State)
    builder.add_node("sub", sub)
    builder.add_node("after", _node("after"))
    builder.add_edge(START, "sub")
    builder.add_edge("sub", "after")
    return builder  # type: ignore[no-any-return]


def remembering() -> StateGraph[Any]:
    """Two rounds of a step whose subgraph keeps its state from round to round, and notes who ran it."""

    async def note(state: State) -> dict[str, Any]:
        who = worker_graphs._worker[0]
        hooked = HOOKS.pop("note", lambda: None)()
        if inspect.isawaitable(hooked):
            await hooked
        return {"done": [who]}

    inner: Any = StateGraph(State)
    inner.add_node("note", note)
    inner.add_edge(START, "note")
    compiled = inner.compile(checkpointer=True)

    async def sub(state: State) -> dict[str, Any]:
        return {"words": list((await compiled.ainvoke({"done": []}))["done"])}

    builder: Any = StateGraph(State)
    builder.add_node("before", _node("before"))
    builder.add_node("sub", sub)
    builder.add_node("between", _node("between"))
    builder.add_edge(START, "before")
    builder.add_edge("before", "sub")
    builder.add_edge("sub", "between")
    builder.add_conditional_edges("between", lambda state: "sub" if len(state["words"]) < 2 else END, ["sub", END])
    return builder  # type: ignore[no-any-return]
