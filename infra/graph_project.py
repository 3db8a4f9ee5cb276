"""The graphs that are deployed: a standard ``langgraph.json``, its folder and its dependencies.

The built-in project is that of this repository. Any other is copied whole into the worker's bundle, under
``project/``, and its dependencies are installed next to the worker's own, which are locked and win.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from graphjobs.core import langgraph_json
from graphjobs.core.langgraph_json import LangGraphJsonInvalid

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
    try:
        file = langgraph_json.read(root / graphs)
    except LangGraphJsonInvalid as error:
        raise GraphProjectError(f"graphs: {error}") from None
    built_in = file.root == (root / BUILT_IN).resolve()
    return GraphProject(
        path=file.path,
        names=file.names,
        sources=() if built_in else tuple(_sources(file.root, file.dependencies)),
        env_file=Path(file.env).name if isinstance(file.env, str) else None,
        built_in=built_in,
    )


def _sources(folder: Path, dependencies: Sequence[str]) -> list[str]:
    sources: list[str] = []
    for dependency in dependencies:
        if not dependency.startswith("."):
            sources.append(dependency)
            continue
        local = (folder / dependency).resolve()
        if not local.is_dir() or not local.is_relative_to(folder):
            raise GraphProjectError(f"graphs: the dependency {dependency!r} is not a folder inside {folder.name}/.")
        for manifest in ("requirements.txt", "pyproject.toml"):
            if (local / manifest).exists():
                sources += ["-r", str(local / manifest)]
                break
    return sources
