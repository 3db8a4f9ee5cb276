"""The model as OpenAI's API has it: chat completions and responses, whole or streamed, and embeddings."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from compat.model import Manner, Question, Reply, Tool

USAGE: Final = {"prompt_tokens": 10, "completion_tokens": 5, "total_tokens": 15}
CALL: Final = "call_1"
LETTERS: Final = "abcdefghijklmnopqrstuvwxyz"


def completion(body: Mapping[str, Any], manner: Manner) -> dict[str, Any] | Iterator[str]:
    """The answer to ``POST /v1/chat/completions``; the lines of a stream if it asks for one."""
    reply = manner.reply(_question(body))
    if not body.get("stream"):
        message = {"role": "assistant", "content": reply.text or None, "refusal": None, **_calls(reply, {})}
        return _envelope(body, "chat.completion", {"message": message}, _reason(reply)) | {"usage": USAGE}
    return _completion_stream(body, reply)


def _completion_stream(body: Mapping[str, Any], reply: Reply) -> Iterator[str]:
    kind = "chat.completion.chunk"

    def chunk(delta: Mapping[str, Any], reason: str | None = None) -> str:
        return _line(_envelope(body, kind, {"delta": delta}, reason))

    yield chunk({"role": "assistant", "content": ""})
    if reply.tool:
        yield chunk(_calls(reply, {"index": 0}))
    else:
        for word in _pieces(reply.text):
            yield chunk({"content": word})
    yield chunk({}, _reason(reply))
    yield _line({**_envelope(body, kind, {"delta": {}}, None), "choices": [], "usage": USAGE})
    yield "data: [DONE]\n\n"


def response(body: Mapping[str, Any], manner: Manner) -> dict[str, Any] | Iterator[str]:
    """The answer to ``POST /v1/responses``; the lines of a stream if it asks for one."""
    reply = manner.reply(_question(body))
    if not body.get("stream"):
        return _response(body, reply, "completed")
    return _response_stream(body, reply)


def _response_stream(body: Mapping[str, Any], reply: Reply) -> Iterator[str]:
    place = {"output_index": 0, "item_id": "item_1"}
    item = _item(reply)
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": _response(body, None, "in_progress")},
        {"type": "response.output_item.added", **place, "item": _item(reply, empty=True)},
    ]
    if reply.tool:
        events.append({"type": "response.function_call_arguments.delta", **place, "delta": reply.json})
        events.append({"type": "response.function_call_arguments.done", **place, "arguments": reply.json})
    else:
        at = {**place, "content_index": 0, "logprobs": []}
        part = {"type": "output_text", "annotations": []}
        events.append({"type": "response.content_part.added", **at, "part": {**part, "text": ""}})
        events += [{"type": "response.output_text.delta", **at, "delta": word} for word in _pieces(reply.text)]
        events.append({"type": "response.output_text.done", **at, "text": reply.text})
        events.append({"type": "response.content_part.done", **at, "part": {**part, "text": reply.text}})
    events.append({"type": "response.output_item.done", **place, "item": item})
    events.append({"type": "response.completed", "response": _response(body, reply, "completed")})
    for number, event in enumerate(events):
        yield f"event: {event['type']}\n{_line({**event, 'sequence_number': number})}"


def embeddings(body: Mapping[str, Any]) -> dict[str, Any]:
    """The answer to ``POST /v1/embeddings``: how often a text has each letter, so equal texts are nearest."""
    size = body.get("dimensions") or 1536
    given = body["input"] if isinstance(body["input"], list) else [body["input"]]
    # Texts, or one list of tokens each.
    texts = [each if isinstance(each, str) else json.dumps(each) for each in given]
    vectors = [[float(text.lower().count(letter)) for letter in LETTERS + "0123456789"] for text in texts]
    data = [
        {"object": "embedding", "index": index, "embedding": [*vector, *[0.0] * (size - len(vector))]}
        for index, vector in enumerate(vectors)
    ]
    return {"object": "list", "model": body["model"], "data": data, "usage": {"prompt_tokens": 1, "total_tokens": 1}}


def _question(body: Mapping[str, Any]) -> Question:
    """Either API's request; the names differ, and where in them the same things are."""
    asked, calls = "", 0
    for each in body.get("messages") or _inputs(body.get("input", "")):
        if each.get("role") == "user":
            asked, calls = _text(each.get("content")), 0
        elif each.get("tool_calls") or each.get("type") == "function_call":
            calls += 1
    choice = body.get("tool_choice")
    forced = (choice.get("function") or choice).get("name") if isinstance(choice, dict) else None
    wanted = (body.get("response_format") or body.get("text", {}).get("format") or {}) if body else {}
    schema = wanted.get("schema") or wanted.get("json_schema", {}).get("schema")
    tools = [(each.get("function") or each) for each in body.get("tools") or ()]
    return Question(
        asked,
        calls,
        [Tool(each["name"], each.get("parameters") or {}) for each in tools if "name" in each],
        required=choice in ("required", "any"),
        forced=forced,
        schema=schema,
    )


def _inputs(given: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": given}] if isinstance(given, str) else list(given)


def _text(content: Any) -> str:
    if isinstance(content, list):
        return " ".join(part.get("text", "") for part in content if isinstance(part, dict))
    return str(content or "")


def _calls(reply: Reply, more: Mapping[str, Any]) -> dict[str, Any]:
    if reply.tool is None:
        return {}
    function = {"name": reply.tool, "arguments": reply.json}
    return {"tool_calls": [{"id": CALL, "type": "function", "function": function, **more}]}


def _reason(reply: Reply) -> str:
    return "tool_calls" if reply.tool else "stop"


def _envelope(body: Mapping[str, Any], kind: str, choice: Mapping[str, Any], reason: str | None) -> dict[str, Any]:
    choices = [{"index": 0, "finish_reason": reason, "logprobs": None, **choice}]
    return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": body["model"], "choices": choices}


def _response(body: Mapping[str, Any], reply: Reply | None, status: str) -> dict[str, Any]:
    usage = {
        "input_tokens": 10,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 5,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 15,
    }
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "status": status,
        "model": body["model"],
        "output": [_item(reply)] if reply else [],
        "error": None,
        "incomplete_details": None,
        "instructions": None,
        "metadata": {},
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "text": body.get("text"),
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "usage": usage if reply else None,
    }


def _item(reply: Reply, *, empty: bool = False) -> dict[str, Any]:
    status = "in_progress" if empty else "completed"
    if reply.tool:
        arguments = "" if empty else reply.json
        call = {"type": "function_call", "call_id": CALL, "name": reply.tool, "arguments": arguments}
        return {"id": "item_1", "status": status, **call}
    content = [] if empty else [{"type": "output_text", "text": reply.text, "annotations": [], "logprobs": []}]
    return {"id": "item_1", "status": status, "type": "message", "role": "assistant", "content": content}


def _pieces(text: str) -> list[str]:
    words = text.split(" ")
    return [*(f"{word} " for word in words[:-1]), words[-1]]


def _line(value: Mapping[str, Any]) -> str:
    return f"data: {json.dumps(value, ensure_ascii=False)}\n\n"
