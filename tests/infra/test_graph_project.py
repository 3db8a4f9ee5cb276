"""A LangGraph project of the user's own: what of it is deployed, and what is refused."""

from __future__ import annotations

import base64
import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from infra.bundling import Bundler
from infra.graph_project import GraphProjectError, graph_project
from infra.uv import Platform, UvError
from tests.infra.test_bundles import alone

GRAPH = """
from typing import TypedDict
from langgraph.graph import END, START, StateGraph
from greeting import words as greeting
from parting import words as parting

class State(TypedDict, total=False):
    text: str

def node(state):
    return {"text": f"{greeting()}, {parting()}"}

builder = StateGraph(State)
builder.add_node("node", node)
builder.add_edge(START, "node")
builder.add_edge("node", END)
"""

LOAD = """
import asyncio
from graphjobs.worker.graph_loader import GraphLoader
graph = asyncio.run(GraphLoader('project/langgraph.json').load('mine', None))
print(asyncio.run(graph.ainvoke({}))['text'])
"""


def wheel(folder: Path, name: str) -> str:
    """A package as a wheel whose `words` are its name, and the requirement that names it."""
    record = f"{name}-1.0.dist-info"
    files = {
        f"{name}.py": f"def words():\n    return {name!r}\n",
        f"{record}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n",
        f"{record}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    digests = {file: base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()) for file, text in files.items()}
    lines = [f"{file},sha256={digests[file].decode().rstrip('=')},{len(text)}" for file, text in files.items()]
    path = folder / f"{name}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for file, text in files.items():
            archive.writestr(file, text)
        archive.writestr(f"{record}/RECORD", "\n".join([*lines, f"{record}/RECORD,,"]) + "\n")
    return f"{name} @ {path.as_uri()}"


def project(folder: Path, **content: Any) -> Path:
    folder.mkdir(exist_ok=True)
    path = folder / "langgraph.json"
    path.write_text(json.dumps({"dependencies": ["."], "graphs": {"mine": "./agent.py:builder"}} | content))
    return path


def bundled(path: Path, build: Path) -> Path:
    made = graph_project(path.parent, path.name)
    # Read as a project elsewhere, as it is when the deployment's root is this repository.
    made = graph_project(build, str(path)) if made.built_in else made
    return Bundler(Platform.of_host(), made, build=build).bundle("worker").folder


@pytest.mark.bundles
@pytest.mark.timeout(300)
def test_a_project_and_its_dependencies_run_from_the_workers_bundle(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    path = project(folder, env="settings.env", dependencies=[".", "./tools"])
    tools = folder / "tools"
    tools.mkdir()
    (folder / "agent.py").write_text(GRAPH)
    (folder / "settings.env").write_text("COLOUR=blue\n")
    for hidden in (".env", ".git", ".venv"):
        (folder / hidden).write_text("secret")
    head = "[project]\nname = 'mine'\nversion = '1'\nrequires-python = '>=3.11'\n"
    (folder / "pyproject.toml").write_text(f"{head}dependencies = [{wheel(tmp_path, 'greeting')!r}]\n")
    (tools / "requirements.txt").write_text(wheel(tmp_path, "parting") + "\n")
    made = bundled(path, tmp_path / "build")
    assert alone(made, LOAD).strip() == "greeting, parting"
    assert sorted(item.name for item in (made / "project").iterdir() if item.name != "__pycache__") == sorted(
        ["agent.py", "langgraph.json", "pyproject.toml", "settings.env", "tools"]
    )
    assert not (made / "starter").exists(), "the built-in graphs stay behind"
    assert len(list((made / "botocore" / "data").iterdir())) > 100, "its code may call any service"


@pytest.mark.bundles
def test_a_dependency_that_contradicts_the_lock_file_is_refused(tmp_path: Path) -> None:
    path = project(tmp_path / "mine")
    (path.parent / "requirements.txt").write_text("langgraph<0.1\n")
    with pytest.raises(UvError, match="langgraph"):
        bundled(path, tmp_path / "build")


def test_only_the_dotenv_file_that_is_named_is_deployed(tmp_path: Path) -> None:
    path = project(tmp_path / "mine", env="./.env", dependencies=[])
    (path.parent / ".env").write_text("A=1")
    (path.parent / ".env.production").write_text("A=2")
    target = tmp_path / "bundle"
    graph_project(tmp_path, "mine/langgraph.json").copy_into(target)
    assert sorted(item.name for item in (target / "project").iterdir()) == [".env", "langgraph.json"]


def test_each_dependency_becomes_what_uv_understands(tmp_path: Path) -> None:
    path = project(tmp_path / "mine", dependencies=["httpx>=0.28", ".", "./tools"])
    (path.parent / "tools").mkdir()
    (path.parent / "tools" / "requirements.txt").write_text("")
    (path.parent / "pyproject.toml").write_text("")
    made = graph_project(tmp_path, "mine/langgraph.json")
    tools = path.parent / "tools" / "requirements.txt"
    assert made.sources == ("httpx>=0.28", "-r", str(path.parent / "pyproject.toml"), "-r", str(tools))
    assert made.names == ("mine",)
    assert made.deployed_path == "project/langgraph.json"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("no json", "is not JSON"),
        ("[]", "is not a langgraph.json"),
        ("{}", "is not a langgraph.json"),
        ('{"graphs": {}}', "at least one graph"),
        ('{"graphs": {"a,b": "./a.py:g"}}', "no comma"),
        ('{"graphs": {"a": "./a.py:g"}, "dependencies": ["../elsewhere"]}', "is not a folder inside"),
        ('{"graphs": {"a": "./a.py:g"}, "dependencies": ["./missing"]}', "is not a folder inside"),
    ],
)
def test_what_cannot_be_deployed_is_refused_by_the_name_of_its_key(tmp_path: Path, content: str, message: str) -> None:
    folder = tmp_path / "mine"
    folder.mkdir()
    (tmp_path / "elsewhere").mkdir()
    (folder / "langgraph.json").write_text(content)
    with pytest.raises(GraphProjectError, match=message) as refusal:
        graph_project(tmp_path, "mine/langgraph.json")
    assert str(refusal.value).startswith("graphs: ")


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(GraphProjectError, match="cannot be read"):
        graph_project(tmp_path, "nowhere/langgraph.json")
