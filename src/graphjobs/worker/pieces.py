"""What is in a chat message: text, reasoning, pieces of tool calls; and the whole of it, as a ``message`` event has it.

Providers stream reasoning in one of four shapes, which differ in the names of the members alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from langchain_core.messages import BaseMessage

ROLES: Final = {"human": "user", "ai": "assistant", "AIMessageChunk": "assistant", "HumanMessageChunk": "user"}
"""LangChain's types by their common names; the others, such as ``system`` and ``tool``, are called the same."""


def text_of(message: BaseMessage) -> str:
    """The text of a message or of a piece, without reasoning."""
    content = message.content
    if isinstance(content, str):
        return content
    return "".join(
        block if isinstance(block, str) else str(block.get("text", ""))
        for block in content
        if isinstance(block, str) or block.get("type") == "text"
    )


def reasoning_of(message: BaseMessage) -> str:
    """The text of a model's reasoning; what a provider has encrypted has none."""
    flat = message.additional_kwargs.get("reasoning_content") if message.additional_kwargs else None
    if isinstance(flat, str) and flat:
        return flat
    if isinstance(message.content, str):
        return ""
    return "".join(text for block in message.content if isinstance(block, dict) for text in _reasoning(block))


def _reasoning(block: Mapping[str, Any]) -> Iterable[str]:
    kind = block.get("type")
    if kind == "thinking":  # Anthropic
        return (str(block.get("thinking") or ""),)
    if kind == "reasoning_content":  # Bedrock
        inner = block.get("reasoning_content")
        return (str(inner.get("text") or ""),) if isinstance(inner, Mapping) else ()
    if kind == "reasoning":  # LangChain's own; OpenAI's with a summary
        parts = block.get("summary")
        if isinstance(parts, list):
            return (str(part.get("text") or "") for part in parts if isinstance(part, Mapping))
        return (str(block.get("reasoning") or block.get("text") or ""),)
    return ()


def tool_calls_of(message: BaseMessage) -> list[dict[str, Any]]:
    """The pieces of tool calls in a piece of a message: ``{index, id, name, args}``, ``args`` being text."""
    chunks: list[dict[str, Any]] = getattr(message, "tool_call_chunks", None) or []
    return [{name: chunk.get(name) for name in ("index", "id", "name", "args")} for chunk in chunks]


def whole(message: BaseMessage) -> dict[str, Any]:
    """The members of a ``message`` event that are the message's own."""
    told: dict[str, Any] = {
        "message_id": message.id,
        "role": ROLES.get(message.type, message.type),
        "content": message.content,
    }
    for name, attribute in _MEMBERS:
        value = getattr(message, attribute, None)
        if value:
            told[name] = value
    if told.get("status") == "success":
        del told["status"]
    reasoning = message.additional_kwargs.get("reasoning_content")
    if isinstance(reasoning, str) and reasoning:
        told["reasoning"] = reasoning  # else it is in the content's blocks
    return told


_MEMBERS: Final = (
    ("name", "name"),
    ("tool_calls", "tool_calls"),
    ("invalid_tool_calls", "invalid_tool_calls"),
    ("tool_call_id", "tool_call_id"),
    ("status", "status"),
    ("usage", "usage_metadata"),
)
