"""Imports the modules of a user's project, each as the very file that ``langgraph.json`` names.

A file inside a package is imported by its dotted name, so that its relative imports work and no module exists twice;
any other is loaded by its path. A package of the same name that comes first on the path is never taken for it.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import zlib
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType

from graphjobs.core.langgraph_json import GraphTarget


def make_importable(folders: Iterable[Path]) -> None:
    """Append `folders` to the import path: installed packages come first, as in LangGraph's own server."""
    for folder in folders:
        if folder.is_dir() and str(folder) not in sys.path:
            sys.path.append(str(folder))


def import_target(target: GraphTarget, root: Path) -> ModuleType:
    """The module of `target`; a relative file is sought from `root`.

    Raises:
        ImportError: it is not there, or another module than the file has its name.
        Exception, SystemExit: whatever the module's code raises.
    """
    if not target.is_file:
        return importlib.import_module(target.where)
    path = (root / target.where).resolve()
    if path.suffix != ".py" and path.with_suffix(".py").is_file():
        path = path.with_suffix(".py")
    if not path.is_file():
        raise ImportError(f"there is no file {path}")
    folder, dotted = _package_of(path)
    if dotted is None:
        return _by_path(path, root)
    make_importable([folder])
    other = _shadows(dotted, path)
    if other is None:
        return _checked(importlib.import_module(dotted), path)
    try:
        return _by_path(path, root)
    except ImportError as error:
        error.msg = f"{error.msg}; the package {dotted.partition('.')[0]!r} of {path} is hidden by {other}"
        error.args = (error.msg,)
        raise


def _package_of(path: Path) -> tuple[Path, str | None]:
    """The folder above the outermost package of a file, and the dotted name of the file; None outside of packages."""
    parts = [] if path.name == "__init__.py" else [path.stem]
    folder = path.parent
    while (folder / "__init__.py").exists():
        parts.insert(0, folder.name)
        folder = folder.parent
    in_package = folder != path.parent and all(part.isidentifier() for part in parts)
    return folder, ".".join(parts) if in_package else None


def _shadows(dotted: str, path: Path) -> str | None:
    """Where the top-level package of `dotted` is, if its import would not lead to the file at `path`."""
    top, *rest = dotted.split(".")
    try:
        spec = importlib.util.find_spec(top)
    except ValueError:  # a module without a spec, such as __main__
        return top
    if spec is None:
        return None
    below = Path(*rest).with_suffix(".py") if rest and path.name != "__init__.py" else Path(*rest, "__init__.py")
    places = [Path(place) / below for place in spec.submodule_search_locations or ()]
    # Equal bytes are the same project, installed: as in a bundle, which has it as a package and as a folder.
    if any(place.is_file() and _same(place, path) for place in places):
        return None
    return spec.origin or next(iter(spec.submodule_search_locations or ()), top)


def _same(one: Path, other: Path) -> bool:
    return one.samefile(other) or one.read_bytes() == other.read_bytes()


def _checked(module: ModuleType, path: Path) -> ModuleType:
    found = Path(module.__file__ or "")
    if not found.is_file() or not _same(found, path):
        raise ImportError(f"the module {module.__name__!r} is {found}, not {path}")
    return module


def _by_path(path: Path, root: Path) -> ModuleType:
    # Checkpoints name classes by their module: one name per file, the same on every machine.
    where = os.path.relpath(path, root)
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
