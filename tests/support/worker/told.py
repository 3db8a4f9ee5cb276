"""What a run tells, by node: read from the parts of a direct `astream`, and from a log; in one form, to be compared."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from langchain_core.messages import AIMessageChunk

from graphjobs.worker.jsonable import jsonable
from tests.support.worker.recorded import Recorded

MODES: Any = ["messages", "updates", "custom", "values", "tasks"]

Told = dict[str, list[Any]]


def plain(value: Any) -> Any:
    """Without ids, which differ from run to run."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if key not in ("id", "message_id")}
    return [plain(item) for item in value] if isinstance(value, list) else value


def _path_of(ns: Any, node: str) -> str:
    return "/".join([*(step.split(":")[0] for step in ns if ":" in step), node])


def expected(parts: Iterable[Any]) -> Told:
    """By node, what the parts of an `astream` tell (`MODES`, version 2): LangChain's own reading of each message."""
    told: Told = defaultdict(list)
    for part in parts:
        kind, ns, data = part["type"], part["ns"], part["data"]
        if kind == "updates":
            for node, output in data.items():
                told[f"update {_path_of(ns, node)}"].append(plain(jsonable(output)))
        elif kind == "custom":
            told["custom"].append(plain(data))
        elif kind == "messages":
            message, about = data
            node = _path_of(ns, about["langgraph_node"])
            tags = about.get("tags")
            if not isinstance(message, AIMessageChunk):
                told[f"whole {node}"].append([message.type, message.text])
                continue
            for block in message.content_blocks:
                if block["type"] == "text" and block["text"]:
                    told[f"token {node}"].append([block["text"], tags])
                elif block["type"] == "reasoning":
                    told[f"reasoning {node}"].append([block.get("reasoning"), tags])
                elif block["type"] == "non_standard":
                    told[f"reasoning {node}"].append([block["value"]["thinking"], tags])
            for chunk in message.tool_call_chunks:
                told[f"call {node}"].append([chunk["name"], chunk["args"], tags])
            if message.usage_metadata:
                told[f"usage {node}"].append(message.usage_metadata["total_tokens"])
    return told


PIECES = ("token", "reasoning")
TYPES = {"assistant": "ai", "user": "human"}


def recorded(run: Recorded) -> Told:
    """By node, what the log tells, in the same form."""
    told: Told = defaultdict(list)
    pieces = {data["message_id"] for data in run.of("tool_call")}
    wholes = {data["message_id"]: data for data in run.of("message")}
    for event in run.events:
        data, node = event.data, event.data.get("node")
        tags = data.get("tags")
        if event.type == "token":
            whole = wholes[data["message_id"]]
            if data["text"] != whole["content"] or data["message_id"] in pieces:
                told[f"token {node}"].append([data["text"], tags])
        elif event.type == "reasoning":
            told[f"reasoning {node}"].append([data["text"], tags])
        elif event.type == "tool_call":
            told[f"call {node}"].append([data["name"], data["args"], tags])
        elif event.type == "update":
            told[f"update {node}"].append(plain(data["output"]))
        elif event.type == "message":
            texts = [each["text"] for each in run.of(*PIECES) if each["message_id"] == data["message_id"]]
            if any(text != data["content"] for text in texts):
                if "usage" in data:
                    told[f"usage {node}"].append(data["usage"]["total_tokens"])
            else:
                told[f"whole {node}"].append([TYPES.get(data["role"], data["role"]), data["content"]])
        else:
            told["custom"].append(plain({"type": event.type, **data} if event.type != "custom" else data))
    return told


def in_any_order(told: Told) -> dict[str, list[str]]:
    """Without the order of branches that run at the same time."""
    return {key: sorted(map(json.dumps, value)) for key, value in told.items()}
