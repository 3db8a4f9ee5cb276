"""One step of many branches, each a `Send`."""

from __future__ import annotations

import operator
from typing import Annotated, Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.types import Send


class State(TypedDict, total=False):
    """How many branches there are, and what each has added."""

    branches: int
    found: Annotated[list[int], operator.add]


async def branch(state: Any) -> State:
    """Add what was sent."""
    return {"found": [state["number"]]}


builder = StateGraph(State)
builder.add_node("branch", branch)
builder.add_conditional_edges(
    START, lambda state: [Send("branch", {"number": number}) for number in range(state["branches"])], ["branch"]
)
builder.add_edge("branch", END)
graph = builder.compile()
