"""Loads the graphs that a standard ``langgraph.json`` names, as the LangGraph CLI does.

``{"dependencies": ["."], "graphs": {"name": "./file.py:attribute" | "package.module:attribute"}, "env": ...}``

An attribute may be a compiled graph, a `StateGraph`, or a factory of either, sync or async, with or without a
config parameter. The graphs get the worker's checkpointer, whatever they had.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import os
import sys
import zlib
from pathlib import Path
from types import ModuleType
from typing import Any

from langgraph.graph import StateGraph
from langgraph.pregel import Pregel

from graphjobs.core import langgraph_json
from graphjobs.core.langgraph_json import GraphTarget, LangGraphJsonInvalid


class GraphLoadError(Exception):
    """A graph cannot be loaded; the message says which, and why."""


class GraphLoader:
    """The graphs of one ``langgraph.json``; each module is imported when first asked for."""

    def __init__(self, config_path: str) -> None:
        try:
            file = langgraph_json.read(Path(config_path))
        except LangGraphJsonInvalid as error:
            raise GraphLoadError(str(error)) from error
        self._targets = {target.name: target for target in file.graphs}
        self._root = file.root
        folders = [(self._root / dependency).resolve() for dependency in file.dependencies]
        _load_env(file.env, self._root)
        self._sources: dict[str, Any] = {}
        for folder in folders:
            if folder.is_dir() and str(folder) not in sys.path:
                sys.path.append(str(folder))

    @property
    def names(self) -> list[str]:
        """The names of the graphs, in the file's order."""
        return list(self._targets)

    async def load(self, name: str, checkpointer: Any) -> Pregel[Any, Any, Any, Any]:
        """The graph `name`, compiled with `checkpointer`.

        Raises:
            GraphLoadError: there is no such graph, or its module or factory fails.
        """
        if name not in self._sources:
            self._sources[name] = self._attribute(name)
        source = self._sources[name]
        if not isinstance(source, Pregel | StateGraph):
            source = await _made(name, source)
        graph: Pregel[Any, Any, Any, Any]
        if isinstance(source, StateGraph):
            graph = source.compile(checkpointer=checkpointer)
        elif isinstance(source, Pregel):
            graph = source.copy(update={"checkpointer": checkpointer})
        else:
            raise GraphLoadError(f"Graph {name!r} is a {type(source).__name__}, not a LangGraph graph.")
        # It makes the state's own class of each checkpoint that is streamed, a subgraph's too, and fails the run where
        # that cannot be: while a member without a default is not written yet, or for another state than its own.
        graph._state_mapper = None
        return graph

    def _attribute(self, name: str) -> Any:
        target = self._targets.get(name)
        if target is None:
            raise GraphLoadError(f"There is no graph {name!r}.")
        try:
            return getattr(self._module(target), target.attribute)
        except (Exception, SystemExit) as error:  # importing a user's module may raise anything
            raise GraphLoadError(f"Graph {name!r} ({target}) cannot be imported.") from error

    def _module(self, target: GraphTarget) -> ModuleType:
        if not target.is_file:
            return importlib.import_module(target.where)
        path = (self._root / target.where).resolve()
        dotted = _dotted_name(path)
        if dotted is not None:
            return importlib.import_module(dotted)
        # Checkpoints name classes by their module: one name a file, the same on every machine.
        where = os.path.relpath(path, self._root)
        name = f"graphjobs_user_{path.stem}_{zlib.crc32(where.encode()):08x}"
        known = sys.modules.get(name)
        if known is not None and known.__file__ == str(path):
            return known
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None or spec.loader is None:
            raise ImportError(f"{path} is not a Python file")
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module
        try:
            spec.loader.exec_module(module)
        except BaseException:
            del sys.modules[name]
            raise
        return module


def _dotted_name(path: Path) -> str | None:
    """The name under which a package's module is importable, so that its relative imports work."""
    parts = [path.stem]
    folder = path.parent
    while (folder / "__init__.py").exists():
        parts.insert(0, folder.name)
        folder = folder.parent
    if len(parts) == 1:
        return None
    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    return ".".join(parts)


async def _made(name: str, factory: Any) -> Any:
    if not callable(factory):
        raise GraphLoadError(f"Graph {name!r} is a {type(factory).__name__}, not a graph or a factory of one.")
    try:
        wants_config = len(inspect.signature(factory).parameters) > 0
        made = factory({"configurable": {}}) if wants_config else factory()
        return await made if inspect.isawaitable(made) else made
    except (Exception, SystemExit) as error:  # a user's factory may raise anything
        raise GraphLoadError(f"The factory of graph {name!r} failed.") from error


def _load_env(env: Any, root: Path) -> None:
    """Set the variables that the file gives, a mapping or the path of a dotenv file; those set already win."""
    if isinstance(env, str):
        path = root / env
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        pairs = (line.removeprefix("export ").split("=", 1) for line in lines if _is_assignment(line))
        env = {name.strip(): value.strip().strip("\"'") for name, value in pairs}
    for name, value in (env or {}).items():
        os.environ.setdefault(name, str(value))


def _is_assignment(line: str) -> bool:
    return "=" in line and not line.lstrip().startswith("#")
