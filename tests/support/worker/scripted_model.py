"""A chat model that streams exactly the pieces it was given, as real ones do: reasoning, text, tool calls, usage."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult


class ScriptedModel(BaseChatModel):
    """Says one script for each message of the assistant that it finds in what it is given."""

    scripts: list[list[AIMessageChunk]]
    streams: bool = True

    @property
    def _llm_type(self) -> str:
        return "scripted"

    def bind_tools(self, tools: Any, **_: Any) -> ScriptedModel:
        """Tools change nothing: the script calls them."""
        return self

    def _pieces(self, messages: Sequence[BaseMessage]) -> list[AIMessageChunk]:
        said = sum(isinstance(message, AIMessage) for message in messages)
        return [piece.model_copy(deep=True) for piece in self.scripts[said % len(self.scripts)]]

    def _stream(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **_: Any
    ) -> Iterator[ChatGenerationChunk]:
        for piece in self._pieces(messages):
            yield ChatGenerationChunk(message=piece)

    def _should_stream(self, **named: Any) -> bool:
        return self.streams and super()._should_stream(**named)

    def _generate(self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **_: Any) -> ChatResult:
        first, *rest = self._pieces(messages)
        whole = first
        for piece in rest:
            whole = whole + piece
        message = AIMessage(whole.content, tool_calls=whole.tool_calls, usage_metadata=whole.usage_metadata)
        return ChatResult(generations=[ChatGeneration(message=message)])


def piece(content: Any = "", **named: Any) -> AIMessageChunk:
    """A piece of a message."""
    return AIMessageChunk(content, **named)


def call(index: int, args: str, *, name: str | None = None, call_id: str | None = None) -> AIMessageChunk:
    """A piece of a tool call."""
    chunk: Any = {"index": index, "id": call_id, "name": name, "args": args, "type": "tool_call_chunk"}
    return AIMessageChunk("", tool_call_chunks=[chunk])


USAGE: Any = {"input_tokens": 7, "output_tokens": 3, "total_tokens": 10}

ASKS = [
    piece([{"type": "thinking", "thinking": "I ", "index": 0}], id="msg_1"),
    piece([{"type": "thinking", "thinking": "wonder.", "index": 0}]),
    piece([{"type": "text", "text": "Let me look.", "index": 1}]),
    call(0, "", name="weather", call_id="call-1"),
    call(0, '{"city": '),
    call(0, '"Seoul"}'),
    piece("", usage_metadata=USAGE),
]
ANSWERS = [piece("It "), piece("rains."), piece("", usage_metadata=USAGE)]
