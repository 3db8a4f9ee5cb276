"""Loads the graphs that a standard ``langgraph.json`` names, as the LangGraph CLI does.

``{"dependencies": ["."], "graphs": {"name": "./file.py:attribute" | "package.module:attribute"}, "env": ...}``

An attribute may be a compiled graph, a `StateGraph`, or a factory of either, sync or async, with or without a
config parameter. The graphs get the worker's checkpointer, whatever they had.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import json
import os
import sys
import zlib
from pathlib import Path
from types import ModuleType
from typing import Any

from langgraph.graph import StateGraph
from langgraph.pregel import Pregel


class GraphLoadError(Exception):
    """A graph cannot be loaded; the message says which, and why."""


class GraphLoader:
    """The graphs of one ``langgraph.json``; each module is imported when first asked for."""

    def __init__(self, config_path: str) -> None:
        path = Path(config_path).resolve()
        try:
            config = json.loads(path.read_text(encoding="utf-8"))
            self._specs = {str(name): _target(spec) for name, spec in config["graphs"].items()}
            folders = [(path.parent / dependency).resolve() for dependency in config.get("dependencies", ["."])]
            _load_env(config.get("env"), path.parent)
        except OSError as error:
            raise GraphLoadError(f"{config_path} cannot be read: {error.strerror}.") from error
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise GraphLoadError(f"{config_path} is not a langgraph.json with graphs: {error}.") from error
        self._root = path.parent
        self._sources: dict[str, Any] = {}
        for folder in folders:
            if folder.is_dir() and str(folder) not in sys.path:
                sys.path.append(str(folder))

    @property
    def names(self) -> list[str]:
        """The names of the graphs, in the file's order."""
        return list(self._specs)

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
        if name not in self._specs:
            raise GraphLoadError(f"There is no graph {name!r}.")
        where, _, attribute = self._specs[name].rpartition(":")
        try:
            module = self._module(where)
            return getattr(module, attribute)
        except (Exception, SystemExit) as error:  # importing a user's module may raise anything
            raise GraphLoadError(f"Graph {name!r} ({self._specs[name]}) cannot be imported.") from error

    def _module(self, where: str) -> ModuleType:
        if not where.endswith(".py"):
            return importlib.import_module(where)
        path = (self._root / where).resolve()
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


def _target(spec: Any) -> str:
    target = spec["path"] if isinstance(spec, dict) else spec
    if not isinstance(target, str) or not target.rpartition(":")[0]:
        raise ValueError(f"{target!r} is not of the form ./file.py:attribute")
    return target


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
