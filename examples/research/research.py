"""Research in parallel: a question becomes topics, each topic a branch of its own (`Send`), all of them one report.

Every branch is a step that is saved when it is done: after a crash only the branches that were not done run again.
"""

import asyncio
import operator
from typing import Annotated

from langgraph.config import get_stream_writer
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send
from typing_extensions import TypedDict

NOTES = {
    "solar": "Solar cells last about thirty years and work best when they are cool.",
    "storage": "Storage moves energy from noon to evening; most batteries are built for four hours.",
    "wind": "Wind turbines yield most at night and in winter.",
}
"""What the branches look into; a search engine or a model in a real project."""


class State(TypedDict, total=False):
    """The whole: `findings` grows by what each branch returns."""

    question: str
    topics: list[str]
    findings: Annotated[list[str], operator.add]
    report: str


class Branch(TypedDict):
    """What one branch is given."""

    topic: str


def plan(state: State) -> State:
    """The topics that the question names; all of them if it names none."""
    question = state.get("question", "").lower()
    return {"topics": [topic for topic in NOTES if topic in question] or list(NOTES)}


def fan_out(state: State) -> list[Send]:
    """A branch for each topic."""
    return [Send("look_into", {"topic": topic}) for topic in state["topics"]]


async def look_into(state: Branch) -> State:
    """One branch."""
    get_stream_writer()({"topic": state["topic"]})
    await asyncio.sleep(0)
    return {"findings": [f"{state['topic']}: {NOTES[state['topic']]}"]}


def write(state: State) -> State:
    """The report, in an order that does not depend on which branch was done first."""
    return {"report": "\n".join(f"- {finding}" for finding in sorted(state["findings"]))}


builder = StateGraph(State)
builder.add_node("plan", plan)
builder.add_node("look_into", look_into, input_schema=Branch)
builder.add_node("write", write)
builder.add_edge(START, "plan")
builder.add_conditional_edges("plan", fan_out, ["look_into"])
builder.add_edge("look_into", "write")
builder.add_edge("write", END)
graph = builder.compile()
