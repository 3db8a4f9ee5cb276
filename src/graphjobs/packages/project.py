"""What a ``langgraph.json`` says of packages, as the LangGraph CLI reads it.

A dependency that begins with a dot is a folder or a file beside the ``langgraph.json`` or elsewhere; any other is a
requirement. A folder with a manifest of its own is a package and is installed like one; one with a
``requirements.txt`` alone is a folder of modules that needs those. ``{"source": {"kind": "uv"}}`` names a project or a
member of a workspace of uv in place of dependencies.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from graphjobs.core.langgraph_json import LangGraphJson

PYPROJECT: Final = "pyproject.toml"
REQUIREMENTS: Final = "requirements.txt"
MANIFESTS: Final = (PYPROJECT, "setup.py", "setup.cfg", REQUIREMENTS)
FILES: Final = (".whl", ".tar.gz", ".zip")
DYNAMIC: Final = frozenset({"version", "dependencies", "optional-dependencies"})


class ProjectPackagesInvalid(ValueError):
    """The packages of a project cannot be found; the message is one line."""


@dataclass(frozen=True, slots=True)
class ProjectPackages:
    """Where a project's packages are named.

    Attributes:
        root: the folder of the ``langgraph.json``.
        packages: folders that are packages, absolute; the project's own is one of them, or none is.
        folders: folders of modules that are no packages.
        requirement_files: absolute paths.
        requirements: such as ``humanize>=4``.
    """

    root: Path
    packages: tuple[Path, ...] = ()
    folders: tuple[Path, ...] = ()
    requirement_files: tuple[Path, ...] = ()
    requirements: tuple[str, ...] = ()

    @property
    def lines(self) -> tuple[str, ...]:
        """All but the packages, as lines of a requirements file."""
        return (*(f"-r {path}" for path in self.requirement_files), *self.requirements)


def project_packages(file: LangGraphJson) -> ProjectPackages:
    """The packages of a ``langgraph.json``.

    Raises:
        ProjectPackagesInvalid: it names a folder or a file that is not there, or a source of another kind.
    """
    if file.source is not None:
        return ProjectPackages(file.root, packages=(_source(file),))
    packages: list[Path] = []
    folders: list[Path] = []
    requirement_files: list[Path] = []
    requirements: list[str] = []
    for dependency in file.dependencies:
        if not dependency.startswith("."):
            requirements.append(dependency)
            continue
        path = (file.root / dependency).resolve()
        if path.is_file() and path.name not in (PYPROJECT, "setup.py"):
            if path.name.endswith(FILES):
                requirements.append(str(path))
            else:
                requirement_files.append(path)
            continue
        folder = path.parent if path.is_file() else path
        if not folder.is_dir():
            raise ProjectPackagesInvalid(f"the dependency {dependency!r} is not there: no folder or file {path}")
        if is_package(folder):
            packages.append(folder)
        else:
            folders.append(folder)
        if (folder / REQUIREMENTS).is_file() and not names_dependencies(folder):
            requirement_files.append(folder / REQUIREMENTS)
    return ProjectPackages(
        file.root,
        packages=tuple(dict.fromkeys(packages)),
        folders=tuple(dict.fromkeys(folders)),
        requirement_files=tuple(dict.fromkeys(requirement_files)),
        requirements=tuple(dict.fromkeys(requirements)),
    )


def manifest(folder: Path) -> dict[str, Any]:
    """The ``pyproject.toml`` of `folder`, empty if there is none.

    Raises:
        ProjectPackagesInvalid: it is not TOML.
    """
    path = folder / PYPROJECT
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
    except ValueError as error:
        raise ProjectPackagesInvalid(f"{path} is not TOML: {error}") from None


def is_package(folder: Path) -> bool:
    """Whether `folder` can be installed: it names itself. A ``pyproject.toml`` that only configures tools does not."""
    content = manifest(folder)
    return (folder / "setup.py").is_file() or bool({"project", "build-system"} & content.keys()) or _poetry(content)


def names_dependencies(folder: Path) -> bool:
    """Whether the manifest of a package says what it needs, so that a ``requirements.txt`` beside it is a copy."""
    content = manifest(folder)
    project = content.get("project", {})
    named = "dependencies" in project or "dependencies" in project.get("dynamic", ())
    return named or _poetry(content) or ((folder / "setup.py").is_file() and "project" not in content)


def is_static(folder: Path) -> bool:
    """Whether what a package needs can be read from its manifest, without running its build backend."""
    project = manifest(folder).get("project", {})
    return {"name", "version"} <= project.keys() and not DYNAMIC & set(project.get("dynamic", ()))


def has_uv_sources(folder: Path) -> bool:
    """Whether the manifest says for uv where some requirements are: ``[tool.uv.sources]``."""
    return bool(manifest(folder).get("tool", {}).get("uv", {}).get("sources"))


def is_built(folder: Path) -> bool:
    """Whether a package says how it is built; pip builds others too, in a way that fits some of them."""
    return "build-system" in manifest(folder) or (folder / "setup.py").is_file()


def _poetry(content: dict[str, Any]) -> bool:
    return "poetry" in content.get("tool", {})


def _source(file: LangGraphJson) -> Path:
    source = file.source or {}
    if source.get("kind") != "uv":
        raise ProjectPackagesInvalid(f"source: the kind {source.get('kind')!r} is not known; uv is")
    root = (file.root / str(source.get("root", "."))).resolve()
    name = source.get("package")
    members = manifest(root).get("tool", {}).get("uv", {}).get("workspace", {}).get("members", [])
    folders = [root, *(path for pattern in members for path in sorted(root.glob(pattern)) if path.is_dir())]
    for folder in folders:
        if is_package(folder) and name in (None, manifest(folder).get("project", {}).get("name")):
            return folder
    what = f"the package {name!r}" if name else "a package"
    raise ProjectPackagesInvalid(f"source: {root} has no {PYPROJECT} of {what}")
