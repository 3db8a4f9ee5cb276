"""An agent that calls tools and remembers: what was said on the thread, and facts about its user on any thread.

The conversation is LangGraph's state: the next job on the same thread goes on with it. Facts are in LangGraph's store,
under the user's id. The model is a stand-in that needs no key; put any chat model that knows `bind_tools` in its place.
"""

from typing import Annotated

from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import InjectedStore, ToolNode, tools_condition
from langgraph.store.base import BaseStore
from stand_in import StandInModel


def facts_of(config: RunnableConfig) -> tuple[str, str]:
    """The namespace of the user's facts in the store."""
    return ("facts", str(config["configurable"].get("user_id", "somebody")))


@tool
async def remember(fact: str, config: RunnableConfig, store: Annotated[BaseStore, InjectedStore()]) -> str:
    """Keep a fact about the user."""
    # The fact is its own key: a step that runs again after a crash writes the same item.
    await store.aput(facts_of(config), fact, {"fact": fact})
    return f"Kept: {fact}"


@tool
async def recall(config: RunnableConfig, store: Annotated[BaseStore, InjectedStore()]) -> str:
    """Everything that is known about the user."""
    items = await store.asearch(facts_of(config), limit=20)
    return "; ".join(sorted(item.value["fact"] for item in items)) or "nothing yet"


TOOLS = [remember, recall]
model = StandInModel().bind_tools(TOOLS)


async def think(state: MessagesState) -> MessagesState:
    """Ask the model, which answers or calls tools."""
    return {"messages": [await model.ainvoke(state["messages"])]}


builder = StateGraph(MessagesState)
builder.add_node("think", think)
builder.add_node("tools", ToolNode(TOOLS))
builder.add_edge(START, "think")
builder.add_conditional_edges("think", tools_condition)
builder.add_edge("tools", "think")
graph = builder.compile()
