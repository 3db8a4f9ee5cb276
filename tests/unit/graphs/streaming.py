"""What the worker sees of a graph: the parts of one streamed run, sorted by their mode."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

MODES = ["messages", "updates", "custom"]


@dataclass
class Run:
    """The parts of a run so far: (node, text) of each token, (node, output) of each update, custom events."""

    tokens: list[tuple[str, str]] = field(default_factory=list)
    updates: list[tuple[str, Any]] = field(default_factory=list)
    custom: list[dict[str, Any]] = field(default_factory=list)
    order: list[str] = field(default_factory=list)

    def text(self, node: str) -> str:
        return "".join(text for source, text in self.tokens if source == node)

    def progress(self) -> list[tuple[int, int]]:
        return [(each["step"], each["total"]) for each in self.custom if each["type"] == "progress"]

    async def follow(self, graph: Any, value: Any, **options: Any) -> None:
        async for part in graph.astream(value, version="v2", stream_mode=MODES, **options):
            self.add(part)

    def add(self, part: dict[str, Any]) -> None:
        self.order.append(part["type"])
        if part["type"] == "messages":
            message, metadata = part["data"]
            self.tokens.append((metadata["langgraph_node"], message.text))
        elif part["type"] == "updates":
            self.updates.extend(part["data"].items())
        else:
            self.custom.append(part["data"])


def run(graph: Any, value: Any) -> Run:
    """Streams a whole run of the graph on this input."""
    seen = Run()
    asyncio.run(seen.follow(graph, value))
    return seen
