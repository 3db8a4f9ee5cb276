"""The graphs that are deployed: a standard ``langgraph.json``, its folder and its dependencies.

The built-in project is that of this repository. Any other is copied whole into the worker's bundle, under
``project/``, and its dependencies are installed next to the worker's own, which are locked and win.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

FOLDER: Final = "project"
BUILT_IN: Final = "examples/starter"
LEFT_OUT: Final = ("__pycache__", "node_modules", "venv", "build", "dist", "cdk.out", "*.egg-info")


class GraphProjectError(ValueError):
    """A langgraph.json that cannot be deployed; the message is one line."""


@dataclass(frozen=True, slots=True)
class GraphProject:
    """One langgraph.json.

    Attributes:
        path: the file.
        names: of its graphs; the first is the default.
        sources: arguments of ``uv pip install`` for its dependencies.
        env_file: the dotenv file it names, if any; the only hidden file that is bundled.
        built_in: whether it is that of this repository.
    """

    path: Path
    names: tuple[str, ...]
    sources: tuple[str, ...]
    env_file: str | None
    built_in: bool

    @property
    def deployed_path(self) -> str:
        """Where the file is in the bundle."""
        return f"{FOLDER}/{self.path.name}"

    def copy_into(self, bundle: Path) -> None:
        """Put the project's files into a bundle."""
        folder = self.path.parent

        def left_out(where: str, names: list[str]) -> set[str]:
            hidden = {name for name in names if name.startswith(".")}
            if self.env_file and Path(where) == folder:
                hidden.discard(self.env_file)
            return hidden | shutil.ignore_patterns(*LEFT_OUT)(where, names)

        shutil.copytree(folder, bundle / FOLDER, ignore=left_out)


def graph_project(root: Path, graphs: str) -> GraphProject:
    """Read the langgraph.json at `graphs`, relative to `root`.

    Raises:
        GraphProjectError: it cannot be read, or names what cannot be bundled.
    """
    path = (root / graphs).resolve()
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        names = tuple(str(name) for name in content["graphs"])
    except OSError as error:
        raise GraphProjectError(f"graphs: {graphs} cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError) as error:
        raise GraphProjectError(f"graphs: {graphs} is not a langgraph.json with graphs: {error}.") from None
    if not names or any("," in name for name in names):
        raise GraphProjectError(f"graphs: {graphs} names no graph, or one with a comma.")
    built_in = path.parent == (root / BUILT_IN).resolve()
    env = content.get("env")
    return GraphProject(
        path=path,
        names=names,
        sources=() if built_in else tuple(_sources(path.parent, content.get("dependencies", []))),
        env_file=Path(env).name if isinstance(env, str) else None,
        built_in=built_in,
    )


def _sources(folder: Path, dependencies: Any) -> list[str]:
    sources: list[str] = []
    for dependency in dependencies:
        if not str(dependency).startswith("."):
            sources.append(str(dependency))
            continue
        local = (folder / dependency).resolve()
        if not local.is_dir() or not local.is_relative_to(folder):
            raise GraphProjectError(f"graphs: the dependency {dependency!r} is not a folder inside {folder.name}/.")
        for manifest in ("requirements.txt", "pyproject.toml"):
            if (local / manifest).exists():
                sources += ["-r", str(local / manifest)]
                break
    return sources
