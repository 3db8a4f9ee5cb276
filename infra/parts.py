"""Which parts of the package a function needs: those that its entry imports, and what these import.

A part is a folder or a module directly under ``src/graphjobs``. Imports are read from the source wherever in a file
they stand, so an import within a function counts as well.
"""

from __future__ import annotations

import ast
import shutil
from functools import cache
from pathlib import Path
from typing import Final

PACKAGE: Final = "graphjobs"
JUNK: Final = shutil.ignore_patterns("__pycache__", "*.pyc")


def parts_of(entry: Path, package: Path) -> set[str]:
    """The names of the parts that the file `entry` reaches; `package` is the folder of the whole package.

    The package's own ``__init__`` is no part: it names the client, and loads it only when asked.
    """
    reached: set[str] = set()
    waiting = set(_named(entry))
    while waiting:
        part = waiting.pop()
        reached.add(part)
        folder = package / part
        files = folder.rglob("*.py") if folder.is_dir() else [folder.with_suffix(".py")]
        waiting |= {name for file in files for name in _named(file)} - reached
    return reached


def copy_parts(parts: set[str], package: Path, target: Path) -> None:
    """Copy `parts` of the package, and what is needed with any of them, to the folder `target`."""
    target.mkdir()
    shutil.copy2(package / "__init__.py", target)
    for part in sorted(parts):
        if (package / part).is_dir():
            shutil.copytree(package / part, target / part, ignore=JUNK)
        else:
            shutil.copy2(package / f"{part}.py", target)


def _named(file: Path) -> frozenset[str]:
    return _parts_named(file, file.stat().st_mtime_ns)


@cache
def _parts_named(file: Path, _written_at: int) -> frozenset[str]:
    """The parts that the imports of `file` name: read once, though most functions reach it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            prefix = node.module or ""
            names |= {f"{prefix}.{alias.name}" for alias in node.names} if prefix == PACKAGE else {prefix}
    return frozenset(parts[1] for parts in (name.split(".") for name in names) if parts[0] == PACKAGE and parts[1:])
