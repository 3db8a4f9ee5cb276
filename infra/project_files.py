"""A project's files in the worker's bundle: its folders as they lie beside each other, and what stays behind.

A package of the project is not copied a second time where its modules can be imported from the project's own folders as
they are: then that folder is named in the bundle's ``langgraph.json``, as an editable install would name it, and data
files beside the modules are found.
"""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

ANYWHERE: Final = ("__pycache__", "node_modules", "*.egg-info")
AT_THE_TOP: Final = ("build", "dist", "venv", "cdk.out")
"""Made by tools when they lie at the top of a project, and somebody's code when they lie deeper."""

VIRTUAL_ENVIRONMENT: Final = "pyvenv.cfg"


def base_of(folders: Iterable[Path]) -> Path:
    """The deepest folder that has all of `folders` in it."""
    return Path(os.path.commonpath([str(folder) for folder in folders]))


def copy_folders(folders: Sequence[Path], base: Path, target: Path, keep: Path | None) -> list[str]:
    """Copy each of `folders` to its place below `target`; `keep` is a hidden file that comes along.

    Returns:
        What was left out, as paths relative to `base`.
    """
    left_out: list[str] = []

    def ignored(where: str, names: list[str]) -> set[str]:
        folder = Path(where)
        patterns = ANYWHERE + (AT_THE_TOP if folder in folders else ())
        found = set(shutil.ignore_patterns(*patterns)(where, names))
        found |= {name for name in names if name.startswith(".") and folder / name != keep}
        found |= {name for name in names if (folder / name / VIRTUAL_ENVIRONMENT).is_file()}
        left_out.extend(str((folder / name).relative_to(base)) for name in found if name != "__pycache__")
        return found

    outermost = [folder for folder in folders if not any(other in folder.parents for other in folders)]
    for folder in sorted(set(outermost)):
        shutil.copytree(folder, target / folder.relative_to(base), ignore=ignored, dirs_exist_ok=True)
    return sorted(left_out)


def write_langgraph_json(path: Path, target: Path, folders: Iterable[Path], *, env: bool) -> None:
    """Write the bundle's ``langgraph.json``: that at `path`, whose dependencies are now these folders beside it.

    Args:
        path: the project's file.
        target: where to write it.
        folders: those that modules are imported from.
        env: whether the dotenv file that it names is in the bundle.
    """
    content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    content["dependencies"] = [f"./{os.path.relpath(folder, path.parent)}" for folder in folders]
    content.pop("source", None)
    if isinstance(content.get("env"), str) and not env:
        del content["env"]
    target.write_text(json.dumps(content, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")


def import_roots(package: Path, wheel: Path) -> list[Path] | None:
    """The folders in `package` that the modules of its wheel are imported from; None if the build has made some.

    A folder without modules, as of a project that is only a list of requirements, has no roots.
    """
    with zipfile.ZipFile(wheel) as archive:
        modules = {
            name: archive.read(name)
            for name in archive.namelist()
            if name.endswith(".py") and not name.partition("/")[0].endswith((".dist-info", ".data"))
        }
        compiled = any(name.endswith((".so", ".pyd")) for name in archive.namelist())
    roots: dict[Path, None] = {}
    for name, content in modules.items():
        known = next((root for root in roots if _is(root / name, content)), None)
        root = known or next((root for root in _candidates(package, name) if _is(root / name, content)), None)
        if root is None:
            return None
        roots[root] = None
    return None if compiled else list(roots)


def _candidates(package: Path, name: str) -> Iterable[Path]:
    yield package
    yield package / "src"
    depth = name.count("/") + 1
    for path in sorted(package.rglob(Path(name).name)):
        if path.parts[-depth:] == Path(name).parts:
            yield path.parents[depth - 1]


def _is(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content
