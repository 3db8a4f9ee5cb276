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
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

from langchain_core.messages import AIMessage, AIMessageChunk

from graphjobs.core.event import CUSTOM, RESERVED_TYPES, TOKEN, UPDATE
from graphjobs.worker.jsonable import jsonable

STREAM_MODES: Final = ("messages", "updates", "custom", "checkpoints")

INTERRUPT: Final = "__interrupt__"
ABOUT: Final = "__metadata__"
"""Beside the node whose output came from the graph's cache, and no node."""

TYPE_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,63}", re.ASCII)
"""What may follow ``event:`` on the wire."""

Translated = tuple[str, Any]


class GraphInterrupted(Exception):
    """The graph waits for a person (`interrupt()`), which a job cannot."""


def translate(part: Mapping[str, Any]) -> Sequence[Translated]:
    """The events of one stream part; their data is as the graph gave it, for `encode` to make JSON of.

    Raises:
        GraphInterrupted: the part says that the graph was interrupted.
    """
    mode, data = part["type"], part["data"]
    if mode == "custom":
        return (_custom(data),)
    path = [step.split(":", 1)[0] for step in part["ns"]]
    if mode == "messages":
        message, metadata = data
        return _token(message, metadata, path)
    if mode == "updates":
        return _updates(data, path)
    return ()


def boundary(part: Mapping[str, Any]) -> dict[str, Any] | None:
    """The checkpoint of the graph itself, not of a subgraph, that this part tells of; None for any other part."""
    if part["type"] != "checkpoints" or part["ns"]:
        return None
    checkpoint: dict[str, Any] = part["data"]
    return checkpoint


def _token(message: Any, metadata: Mapping[str, Any], path: list[str]) -> Sequence[Translated]:
    if not isinstance(message, AIMessage | AIMessageChunk):
        return ()
    text = str(message.text)
    if not text:
        return ()
    node = "/".join([*path, str(metadata.get("langgraph_node", ""))])
    return ((TOKEN, {"text": text, "node": node, "message_id": message.id}),)


def _updates(data: Mapping[str, Any], path: list[str]) -> Sequence[Translated]:
    if INTERRUPT in data:
        raise GraphInterrupted
    return [
        (UPDATE, {"node": "/".join([*path, node]), "output": output}) for node, output in data.items() if node != ABOUT
    ]


def _custom(value: Any) -> Translated:
    # A plain dict, as nearly always, is looked into as it is.
    data = value if type(value) is dict else jsonable(value)
    if not isinstance(data, dict):
        return CUSTOM, {"value": data}
    kind = data.get("type")
    if type(kind) is not str:
        kind = jsonable(kind)
    if isinstance(kind, str) and _names_a_type(kind):
        data = data.copy()
        del data["type"]
        return kind, data
    return CUSTOM, data


@lru_cache(maxsize=256)
def _names_a_type(name: str) -> bool:
    return name not in RESERVED_TYPES and TYPE_NAME.fullmatch(name) is not None
