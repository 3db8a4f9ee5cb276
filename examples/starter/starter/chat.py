"""The `chat` graph: answers one question from the knowledge base. retrieve -> answer.

Input `{"query": str}`, result `{"answer": str, "sources": [...]}`. On the way: `progress` and `sources`
events, and the answer's tokens. It is compiled without a checkpointer; the worker gives it one. The state
holds ids of passages and not their texts, which keeps every checkpoint small.
"""

# No `from __future__ import annotations` where a state is defined: LangGraph reads the types of its fields,
# and a loader that runs this file by path need not put it in `sys.modules`, where deferred ones are sought.
import asyncio
from typing import TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.runtime import Runtime

from starter.model import chat_model
from starter.passage import passage
from starter.prompt import chat_messages, required_query
from starter.retrieve import Source
from starter.retrieve import retrieve as search


class ChatInput(TypedDict):
    query: str


class ChatState(TypedDict):
    query: str
    sources: list[Source]


class ChatResult(TypedDict):
    answer: str
    sources: list[Source]


class Retrieved(TypedDict):
    """What the first node adds to the state."""

    sources: list[Source]


class Answered(TypedDict):
    """What the second node adds to the state."""

    answer: str


async def retrieve(state: ChatInput, runtime: Runtime[None]) -> Retrieved:
    """Finds the passages. Raises `ValueError` if the input has no question."""
    query = required_query(state.get("query"))
    _progress(runtime, 1, "searching the knowledge base")
    sources = [match.source for match in search(query)]
    runtime.stream_writer({"type": "sources", "sources": sources})
    return {"sources": sources}


async def answer(state: ChatState, runtime: Runtime[None]) -> Answered:
    """Asks the model. Raises what the model raises, and `starter.model.ModelError`."""
    _progress(runtime, 2, "writing the answer")
    found = [passage(source["id"]) for source in state["sources"]]
    model = await asyncio.to_thread(chat_model)
    # In a run that is streamed, LangGraph's callback makes this stream the tokens too.
    reply = await model.ainvoke(chat_messages(required_query(state["query"]), found))
    return {"answer": reply.text}


def _progress(runtime: Runtime[None], step: int, message: str) -> None:
    runtime.stream_writer({"type": "progress", "step": step, "total": 2, "message": message})


builder = StateGraph(ChatState, input_schema=ChatInput, output_schema=ChatResult)
builder.add_node("retrieve", retrieve)
builder.add_node("answer", answer)
builder.add_edge(START, "retrieve")
builder.add_edge("retrieve", "answer")
builder.add_edge("answer", END)
graph = builder.compile(name="chat")
