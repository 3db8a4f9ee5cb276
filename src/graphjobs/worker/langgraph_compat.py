"""All of LangGraph that graphjobs uses and LangGraph does not document. The test of each: `test_langgraph_compat.py`.

======================================  ================================================================================
name                                    what for
======================================  ================================================================================
``CONFIG_KEY_STREAM``, StreamProtocol   where a graph and its subgraphs put the parts of their stream, as they make them
``CONFIG_KEY_RUNTIME``                  the runtime whose ``stream_writer`` nodes are given
``CONFIG_KEY_CHECKPOINT_NS``, NS_SEP    which task a node's code runs in
``StreamMessagesHandler``               which models and nodes speak, and with which metadata
``graph_namespace``                     of which graph a task is
``RunControl.drain_requested``          asked by the graph and by its subgraphs; here by the graph alone
``INTERRUPT``, ``__metadata__``         members of an ``updates`` part that are no node
======================================  ================================================================================

LangGraph's own stream is a queue that its reader empties later, of references to objects that a graph may have changed
by then. A graph whose configuration names a stream, as a subgraph's does, puts each part there at once, on the thread
that has made it: that is how an event holds what was written when it was written.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

from langgraph._internal._constants import (
    CONF,
    CONFIG_KEY_CHECKPOINT_NS,
    CONFIG_KEY_RUNTIME,
    CONFIG_KEY_STREAM,
    INTERRUPT,
    NS_SEP,
)
from langgraph.config import get_config
from langgraph.pregel._messages import StreamMessagesHandler, graph_namespace
from langgraph.pregel.protocol import StreamProtocol
from langgraph.runtime import RunControl, Runtime
from langgraph.store.base import BaseStore

__all__ = [
    "ABOUT",
    "INTERRUPT",
    "Namespace",
    "OwnSteps",
    "Part",
    "StreamMessagesHandler",
    "graph_namespace",
    "graph_of_this_task",
    "namespace_of",
    "namespace_of_this_task",
    "streaming_into",
]

Namespace = tuple[str, ...]
"""Where in the graph: ``name:task id`` for each task on the way, a number after it for each further subgraph of it."""

Part = tuple[Namespace, str, Any]
"""Namespace of the graph, stream mode, payload."""

ABOUT: Final = "__metadata__"
"""Beside the node whose output came from the graph's cache, and no node."""


def streaming_into(
    put: Callable[[Part], None], modes: frozenset[str], write: Callable[[Any], None], store: BaseStore | None
) -> dict[str, Any]:
    """Members of ``configurable`` that make a graph stream into `put`, and its nodes' stream writer be `write`."""
    made: set[Any] = set(modes)
    return {
        CONFIG_KEY_STREAM: StreamProtocol(put, made),
        # Where a runtime is given, LangGraph takes the store from it and no longer from the graph.
        CONFIG_KEY_RUNTIME: Runtime(store=store, stream_writer=write),
    }


@lru_cache(maxsize=4096)
def _split(text: str) -> Namespace:
    return tuple(text.split(NS_SEP))


def namespace_of(metadata: Any) -> Namespace:
    """The namespace of the task that a callback's metadata is of; empty outside of any task."""
    text = (metadata or {}).get("langgraph_checkpoint_ns")
    return _split(text) if text else ()


def namespace_of_this_task() -> Namespace:
    """The namespace of the task whose node is running here.

    Raises:
        RuntimeError: nothing of a graph runs here.
    """
    configurable: dict[str, Any] = get_config()[CONF]
    return _split(configurable[CONFIG_KEY_CHECKPOINT_NS])


def graph_of_this_task() -> Namespace:
    """The namespace of the graph whose node is running here; empty in the graph that was asked for.

    Raises:
        RuntimeError: nothing of a graph runs here.
    """
    return graph_namespace(get_config()["metadata"])


class OwnSteps(RunControl):
    """A control that only the graph itself heeds, not its subgraphs, which inherit it.

    A subgraph that stopped between two of its steps would abandon the step of the graph that it is in: its work is
    lost, the branches beside it are cut off, and the next worker begins it again, perhaps for ever.
    """

    __slots__ = ("task",)

    def __init__(self) -> None:
        super().__init__()
        self.task: asyncio.Task[Any] | None = None
        """The task that runs the graph."""

    @property
    def drain_requested(self) -> bool:
        """Whether the graph is asked to stop; the task that runs it alone is told."""
        return super().drain_requested and self.task is not None and _this_task() is self.task


def _this_task() -> asyncio.Task[Any] | None:
    try:
        return asyncio.current_task()
    except RuntimeError:  # a thread without a loop: a synchronous subgraph
        return None
