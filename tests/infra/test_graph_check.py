"""The graphs are imported before they are deployed: what is said of each, and what ends the deployment."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from graphjobs.packages.uv import Platform
from infra import graph_check
from infra.bytecode import Interpreter
from infra.graph_check import Packages, check_graphs, runs_here
from infra.graph_project import GraphProjectError, graph_project
from tests.infra.alone import LANGGRAPH
from tests.infra.standing import standing_by
from tests.support.projects import write_project

GOOD = """
from langgraph.graph import END, START, StateGraph
print("a word of the module's")
builder = StateGraph(dict).add_node("node", lambda state: state).add_edge(START, "node").add_edge("node", END)
"""
FILES = {
    "good.py": GOOD,
    "missing.py": "import absent_package\n",
    "broken.py": "raise RuntimeError('no')\n",
    "key.py": "import os\nKEY = os.environ['MODEL_KEY']\n" + GOOD,
    "writes.py": "open('left.txt', 'w').write('x')\n" + GOOD,
    "shell.py": "import os\nassert 'SECRET_OF_THE_SHELL' not in os.environ\n" + GOOD,
    "sleeps.py": "import time\ntime.sleep(60)\n",
    "ends.py": "import os\nos._exit(3)\n",
    "graph.ts": "",
}
HERE = [sys.executable, "-P"]


@pytest.fixture(scope="module")
def python() -> Iterator[Sequence[str]]:
    """As `HERE`, but that LangGraph need not be imported each time."""
    with standing_by(*LANGGRAPH) as command:
        yield command


def said(
    folder: Path,
    python: Sequence[str],
    graphs: list[str],
    *,
    own: bool = True,
    variables: Mapping[str, str] | None = None,
    **content: Any,
) -> list[str]:
    """The lines about `graphs`, names of the files above; with `own`, their packages count as the bundle's."""
    targets = {name: f"./{name}" + (":graph" if name.endswith(".ts") else ".py:builder") for name in graphs}
    path = write_project(folder / "mine", FILES, graphs=targets, **content)
    project = graph_project(path.parent, path.name)
    bundle = folder / "bundle"
    project.copy_into(bundle)
    lines: list[str] = []
    before = sorted(bundle.rglob("*"))
    try:
        check_graphs(bundle, project, Packages(python, bundle if own else None), variables or {}, lines.append)
    finally:
        assert sorted(bundle.rglob("*")) == before, "nothing was written into the bundle"
    return lines


def test_graphs_that_can_be_loaded_say_nothing(
    tmp_path: Path, python: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_OF_THE_SHELL", "x")
    assert said(tmp_path, python, ["good", "key", "writes", "shell"], variables={"MODEL_KEY": "k"}) == []


def test_each_that_cannot_and_an_index_that_cannot_is_a_line_with_reason_and_remedy(
    tmp_path: Path, python: Sequence[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MODEL_KEY", "of this shell, not of the worker")
    store = {"index": {"embed": "./good.py:absent", "dims": 2}}
    graphs = ["good", "missing", "broken", "key", "graph.ts"]
    missing, broken, key, script, embeddings = said(tmp_path, python, graphs, store=store)
    root = tmp_path / "mine"
    assert missing.startswith("graphs: Graph 'missing' (./missing.py:builder) cannot be imported: ModuleNotFoundError")
    assert missing.endswith(f"graphjobs install {root}")
    assert "RuntimeError: no (broken.py:1)" in broken
    assert "KeyError: 'MODEL_KEY' (key.py:2). Set MODEL_KEY" in key
    assert "JavaScript or TypeScript" in script
    assert embeddings.startswith("graphs: store.index: the embeddings ./good.py:absent cannot be had")


def test_where_not_one_can_be_loaded_the_deployment_ends(tmp_path: Path, python: Sequence[str]) -> None:
    with pytest.raises(GraphProjectError, match="none can be loaded"):
        said(tmp_path, python, ["broken", "missing"])


def test_with_the_packages_of_this_environment_a_missing_one_says_nothing_of_the_bundle(
    tmp_path: Path, python: Sequence[str]
) -> None:
    lines = said(tmp_path, python, ["missing", "broken"], own=False)
    assert "with the packages of this environment" in lines[0]
    assert lines[1] == (
        f"graphs: not tried, for want of packages here (graphjobs install {tmp_path / 'mine/langgraph.json'}): missing"
    )
    assert "RuntimeError: no" in lines[2] and len(lines) == 3


@pytest.mark.parametrize(("name", "reason"), [("sleeps", "takes more than 0.1 s"), ("ends", "ended with exit code 3")])
def test_an_import_that_does_not_come_back_is_a_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, reason: str
) -> None:
    if name == "sleeps":
        monkeypatch.setattr(graph_check, "SECONDS", 0.1)
    (line,) = said(tmp_path, HERE, [name])
    assert line.startswith("graphs: could not be tried here: ") and reason in line


@pytest.mark.parametrize(
    ("name", "libc", "runs"),
    [
        (None, ("", ""), True),
        ("x86_64-manylinux_2_28", ("glibc", "2.28"), True),
        ("x86_64-manylinux_2_28", ("glibc", "2.36"), True),
        ("x86_64-manylinux_2_28", ("glibc", "2.17"), False),
        ("x86_64-manylinux_2_28", ("", ""), False),
        ("aarch64-manylinux_2_28", ("glibc", "2.36"), False),
    ],
)
def test_compiled_packages_run_on_their_own_machine_alone(
    monkeypatch: pytest.MonkeyPatch, name: str | None, libc: tuple[str, str], runs: bool
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    monkeypatch.setattr("platform.libc_ver", lambda: libc)
    assert runs_here(Platform("3.13", name)) is runs


def test_without_an_interpreter_of_its_version_the_bundle_is_not_imported(tmp_path: Path) -> None:
    assert Packages.choose(tmp_path, Platform("3.13", None), None).bundle is None
    assert Packages.choose(tmp_path, Platform("3.13", None), Interpreter("python", "")).bundle == tmp_path
