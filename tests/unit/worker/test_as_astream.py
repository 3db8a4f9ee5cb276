"""The log tells all that a direct `astream` of the same graph tells, message by message; and in the same numbers."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langgraph.checkpoint.memory import InMemorySaver

from graphjobs.worker.graph_loader import GraphLoader
from graphjobs.worker.jsonable import jsonable
from tests.support.worker.recorded import record
from tests.support.worker.stream_graphs import GRAPHS
from tests.support.worker.told import MODES, expected, in_any_order, plain, recorded

EXAMPLES = sorted((Path(__file__).parents[3] / "examples").glob("starter/langgraph.json"))


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


@pytest.mark.parametrize("name", [*GRAPHS, *examples()])
def test_the_log_tells_what_astream_tells(name: str) -> None:
    graph = GRAPHS.get(name) or examples()[name]
    run = record(graph, given())
    assert in_any_order(recorded(run)) == in_any_order(expected(parts_of(graph)))


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
