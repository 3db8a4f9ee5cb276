"""Projects and packages of a user's, written into folders of a test."""

from __future__ import annotations

import base64
import hashlib
import json
import tarfile
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

GRAPH = """
from typing import TypedDict
from langgraph.graph import END, START, StateGraph
{imports}

class State(TypedDict, total=False):
    text: str

builder = StateGraph(State)
builder.add_node("node", lambda state: {{"text": {text}}})
builder.add_edge(START, "node")
builder.add_edge("node", END)
"""
"""The file of a graph of one node, which imports `{imports}` and says `{text}`."""

PYPROJECT = "[project]\nname = 'mine'\nversion = '1'\nrequires-python = '>=3.11'\n"


def write_project(folder: Path, files: Mapping[str, str], **content: Any) -> Path:
    """A project whose ``langgraph.json`` names one graph, unless `content` says otherwise; returns that file."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    path = folder / "langgraph.json"
    path.write_text(json.dumps({"dependencies": ["."], "graphs": {"mine": "./agent.py:builder"}} | content))
    return path


def write_wheel(folder: Path, name: str, files: Mapping[str, str], *requires: str) -> Path:
    """A pure wheel of a package `name` 1.0 with these files."""
    record = f"{name}-1.0.dist-info"
    needs = "".join(f"Requires-Dist: {requirement}\n" for requirement in requires)
    everything = {
        **files,
        f"{record}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n{needs}",
        f"{record}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        lines = []
        for file, text in everything.items():
            archive.writestr(file, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).decode().rstrip("=")
            lines.append(f"{file},sha256={digest},{len(text)}")
        archive.writestr(f"{record}/RECORD", "\n".join([*lines, f"{record}/RECORD,,"]) + "\n")
    return path


def requirement(folder: Path, name: str, *requires: str) -> str:
    """The requirement of a package whose `words` say its name; its wheel is put into `folder`."""
    wheel = write_wheel(folder, name, {f"{name}.py": f"def words():\n    return {name!r}\n"}, *requires)
    return f"{name} @ {wheel.as_uri()}"


def write_sdist(folder: Path) -> Path:
    """The source distribution of the package in `folder`, without any wheel beside it."""
    name = f"{folder.name}-1"
    path = folder.parent / f"{name}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for file in folder.iterdir():
            archive.add(file, f"{name}/{file.name}")
    return path
