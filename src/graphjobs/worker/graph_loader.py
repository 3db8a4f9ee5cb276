"""The graphs that a standard ``langgraph.json`` names, each opened for one run.

The file is read by `graphjobs.core.langgraph_json`, modules are imported by `user_module`, factories called by
`factory`. Whatever checkpointer and store a graph was compiled with, it gets the worker's.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from langgraph.graph import StateGraph
from langgraph.pregel import Pregel

from graphjobs.core import langgraph_json
from graphjobs.core.langgraph_json import GraphTarget, LangGraphJsonInvalid
from graphjobs.worker.factory import FactoryCall, OpenSource
from graphjobs.worker.load_error import GraphLoadError, factory_failed, javascript, no_attribute, not_importable
from graphjobs.worker.user_module import import_target, make_importable

if TYPE_CHECKING:
    from aws_lambda_powertools import Logger


@dataclass(frozen=True, slots=True)
class GraphReport:
    """Whether one graph can be had: `reason` is empty if it can, else one line; `cause` is the exception's class."""

    name: str
    reason: str = ""
    cause: str = ""


class GraphLoader:
    """The graphs of one ``langgraph.json``; each module is imported when first asked for."""

    def __init__(self, config_path: str) -> None:
        try:
            file = langgraph_json.read(Path(config_path))
        except LangGraphJsonInvalid as error:
            raise GraphLoadError(str(error)) from error
        self._targets = {target.name: target for target in file.graphs}
        self._root = file.root
        self._sources: dict[str, Any] = {}  # by a thread that the loop's one awaits, and before the first job by main
        make_importable([self._root, *((self._root / each).resolve() for each in file.dependencies)])

    @property
    def names(self) -> list[str]:
        """The names of the graphs, in the file's order."""
        return list(self._targets)

    def source(self, name: str) -> Any:
        """What the file names for the graph `name`: a graph, or a factory of one. Imports it, in this thread.

        There must be no event loop running in it: a module may well run one of its own.

        Raises:
            GraphLoadError: there is no such graph, or it cannot be imported.
        """
        if name not in self._sources:
            self._sources[name] = self._imported(self._target(name))
        return self._sources[name]

    def check(self, *, seconds: float = math.inf) -> list[GraphReport]:
        """Import the graphs, and say of each whether that went well; factories are not called.

        Once `seconds` have passed no further one is begun with.
        """
        reports: list[GraphReport] = []
        until = time.monotonic() + seconds
        for name in self._targets:
            if time.monotonic() >= until:
                break
            try:
                self.source(name)
            except GraphLoadError as error:
                reports.append(GraphReport(name, str(error), error.cause_type))
            else:
                reports.append(GraphReport(name))
        return reports

    @asynccontextmanager
    async def open(
        self, name: str, checkpointer: Any, call: FactoryCall, logger: Logger
    ) -> AsyncIterator[Pregel[Any, Any, Any, Any]]:
        """The graph `name` for one run, with `checkpointer` and the store of `call`; its factory's resources are held.

        Raises:
            GraphLoadError: there is no such graph, or its module or factory fails.
        """
        source = await asyncio.to_thread(self.source, name)
        opened = OpenSource(source, call, logger)
        try:
            made = await opened.enter()
        except (Exception, SystemExit) as error:  # a user's factory may raise anything
            raise factory_failed(self._target(name), error, self._root) from error
        try:
            yield _compiled(name, made, checkpointer, call.store)
        except BaseException as error:
            await opened.leave(error)
            raise
        await opened.leave(None)

    def _target(self, name: str) -> GraphTarget:
        if name not in self._targets:
            raise GraphLoadError(f"There is no graph {name!r}.")
        return self._targets[name]

    def _imported(self, target: GraphTarget) -> Any:
        if target.is_javascript:
            raise javascript(target)
        try:
            module = import_target(target, self._root)
        except (Exception, SystemExit) as error:  # importing a user's module may raise anything
            raise not_importable(target, error, self._root) from error
        try:
            return getattr(module, target.attribute)
        except AttributeError as error:
            public = [name for name in vars(module) if not name.startswith("_")]
            graphs = [name for name in public if isinstance(vars(module)[name], Pregel | StateGraph)]
            raise no_attribute(target, public, graphs) from error


def _compiled(name: str, source: Any, checkpointer: Any, store: Any) -> Pregel[Any, Any, Any, Any]:
    graph: Pregel[Any, Any, Any, Any]
    if isinstance(source, StateGraph):
        graph = source.compile(checkpointer=checkpointer, store=store)
    elif isinstance(source, Pregel):
        graph = source.copy(update={"checkpointer": checkpointer, "store": store})
    else:
        raise GraphLoadError(f"Graph {name!r} is a {type(source).__name__}, not a graph or a factory of one.")
    return graph
