"""One graph of a project run twice, by a direct `astream` and by the worker, in a process of its own.

    python -m tests.unit.examples.parity '["examples/memory/langgraph.json", "agent", {"messages": [...]}]'

Prints what each tells, see `tests.support.worker.told`: a JSON list of two objects on the last line.
"""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from aws_lambda_powertools import Logger
from langgraph.store.memory import InMemoryStore

from graphjobs.worker.factory import FactoryCall
from graphjobs.worker.graph_loader import GraphLoader
from graphjobs.worker.user import User
from tests.support.worker.recorded import record_loaded
from tests.support.worker.told import MODES, expected, in_any_order, recorded

OWNER = "user-1"


class Named:
    """A loader that gives the graph `name`, whatever the job says."""

    def __init__(self, loader: GraphLoader, name: str) -> None:
        self._loader = loader
        self._name = name

    @asynccontextmanager
    async def open(self, name: str, checkpointer: Any, call: Any, logger: Any) -> AsyncIterator[Any]:
        """See `GraphLoader.open`."""
        async with self._loader.open(self._name, checkpointer, call, logger) as graph:
            yield graph


async def direct(loader: GraphLoader, name: str, given: Any) -> list[Any]:
    """The parts of a run without the worker, with a store that is empty."""
    config: Any = {"configurable": {"thread_id": "direct", "user_id": OWNER}}
    call = FactoryCall(config=config, context={}, user=User(OWNER), store=InMemoryStore())
    async with loader.open(name, None, call, Logger(service="direct", level="CRITICAL")) as graph:
        stream: Any = graph.astream(given, config, stream_mode=MODES, subgraphs=True, version="v2")
        return [part async for part in stream]


def main(config: str, name: str, given: Any) -> None:
    """Run it both ways."""
    loader = GraphLoader(config)
    loader.source(name)  # here no event loop runs yet, as at the start of a worker
    parts = asyncio.run(direct(loader, name, given))
    run = record_loaded(Named(loader, name), given, store=InMemoryStore())
    print(json.dumps([in_any_order(expected(parts)), in_any_order(recorded(run))]))


if __name__ == "__main__":
    main(*json.loads(sys.argv[1]))
