"""The graphs that are deployed: a standard ``langgraph.json``, its folders and its packages.

The example that is deployed by default is a project like any other.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from graphjobs.core import langgraph_json
from graphjobs.core.langgraph_json import LangGraphJson, LangGraphJsonInvalid
from graphjobs.packages.project import (
    ProjectPackages,
    ProjectPackagesInvalid,
    is_package,
    manifest,
    project_packages,
)
from infra.project_files import base_of, copy_folders, write_langgraph_json

FOLDER: Final = "project"
DEFAULT: Final = "examples/starter/langgraph.json"


class GraphProjectError(ValueError):
    """A langgraph.json that cannot be deployed; the message is one line."""


@dataclass(frozen=True, slots=True)
class GraphProject:
    """One langgraph.json.

    Attributes:
        file: what it says.
        packages: where its packages are named.
        services: the AWS services whose API models its code needs; None: it does not say, so all are kept.
        deploy_env_file: whether the dotenv file that it names is deployed.
        further: folders that its packages need, known once those are resolved.
    """

    file: LangGraphJson
    packages: ProjectPackages
    services: tuple[str, ...] | None = None
    deploy_env_file: bool = False
    further: tuple[Path, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names of its graphs; the first is the default."""
        return self.file.names

    @property
    def folders(self) -> tuple[Path, ...]:
        """Everything that is copied: the file's own folder, those of its dependencies, and those of its graphs."""
        root = self.file.root
        graphs = ((root / graph.where).resolve().parent for graph in self.file.graphs if graph.is_file)
        outside = (folder for folder in graphs if root not in (folder, *folder.parents))
        return tuple(dict.fromkeys((root, *self.packages.packages, *self.packages.folders, *self.further, *outside)))

    @property
    def env_file(self) -> Path | None:
        """The dotenv file that it names, if that is there."""
        path = (self.file.root / self.file.env).resolve() if isinstance(self.file.env, str) else None
        return path if path and path.is_file() else None

    @property
    def deployed_path(self) -> str:
        """Where the file is in the bundle: all folders lie there as they lie beside each other."""
        return str(Path(FOLDER) / self.file.path.relative_to(base_of(self.folders)))

    def with_folders(self, folders: Iterable[Path]) -> GraphProject:
        """The same project, with further folders that its packages need."""
        return replace(self, further=tuple(folders))

    def copy_into(self, bundle: Path, import_roots: Iterable[Path] = ()) -> list[str]:
        """Put the project's files into a bundle; modules are imported from its folders and from `import_roots`.

        Returns:
            What was left out, as relative paths.
        """
        base = base_of(self.folders)
        kept = self.env_file if self.deploy_env_file else None
        left_out = copy_folders(self.folders, base, bundle / FOLDER, kept)
        named = (*self.packages.packages, *self.packages.folders, *import_roots)
        target = bundle / self.deployed_path
        write_langgraph_json(self.file.path, target, dict.fromkeys(named or (self.file.root,)), env=kept is not None)
        return left_out


def graph_project(root: Path, graphs: str, *, deploy_env_file: bool = False) -> GraphProject:
    """Read the langgraph.json at `graphs`, relative to `root`.

    Raises:
        GraphProjectError: it cannot be read, or names what cannot be bundled.
    """
    try:
        file = langgraph_json.read(Path(os.path.normpath(root / graphs)))
        packages = project_packages(file)
        services = _services(file.root)
    except (LangGraphJsonInvalid, ProjectPackagesInvalid) as error:
        raise GraphProjectError(f"graphs: {error}") from None
    return GraphProject(file, packages, services, deploy_env_file)


def _services(folder: Path) -> tuple[str, ...] | None:
    """``aws_services`` of ``[tool.graphjobs]`` in the project's manifest."""
    services = manifest(folder).get("tool", {}).get("graphjobs", {}).get("aws_services") if is_package(folder) else None
    if services is None:
        return None
    if not isinstance(services, list) or not all(isinstance(name, str) for name in services):
        raise ProjectPackagesInvalid(f"aws_services of [tool.graphjobs] in {folder} must be a list of texts")
    return tuple(services)
