"""The graph, and what is open while it runs: LangGraph's server and graphjobs call `make_graph` once per run."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from langgraph.graph import END, START, StateGraph
from langgraph.graph.state import CompiledStateGraph
from typing_extensions import TypedDict

from glossary.index import Index


class State(TypedDict, total=False):
    """A question, and the terms in it with what they mean."""

    question: str
    found: dict[str, str]
    answer: str


@asynccontextmanager
async def make_graph() -> AsyncIterator[CompiledStateGraph[State, None, State, State]]:
    """The graph around an index that is open until the run ends, however it ends."""
    with Index() as index:

        def look_up(state: State) -> State:
            return {"found": index.terms_in(state.get("question", ""))}

        builder = StateGraph(State)
        builder.add_node("look_up", look_up)
        builder.add_node("explain", explain)
        builder.add_edge(START, "look_up")
        builder.add_edge("look_up", "explain")
        builder.add_edge("explain", END)
        yield builder.compile()


def explain(state: State) -> State:
    """Put what was found into words."""
    found = state.get("found", {})
    return {"answer": " ".join(f"A {term}: {meaning}" for term, meaning in found.items()) or "I know no term in it."}
