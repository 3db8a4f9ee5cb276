"""The model as Anthropic's API has it: messages, whole or streamed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from compat.model import Manner, Question, Reply, Tool

USAGE: Final = {"input_tokens": 10, "output_tokens": 5}


def message(body: Mapping[str, Any], manner: Manner) -> dict[str, Any] | Iterator[str]:
    """The answer to ``POST /v1/messages``; the lines of a stream if it asks for one."""
    reply = manner.reply(_question(body))
    if not body.get("stream"):
        return {**_head(body), "content": [_block(reply)], "stop_reason": _reason(reply)}
    return _stream(body, reply)


def _stream(body: Mapping[str, Any], reply: Reply) -> Iterator[str]:
    block: dict[str, Any] = {"type": "tool_use", "id": "toolu_1", "name": reply.tool, "input": {}}
    start = block if reply.tool else {"type": "text", "text": ""}
    yield _event("message_start", message={**_head(body), "content": [], "stop_reason": None})
    yield _event("content_block_start", index=0, content_block=start)
    if reply.tool:
        yield _event("content_block_delta", index=0, delta={"type": "input_json_delta", "partial_json": reply.json})
    else:
        for word in reply.text.split(" "):
            yield _event("content_block_delta", index=0, delta={"type": "text_delta", "text": f"{word} "})
    yield _event("content_block_stop", index=0)
    yield _event("message_delta", delta={"stop_reason": _reason(reply), "stop_sequence": None}, usage=USAGE)
    yield _event("message_stop")


def _question(body: Mapping[str, Any]) -> Question:
    asked, calls = "", 0
    for each in body["messages"]:
        content = each["content"]
        blocks = content if isinstance(content, list) else [{"type": "text", "text": content}]
        kinds = {block["type"] for block in blocks}
        if each["role"] == "user" and "tool_result" not in kinds:
            asked, calls = " ".join(block.get("text", "") for block in blocks), 0
        elif "tool_use" in kinds:
            calls += 1
    choice = body.get("tool_choice") or {}
    schema = (body.get("output_config", {}).get("format") or body.get("output_format") or {}).get("schema")
    return Question(
        asked,
        calls,
        [Tool(each["name"], each["input_schema"]) for each in body.get("tools") or () if "input_schema" in each],
        required=choice.get("type") == "any",
        forced=choice.get("name"),
        schema=schema,
    )


def _head(body: Mapping[str, Any]) -> dict[str, Any]:
    of_all = {"id": "msg_1", "type": "message", "role": "assistant", "stop_sequence": None, "usage": USAGE}
    return {**of_all, "model": body["model"]}


def _block(reply: Reply) -> dict[str, Any]:
    if reply.tool:
        return {"type": "tool_use", "id": "toolu_1", "name": reply.tool, "input": reply.arguments}
    return {"type": "text", "text": reply.text}


def _reason(reply: Reply) -> str:
    return "tool_use" if reply.tool else "end_turn"


def _event(kind: str, **more: Any) -> str:
    return f"event: {kind}\ndata: {json.dumps({'type': kind, **more}, ensure_ascii=False)}\n\n"
