"""The one reader of ``langgraph.json``: what the file says, with nothing imported and nothing installed.

The worker, `graphjobs local` and the deployment all read it here, so that all of them see the same graphs in the same
order; the first is the default one. Needs the standard library alone.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

USED: Final = frozenset({"$schema", "dependencies", "env", "graphs", "python_version", "source", "store"})
"""Keys that some part of graphjobs reads."""

MAX_NAME: Final = 100
"""Characters of a graph's name, as in the body of ``POST /jobs``."""

JAVASCRIPT: Final = (".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs")


class LangGraphJsonInvalid(ValueError):
    """The file cannot be used; the message is one line that names it."""


@dataclass(frozen=True, slots=True)
class GraphTarget:
    """Where one graph is: ``./file.py:attribute`` or ``package.module:attribute``.

    Attributes:
        name: of the graph.
        where: the part before the last colon.
        attribute: the part after it.
    """

    name: str
    where: str
    attribute: str

    @property
    def is_file(self) -> bool:
        """Whether `where` is a file, relative to the ``langgraph.json``, and not a module."""
        return "/" in self.where or self.where.endswith((".py", *JAVASCRIPT))

    @property
    def is_javascript(self) -> bool:
        """Whether it is a graph of LangGraph.js, which a Python worker cannot run."""
        return self.where.endswith(JAVASCRIPT)

    def __str__(self) -> str:
        return f"{self.where}:{self.attribute}"


@dataclass(frozen=True, slots=True)
class LangGraphJson:
    """One ``langgraph.json``.

    Attributes:
        path: of the file, absolute.
        graphs: in the file's order, at least one.
        dependencies: as written: folders (``.``, ``./lib``) and requirements.
        env: the path of a dotenv file relative to the file, or variables, or None.
        store: the ``store`` member, ``{"ttl": {...}, "index": {...}}`` at most; None if there is none.
        python_version: such as ``3.12``; None if there is none.
        source: the ``source`` member, such as ``{"kind": "uv"}``; None if there is none.
        unused: keys that nothing here reads.
    """

    path: Path
    graphs: tuple[GraphTarget, ...]
    dependencies: tuple[str, ...]
    env: str | Mapping[str, str] | None
    store: Mapping[str, Any] | None
    python_version: str | None
    source: Mapping[str, Any] | None
    unused: tuple[str, ...]

    @property
    def root(self) -> Path:
        """The project's folder, to which everything in the file is relative."""
        return self.path.parent

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the graphs; the first is the default one."""
        return tuple(graph.name for graph in self.graphs)


def read(path: Path) -> LangGraphJson:
    """Read the ``langgraph.json`` at `path`.

    Raises:
        LangGraphJsonInvalid: there is no such file, or it is not one with graphs.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise LangGraphJsonInvalid(f"{path} cannot be read: {error.strerror}.") from None
    except ValueError as error:
        raise LangGraphJsonInvalid(f"{path} is not JSON: {error}.") from None
    try:
        return _parsed(path.resolve(), content)
    except ValueError as error:
        raise LangGraphJsonInvalid(f"{path} cannot be used: {error}.") from None


def _parsed(path: Path, content: Any) -> LangGraphJson:
    if not isinstance(content, dict):
        raise ValueError("it is not an object")
    graphs = content.get("graphs")
    if not isinstance(graphs, dict) or not graphs:
        raise ValueError("graphs must be an object that names at least one graph")
    dependencies = content.get("dependencies", ["."])
    if not isinstance(dependencies, list) or not all(isinstance(each, str) for each in dependencies):
        raise ValueError("dependencies must be a list of texts")
    version = content.get("python_version")
    return LangGraphJson(
        path=path,
        graphs=tuple(_target(name, value) for name, value in graphs.items()),
        dependencies=tuple(dependencies),
        env=_env(content.get("env")),
        store=_store(content),
        python_version=None if version is None else str(version),
        source=_object(content, "source"),
        unused=(*(key for key in content if key not in USED), *_unused_of_index(content)),
    )


def _target(name: str, value: Any) -> GraphTarget:
    if not name or "," in name or len(name) > MAX_NAME:
        raise ValueError(f"the name of a graph has 1 to {MAX_NAME} characters and no comma: {name!r} has not")
    target = value.get("path") if isinstance(value, dict) else value
    where, _, attribute = target.rpartition(":") if isinstance(target, str) else ("", "", "")
    if not where or not attribute:
        raise ValueError(f"graph {name!r} must be of the form ./file.py:attribute or package.module:attribute")
    return GraphTarget(name, where, attribute)


def _env(value: Any) -> str | Mapping[str, str] | None:
    if isinstance(value, dict):
        return {str(name): str(text) for name, text in value.items()}
    if value is None or isinstance(value, str):
        return value or None
    raise ValueError("env must be a path or an object")


def _store(content: dict[str, Any]) -> Mapping[str, Any] | None:
    store = _object(content, "store")
    if store is None:
        return None
    unsupported = sorted(set(store) - {"ttl", "index"})
    if unsupported:
        raise ValueError(f"store.{unsupported[0]} is not supported: of the store only ttl and index can be set")
    index = _object(store, "index")
    if index is not None:
        _check_index(index)
    return store


def _check_index(index: Mapping[str, Any]) -> None:
    if not isinstance(index.get("embed"), str) or not index["embed"]:
        raise ValueError("store.index needs embed: ./file.py:function or provider:model")
    if type(index.get("dims")) is not int or index["dims"] < 1:
        raise ValueError("store.index needs dims, the number of dimensions that embed gives")
    fields = index.get("fields") or []
    if not isinstance(fields, list) or not all(isinstance(field, str) for field in fields):
        raise ValueError("fields of store.index must be a list of texts")


def _unused_of_index(content: Mapping[str, Any]) -> list[str]:
    index = (content.get("store") or {}).get("index") or {}
    return [f"store.index.{key}" for key in index if key not in ("dims", "embed", "fields")]


def _object(content: Mapping[str, Any], key: str) -> Mapping[str, Any] | None:
    value = content.get(key)
    if value is not None and not isinstance(value, dict):
        raise ValueError(f"{key} must be an object")
    return value
