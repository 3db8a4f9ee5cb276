"""Graphs of a standard langgraph.json, in every form in which it may name one."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.memory import InMemorySaver

from graphjobs.worker.graph_loader import GraphLoader, GraphLoadError

GRAPH = """
from __future__ import annotations
from typing import TypedDict
from langgraph.graph import START, StateGraph
from langgraph.checkpoint.memory import InMemorySaver

Text{state} = str

class {state}(TypedDict, total=False):
    text: Text{state}

def node(state: {state}) -> {state}:
    return {{"text": "{text}"}}

builder = StateGraph({state}).add_node("node", node).add_edge(START, "node")
compiled = builder.compile()
own = builder.compile(checkpointer=InMemorySaver())

def factory():
    return StateGraph({state}).add_node("node", node).add_edge(START, "node")

def with_config(config):
    assert "configurable" in config
    return compiled

async def asynchronous():
    return compiled

def fails():
    raise ValueError("secret")

def nothing():
    return None

number = 5
"""


@pytest.fixture(autouse=True)
def restored(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Path, modules and environment as before."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    modules, environ = set(sys.modules), dict(os.environ)
    yield
    for name in set(sys.modules) - modules:
        del sys.modules[name]
    os.environ.clear()
    os.environ.update(environ)


def module(path: Path, text: str = "hi", state: str = "State") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(GRAPH.format(text=text, state=state))


def loader(folder: Path, graphs: Any, **more: Any) -> GraphLoader:
    path = folder / "langgraph.json"
    path.write_text(json.dumps({"dependencies": ["."], "graphs": graphs, **more}))
    return GraphLoader(str(path))


def said(made: GraphLoader, name: str, saver: Any = None) -> str:
    """What the graph `name` answers, and that it got our checkpointer."""

    async def run() -> str:
        saver_given = saver or InMemorySaver()
        graph = await made.load(name, saver_given)
        assert graph.checkpointer is saver_given
        result = await graph.ainvoke({}, {"configurable": {"thread_id": "t"}})
        return str(result["text"])

    return asyncio.run(run())


@pytest.mark.parametrize("attribute", ["builder", "compiled", "own", "factory", "with_config", "asynchronous"])
@pytest.mark.parametrize("form", [str, lambda target: {"path": target}], ids=["text", "object"])
def test_a_graph_in_any_form_gets_our_checkpointer(tmp_path: Path, attribute: str, form: Any) -> None:
    module(tmp_path / "agent.py")
    assert said(loader(tmp_path, {"g": form(f"./agent.py:{attribute}")}), "g") == "hi"


def test_a_graph_named_by_its_module(tmp_path: Path) -> None:
    module(tmp_path / "src" / "my_agent_module.py")
    assert said(loader(tmp_path, {"g": "my_agent_module:compiled"}, dependencies=["./src"]), "g") == "hi"


def test_a_file_of_a_package_may_import_from_its_package(tmp_path: Path) -> None:
    module(tmp_path / "my_package" / "inner.py")
    (tmp_path / "my_package" / "__init__.py").write_text("")
    (tmp_path / "my_package" / "agent.py").write_text("from .inner import compiled\n")
    assert said(loader(tmp_path, {"g": "./my_package/agent.py:compiled"}), "g") == "hi"


def test_files_of_one_name_in_two_folders_do_not_mix(tmp_path: Path) -> None:
    module(tmp_path / "one" / "agent.py", "one", "First")
    module(tmp_path / "two" / "agent.py", "two", "Second")
    made = loader(tmp_path, {"one": "./one/agent.py:factory", "two": "./two/agent.py:factory"})
    assert [said(made, name) for name in ("one", "two", "one")] == ["one", "two", "one"]


def test_two_graphs_of_one_file_share_its_module(tmp_path: Path) -> None:
    module(tmp_path / "agent.py")
    with (tmp_path / "agent.py").open("a") as file:
        file.write("import os\nos.environ['TIMES'] = os.environ.get('TIMES', '') + 'x'\n")
    made = loader(tmp_path, {"a": "./agent.py:compiled", "b": "./agent.py:builder"})
    assert (said(made, "a"), said(made, "b")) == ("hi", "hi")
    assert os.environ["TIMES"] == "x"


def test_a_module_is_imported_when_first_asked_for(tmp_path: Path) -> None:
    module(tmp_path / "agent.py")
    (tmp_path / "broken.py").write_text("raise ValueError('secret')")
    made = loader(tmp_path, {"broken": "./broken.py:graph", "good": "./agent.py:compiled"})
    assert made.names == ["broken", "good"]
    assert said(made, "good") == "hi"
    with pytest.raises(GraphLoadError, match="'broken'"):
        said(made, "broken")


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("./agent.py:missing", "cannot be imported"),
        ("./absent.py:graph", "cannot be imported"),
        ("no_such_module_of_ours:graph", "cannot be imported"),
        ("./agent.py:fails", "factory of graph 'g' failed"),
        ("./agent.py:nothing", "is a NoneType"),
        ("./agent.py:number", "is a int"),
    ],
)
def test_a_graph_that_cannot_be_had_says_which_and_why(tmp_path: Path, target: str, message: str) -> None:
    module(tmp_path / "agent.py")
    with pytest.raises(GraphLoadError, match=message):
        said(loader(tmp_path, {"g": target}), "g")


def test_an_unknown_graph_is_named(tmp_path: Path) -> None:
    with pytest.raises(GraphLoadError, match="no graph 'x'"):
        said(loader(tmp_path, {"g": "./agent.py:graph"}), "x")


def test_a_missing_langgraph_json_is_named(tmp_path: Path) -> None:
    with pytest.raises(GraphLoadError, match="cannot be read"):
        GraphLoader(str(tmp_path / "absent.json"))


@pytest.mark.parametrize("form", ["mapping", "file"])
def test_the_environment_is_set_and_what_is_set_already_wins(
    tmp_path: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TAKEN_ALREADY", "mine")
    (tmp_path / ".env").write_text("# A=b\nexport FRESH_ONE='a = b'\nTAKEN_ALREADY=theirs\n\nnonsense\n")
    env: Any = ".env" if form == "file" else {"FRESH_ONE": "a = b", "TAKEN_ALREADY": "theirs"}
    loader(tmp_path, {"g": "./agent.py:graph"}, env=env)
    assert (os.environ["FRESH_ONE"], os.environ["TAKEN_ALREADY"]) == ("a = b", "mine")
    assert "A" not in os.environ
