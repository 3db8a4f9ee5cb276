"""A chat answer as a model streams it: 500 tokens in 10 seconds."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langgraph.graph import END, START, MessagesState, StateGraph

TOKENS = 500
SECONDS = 10.0
WORDS = ("the ", "refund ", "is ", "made ", "within ", "seven ", "days, ", "환불은 ", "7일 ", "이내에 ")


class Model(BaseChatModel):
    """Says the same words again and again."""

    @property
    def _llm_type(self) -> str:
        return "benchmark"

    def _generate(self, messages: list[BaseMessage], *args: Any, **kwargs: Any) -> ChatResult:
        text = "".join(WORDS[number % len(WORDS)] for number in range(TOKENS))
        return ChatResult(generations=[ChatGeneration(message=AIMessage(text))])

    async def _astream(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,
        run_manager: AsyncCallbackManagerForLLMRun | None = None,
        **kwargs: Any,
    ) -> AsyncIterator[ChatGenerationChunk]:
        for number in range(TOKENS):
            await asyncio.sleep(SECONDS / TOKENS)
            yield ChatGenerationChunk(message=AIMessageChunk(content=WORDS[number % len(WORDS)]))


async def ask(state: MessagesState) -> dict[str, Any]:
    """The question."""
    return {"messages": [HumanMessage("How do I get a refund?")]}


async def answer(state: MessagesState) -> dict[str, Any]:
    """The answer, streamed."""
    return {"messages": [await Model().ainvoke(state["messages"])]}


builder = StateGraph(MessagesState)
builder.add_node("ask", ask)
builder.add_node("answer", answer)
builder.add_edge(START, "ask")
builder.add_edge("ask", "answer")
builder.add_edge("answer", END)
graph = builder.compile()
