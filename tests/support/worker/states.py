"""Graphs whose state is of another kind than a `TypedDict`, each with an answer known beforehand."""

# Not postponed: LangGraph looks the annotations up.
import operator
from dataclasses import dataclass, field
from typing import Annotated, Any

from langgraph.func import entrypoint
from langgraph.graph import START, StateGraph
from pydantic import BaseModel

from tests.support.worker.graphs import State


class Asked(BaseModel):
    """What is known at first."""

    query: str = ""


class Answered(BaseModel):
    """`answer` has no default: the first step writes it."""

    query: str = ""
    answer: str


@dataclass
class Listed:
    """A state that is a dataclass."""

    done: Annotated[list[str], operator.add] = field(default_factory=list)


def _answer(state: Asked) -> dict[str, Any]:
    return {"answer": f"to {state.query}"}


def _shout(state: Answered) -> dict[str, Any]:
    return {"answer": f"{state.answer}!"}


def model() -> Any:
    """A pydantic model, one member of which is written by the first step."""
    builder: Any = StateGraph(Answered, input_schema=Asked)
    builder.add_node("answer", _answer)
    builder.add_node("shout", _shout)
    builder.add_edge(START, "answer")
    builder.add_edge("answer", "shout")
    return builder


def of_dataclass() -> Any:
    """A dataclass."""
    builder: Any = StateGraph(Listed)
    builder.add_node("only", lambda state: {"done": ["only"]})
    builder.add_edge(START, "only")
    return builder


def unlike_its_subgraph() -> Any:
    """A pydantic model that its subgraph's state does not fit."""
    inner: Any = StateGraph(State)
    inner.add_node("inner", lambda state: {"done": ["inner"]})
    inner.add_edge(START, "inner")
    compiled = inner.compile()

    async def outer(state: Answered) -> dict[str, Any]:
        return {"answer": str((await compiled.ainvoke({}))["done"])}

    builder: Any = StateGraph(Answered)
    builder.add_node("outer", outer)
    builder.add_edge(START, "outer")
    return builder


@entrypoint()
async def functional(given: dict[str, Any]) -> dict[str, Any]:
    """LangGraph's functional form."""
    return {"answer": f"to {given['query']}"}
