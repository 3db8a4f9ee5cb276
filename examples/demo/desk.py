"""A help desk of `make demo`: its tool asks a person before it pays, and it remembers what was said on the thread.

The model is a stand-in that needs no key; put any chat model that knows `bind_tools` in its place.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from langchain_core.callbacks import CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.tools import tool
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.types import interrupt


@tool
def refund(order: int) -> str:
    """Pay an order back, if a person agrees."""
    answer = interrupt({"question": f"Refund order {order}?"})
    return f"Order {order} is refunded." if answer == "yes" else f"Order {order} is not refunded: {answer}."


class StandInModel(BaseChatModel):
    """Calls the tool at the first message, then says what came of it; later it tells how much it remembers."""

    @property
    def _llm_type(self) -> str:
        return "stand-in"

    def _stream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> Iterator[ChatGenerationChunk]:
        for chunk in _pieces(messages):
            yield ChatGenerationChunk(message=chunk)

    def _generate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: CallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> ChatResult:
        first, *rest = _pieces(messages)
        whole = sum(rest, first)
        return ChatResult(generations=[ChatGeneration(message=AIMessage(whole.content, tool_calls=whole.tool_calls))])


def _pieces(messages: Sequence[BaseMessage]) -> list[AIMessageChunk]:
    asked = [message for message in messages if isinstance(message, HumanMessage)]
    if isinstance(messages[-1], ToolMessage):
        return _words(f"Done. {messages[-1].content}")
    if len(asked) == 1:
        head: Any = {"index": 0, "id": "call-1", "name": "refund", "args": "", "type": "tool_call_chunk"}
        args = ('{"order": ', "17}")
        rest = [{**head, "id": None, "name": None, "args": piece} for piece in args]
        return [AIMessageChunk(content="", tool_call_chunks=[chunk]) for chunk in (head, *rest)]
    return _words(f'You began with "{asked[0].text}" This is message {len(asked)} of our conversation.')


def _words(text: str) -> list[AIMessageChunk]:
    return [AIMessageChunk(content=f"{word} ") for word in text.split()]


async def think(state: MessagesState) -> MessagesState:
    """Ask the model, which answers or calls the tool."""
    return {"messages": [await StandInModel().ainvoke(state["messages"])]}


builder = StateGraph(MessagesState)
builder.add_node("think", think)
builder.add_node("tools", ToolNode([refund]))
builder.add_edge(START, "think")
builder.add_conditional_edges("think", tools_condition)
builder.add_edge("tools", "think")
graph = builder.compile()
