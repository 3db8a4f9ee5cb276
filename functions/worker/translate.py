"""From LangGraph's stream (version v2) to our events: the one place that knows both.

=============  =======================================================================================
stream mode    event
=============  =======================================================================================
messages       ``token {text, node, message_id}``, for text of the assistant only
updates        ``update {node, output}``, one a node
custom         the type that the node named (``progress`` and any other that is not reserved), else ``custom``
checkpoints    none: a boundary for the marks
=============  =======================================================================================

A node inside a subgraph is named by its path, ``outer/inner``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, Final

from langchain_core.messages import AIMessage, AIMessageChunk

from functions.worker.jsonable import clean_text, jsonable
from graphjobs.event import CUSTOM, RESERVED_TYPES, TOKEN, UPDATE

STREAM_MODES: Final = ("messages", "updates", "custom", "checkpoints")

INTERRUPT: Final = "__interrupt__"

TYPE_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}", re.ASCII)
"""What may follow ``event:`` on the wire."""

Translated = tuple[str, dict[str, Any]]


class GraphInterrupted(Exception):
    """The graph waits for a person (`interrupt()`), which a job cannot."""


def translate(part: Mapping[str, Any]) -> Iterator[Translated]:
    """The events of one stream part.

    Raises:
        GraphInterrupted: the part says that the graph was interrupted.
    """
    path = [step.split(":", 1)[0] for step in part["ns"]]
    mode, data = part["type"], part["data"]
    if mode == "messages":
        message, metadata = data
        yield from _token(message, metadata, path)
    elif mode == "updates":
        yield from _updates(data, path)
    elif mode == "custom":
        yield _custom(data)


def boundary(part: Mapping[str, Any]) -> dict[str, Any] | None:
    """The checkpoint of the graph itself, not of a subgraph, that this part tells of; None for any other part."""
    if part["type"] != "checkpoints" or part["ns"]:
        return None
    checkpoint: dict[str, Any] = part["data"]
    return checkpoint


def _token(message: Any, metadata: Mapping[str, Any], path: list[str]) -> Iterator[Translated]:
    if not isinstance(message, AIMessage | AIMessageChunk):
        return
    text = str(message.text)
    if text:
        node = "/".join([*path, str(metadata.get("langgraph_node", ""))])
        yield TOKEN, {"text": clean_text(text), "node": node, "message_id": message.id}


def _updates(data: Mapping[str, Any], path: list[str]) -> Iterator[Translated]:
    for node, output in data.items():
        if node == INTERRUPT:
            raise GraphInterrupted
        yield UPDATE, {"node": "/".join([*path, clean_text(node)]), "output": jsonable(output)}


def _custom(value: Any) -> Translated:
    data = jsonable(value)
    if not isinstance(data, dict):
        return CUSTOM, {"value": data}
    kind = data.get("type")
    if isinstance(kind, str) and kind not in RESERVED_TYPES and TYPE_NAME.fullmatch(kind):
        return kind, {name: item for name, item in data.items() if name != "type"}
    return CUSTOM, data
