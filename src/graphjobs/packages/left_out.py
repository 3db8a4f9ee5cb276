"""Packages that a project may name and graphjobs takes the place of: LangGraph's command line and server, and itself.

In their place the resolver is given empty packages of the same names, which need nothing. So it shows whether anything
asks for them, and what they would have brought along stays out as well. (A package of our own name is never fetched
from an index: graphjobs is there already.)
"""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Final

NAMES: Final = (
    "graphjobs",
    "langgraph-api",
    "langgraph-cli",
    "langgraph-runtime",
    "langgraph-runtime-inmem",
    "langgraph-runtime-postgres",
)


def overrides(folder: Path) -> str:
    """Lines of a file of overrides for uv; the empty packages are put into `folder`."""
    return "".join(f"{name} @ {_empty(folder, name).as_uri()}\n" for name in NAMES)


def _empty(folder: Path, name: str) -> Path:
    module = name.replace("-", "_")
    record = f"{module}-0.dist-info"
    path = folder / f"{module}-0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        wheel.writestr(f"{record}/METADATA", f"Metadata-Version: 2.1\nName: {name}\nVersion: 0\n")
        wheel.writestr(f"{record}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{record}/RECORD", "")
    return path
