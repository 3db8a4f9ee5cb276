"""Graphs of a standard langgraph.json, in every form in which it may name one."""

from __future__ import annotations

import asyncio
import io
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from aws_lambda_powertools import Logger
from langgraph.checkpoint.memory import InMemorySaver

from graphjobs.worker.factory import FactoryCall
from graphjobs.worker.graph_loader import GraphLoader, GraphReport
from graphjobs.worker.load_error import GraphLoadError
from graphjobs.worker.user import User

ROOT = Path(__file__).parents[3]

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


CALL = FactoryCall(config={"configurable": {"thread_id": "t"}}, context={}, user=User("user-1"))


def said(made: GraphLoader, name: str, saver: Any = None) -> str:
    """What the graph `name` answers, and that it got our checkpointer."""

    async def run() -> str:
        saver_given = saver or InMemorySaver()
        async with made.open(name, saver_given, CALL, Logger(stream=io.StringIO())) as graph:
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
        ("./agent.py:grpah", "has no attribute 'grpah'. Did you mean './agent.py:builder', './agent.py:compiled'"),
        ("./plain.py:numbers", "no attribute 'numbers'. Did you mean './plain.py:number'?"),
        ("./plain.py:graph", "no attribute 'graph'. It has: number."),
        ("./absent.py:graph", "ImportError: there is no file"),
        ("no_such_module_of_ours:graph", "No module named 'no_such_module_of_ours'. Name the package that has"),
        (
            "./needs_package.py:graph",
            r"ModuleNotFoundError: No module named 'absent_one' \(needs_package.py:1\). Name",
        ),
        ("./needs_key.py:graph", r"KeyError: 'ABSENT_KEY' \(needs_key.py:2\). Set ABSENT_KEY in the environment"),
        ("./broken.py:graph", r"SyntaxError: '\(' was never closed \(broken.py, line 1\)"),
        ("./leaves.py:graph", r"SystemExit: 3 \(leaves.py:2\)"),
        ("./raises.py:graph", r"ValueError: first line \(raises.py:1\)\.$"),
        ("./agent.ts:graph", "JavaScript or TypeScript"),
        ("./agent.py:fails", r"The factory of graph 'g' failed: ValueError: secret \(agent.py:\d+\)"),
        ("./agent.py:nothing", "is a NoneType"),
        ("./agent.py:number", "is a int"),
    ],
)
def test_a_graph_that_cannot_be_had_says_which_why_and_what_to_do_in_one_line(
    tmp_path: Path, target: str, message: str
) -> None:
    module(tmp_path / "agent.py")
    (tmp_path / "plain.py").write_text("number = 1\n_hidden = 2\n")
    (tmp_path / "needs_package.py").write_text("import absent_one\n")
    (tmp_path / "needs_key.py").write_text("import os\nKEY = os.environ['ABSENT_KEY']\n")
    (tmp_path / "broken.py").write_text("graph = (\n")
    (tmp_path / "leaves.py").write_text("import sys\nsys.exit(3)\n")
    (tmp_path / "raises.py").write_text("raise ValueError('first line\\nsecond line')\n")
    with pytest.raises(GraphLoadError, match=message) as failure:
        said(loader(tmp_path, {"g": target}), "g")
    assert "'g'" in str(failure.value) and "\n" not in str(failure.value)


def test_every_graph_is_checked_and_one_that_fails_hinders_no_other(tmp_path: Path) -> None:
    module(tmp_path / "agent.py")
    made = loader(tmp_path, {"a": "./agent.py:compiled", "b": "./absent.py:graph", "c": "./agent.py:fails"})
    first, second, third = made.check()
    assert (first, third) == (GraphReport("a"), GraphReport("c"))
    assert second.name == "b" and second.reason.startswith("Graph 'b' (./absent.py:graph) cannot be imported")
    assert said(made, "a") == "hi"


def test_once_the_time_is_over_no_further_graph_is_imported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each takes a second here; the init phase of the function has but ten."""
    module(tmp_path / "agent.py")
    names = dict.fromkeys("abcd", "./agent.py:compiled")
    clock, made = iter(range(10)), loader(tmp_path, names)
    with monkeypatch.context() as patch:
        patch.setattr(time, "monotonic", lambda: next(clock))
        reports = made.check(seconds=3)
    assert [report.name for report in reports] == ["a", "b"]
    assert said(made, "d") == "hi"


def test_a_missing_package_says_what_installs_what_the_project_names(tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text("import absent_one\n")
    (report,) = loader(tmp_path, {"g": "./agent.py:graph"}).check()
    assert report.reason.endswith(
        f"Name the package that has 'absent_one' in the dependencies, then: graphjobs install {tmp_path}"
    )


def test_a_class_of_the_cause_is_told(tmp_path: Path) -> None:
    (tmp_path / "agent.py").write_text("raise LookupError('x')\n")
    with pytest.raises(GraphLoadError) as failure:
        said(loader(tmp_path, {"g": "./agent.py:graph"}), "g")
    assert failure.value.cause_type == "LookupError"


def test_a_module_may_run_an_event_loop_while_it_is_imported(tmp_path: Path) -> None:
    module(tmp_path / "made.py")
    text = (
        "import asyncio\nfrom made import compiled\nasync def ask():\n    return compiled\ngraph = asyncio.run(ask())\n"
    )
    (tmp_path / "agent.py").write_text(text)
    assert said(loader(tmp_path, {"g": "./agent.py:graph"}), "g") == "hi"


def test_a_package_that_hides_the_projects_own_is_not_taken_for_it(tmp_path: Path) -> None:
    """The file is loaded by its path, as LangGraph's server does; what it cannot import so names both places."""
    mine, other = tmp_path / "mine", tmp_path / "other"
    module(other / "hidden_one" / "agent.py", "theirs")
    module(mine / "hidden_one" / "agent.py", "mine", "Mine")
    (other / "hidden_one" / "relative.py").write_text("from .agent import compiled\n")
    (mine / "hidden_one" / "relative.py").write_text("from .agent import compiled\n# mine\n")
    for folder in (mine, other):
        (folder / "hidden_one" / "__init__.py").write_text("")
    sys.path.insert(0, str(other))
    made = loader(mine, {"g": "./hidden_one/agent.py:compiled", "relative": "./hidden_one/relative.py:compiled"})
    assert said(made, "g") == "mine"
    with pytest.raises(GraphLoadError) as failure:
        said(made, "relative")
    assert f"of {mine}/hidden_one/relative.py is hidden by {other}/hidden_one" in str(failure.value)


def test_the_projects_own_package_may_be_installed_as_well(tmp_path: Path) -> None:
    """As in a bundle, which has it as an installed package and as the folder of the `langgraph.json`."""
    for folder in (tmp_path / "installed", tmp_path / "mine"):
        module(folder / "both_places" / "inner.py")
        (folder / "both_places" / "__init__.py").write_text("")
        (folder / "both_places" / "agent.py").write_text("from .inner import compiled\n")
    sys.path.insert(0, str(tmp_path / "installed"))
    made = loader(tmp_path / "mine", {"g": "./both_places/agent.py:compiled"})
    assert said(made, "g") == "hi"
    assert "both_places.agent" in sys.modules


OUR_NAMES = ("graphs", "client", "local", "infra", "functions", "tests", "deploy", "examples", "benchmarks", "src")
LOAD = """
import json, sys
from graphjobs.worker.graph_loader import GraphLoader
loader = GraphLoader(sys.argv[1])
print(json.dumps({name: loader.source(name) for name in loader.names}))
"""


def test_a_project_may_use_every_name_that_is_used_here(tmp_path: Path) -> None:
    """In a process of its own, which starts as the workers do, from the folder of this repository."""
    graphs = {}
    for name in OUR_NAMES:
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("")
        (tmp_path / name / "helper.py").write_text(f"graph = '{name}'\n")
        (tmp_path / name / "agent.py").write_text(f"from {name}.helper import graph\n")
        graphs[name] = f"./{name}/agent.py:graph"
    (tmp_path / "langgraph.json").write_text(json.dumps({"dependencies": ["."], "graphs": graphs}))
    command = [sys.executable, "-P", "-c", LOAD, str(tmp_path / "langgraph.json")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=100, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == {name: name for name in OUR_NAMES}


def test_an_unknown_graph_is_named(tmp_path: Path) -> None:
    with pytest.raises(GraphLoadError, match="no graph 'x'"):
        said(loader(tmp_path, {"g": "./agent.py:graph"}), "x")


def test_a_missing_langgraph_json_is_named(tmp_path: Path) -> None:
    with pytest.raises(GraphLoadError, match="cannot be read"):
        GraphLoader(str(tmp_path / "absent.json"))
