"""The log tells all that a direct `astream` of the same graph tells, message by message; and in the same numbers."""

from __future__ import annotations

import asyncio
import json
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import AIMessageChunk, HumanMessage
from langgraph.checkpoint.memory import InMemorySaver

from graphjobs.worker.graph_loader import GraphLoader
from graphjobs.worker.jsonable import jsonable
from tests.support.worker.recorded import Recorded, record
from tests.support.worker.stream_graphs import GRAPHS

EXAMPLES = sorted(Path("examples").glob("starter/langgraph.json"))
MODES: Any = ["messages", "updates", "custom", "values", "tasks"]

Told = dict[str, list[Any]]


def examples() -> dict[str, Any]:
    """The graphs of the examples."""
    found: dict[str, Any] = {}
    for path in EXAMPLES:
        loader = GraphLoader(str(path))
        for name in loader.names:
            found[f"{path.parent.name}.{name}"] = loader.source(name)
    return found


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """The examples' model speaks without pauses."""
    monkeypatch.delenv("GRAPHJOBS_MODEL", raising=False)
    monkeypatch.setenv("GRAPHJOBS_OFFLINE_TOKEN_MS", "0")


def given() -> Any:
    return {"messages": [HumanMessage("How is it?", id="question")], "query": "How do I get a refund?"}


def parts_of(graph: Any) -> list[Any]:
    """What a direct run streams."""

    async def follow() -> list[Any]:
        stream = graph.astream(given(), stream_mode=MODES, subgraphs=True, version="v2")
        return [part async for part in stream]

    return asyncio.run(follow())


def plain(value: Any) -> Any:
    """Without ids, which differ from run to run."""
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items() if key not in ("id", "message_id")}
    return [plain(item) for item in value] if isinstance(value, list) else value


def path_of(ns: Any, node: str) -> str:
    return "/".join([*(step.split(":")[0] for step in ns if ":" in step), node])


def expected(graph: Any) -> Told:
    """By node, what `astream` tells: LangChain's own reading of each message."""
    told: Told = defaultdict(list)
    for part in parts_of(graph):
        kind, ns, data = part["type"], part["ns"], part["data"]
        if kind == "updates":
            for node, output in data.items():
                told[f"update {path_of(ns, node)}"].append(plain(jsonable(output)))
        elif kind == "custom":
            told["custom"].append(plain(data))
        elif kind == "messages":
            message, about = data
            node = path_of(ns, about["langgraph_node"])
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


@pytest.mark.parametrize("name", [*GRAPHS, *examples()])
def test_the_log_tells_what_astream_tells(name: str) -> None:
    graph = GRAPHS.get(name) or examples()[name]
    run = record(graph, given())
    assert {key: sorted(map(json.dumps, value)) for key, value in recorded(run).items()} == {
        key: sorted(map(json.dumps, value)) for key, value in expected(graph).items()
    }


RAW: Any = ["values", "updates", "custom", "messages", "checkpoints", "tasks", "debug"]


@pytest.mark.parametrize("subgraphs", [False, True])
@pytest.mark.parametrize("name", GRAPHS)
def test_with_stream_mode_the_log_holds_langgraphs_own_parts(name: str, subgraphs: bool) -> None:
    async def follow() -> list[Any]:
        # With a checkpointer, as the worker runs it: without one there are no checkpoints to tell of.
        graph = GRAPHS[name].copy(update={"checkpointer": InMemorySaver()})
        config: Any = {"configurable": {"thread_id": "t"}}
        modes = {"stream_mode": RAW, "subgraphs": subgraphs, "durability": "sync"}
        return [part async for part in graph.astream(given(), config, **modes)]

    direct = [part if subgraphs else ((), *part) for part in asyncio.run(follow())]
    run = record(GRAPHS[name], given(), stream_mode=tuple(RAW), stream_subgraphs=subgraphs)
    assert {event.type for event in run.events} <= set(RAW)

    def told(mode: str, ns: Any, data: Any) -> str:
        """What does not differ from run to run: where, and for what a graph computes, what."""
        what = plain(jsonable(data)) if mode in ("values", "updates", "custom") else None
        return json.dumps([mode, [step.partition(":")[0] for step in ns], what], sort_keys=True)

    expected = sorted(told(mode, ns, data) for ns, mode, data in direct)
    assert sorted(told(event.type, event.data["ns"], event.data["data"]) for event in run.events) == expected
