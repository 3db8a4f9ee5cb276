"""The worker's bundle of a user's own project: its packages are there, and its graph runs from the bundle alone."""

from __future__ import annotations

import sys
import tarfile
from pathlib import Path

import pytest

from graphjobs.packages import uv
from graphjobs.packages.resolution import pins, version
from graphjobs.packages.uv import Platform
from infra import lock
from infra.bundling import Bundler
from infra.graph_check import Packages, check_graphs
from infra.graph_project import GraphProjectError, graph_project
from infra.installed import ROOT
from tests.infra.test_bundles import alone
from tests.support.projects import GRAPH, PYPROJECT, requirement, write_project, write_wheel

pytestmark = [pytest.mark.bundles, pytest.mark.timeout(300)]

HATCH = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
"""

RUN = """
from graphjobs.worker.graph_loader import GraphLoader
source = GraphLoader({path!r}).source({name!r})
graph = source.compile() if hasattr(source, "compile") else source
print(graph.invoke({{}})["text"])
"""


def graph(imports: str, text: str) -> str:
    return GRAPH.format(imports=imports, text=text)


def bundle(path: Path, build: Path, **options: bool) -> Path:
    project = graph_project(path.parent, path.name)
    return Bundler(Platform.of_host(), project, build=build, **options).bundle("worker").folder


def answer(made: Path, path: str = "project/langgraph.json", name: str = "mine") -> str:
    """What the graph says, from the bundle alone."""
    return alone(made, RUN.format(path=path, name=name)).strip()


def test_modules_beside_the_file_and_requirements_in_a_folder(tmp_path: Path, build: Path) -> None:
    path = write_project(
        tmp_path / "mine",
        {
            "agent.py": graph("import greeting, parting", "greeting.words() + parting.words()"),
            "requirements.txt": requirement(tmp_path, "greeting") + "\n",
            "tools/requirements.txt": requirement(tmp_path, "parting") + "\n",
        },
        dependencies=[".", "./tools"],
    )
    made = bundle(path, build)
    assert answer(made) == "greetingparting"
    lines: list[str] = []
    own = Packages([sys.executable, "-I", "-S"], made)
    check_graphs(made, graph_project(path.parent, path.name), own, {}, lines.append)
    assert lines == [], "with the bundle's packages alone it can be loaded"
    assert not (made / "starter").exists(), "the built-in graphs stay behind"
    assert len(list((made / "botocore" / "data").iterdir())) > 100, "its code may call any service"


def test_a_src_layout_with_data_beside_its_modules(tmp_path: Path, build: Path) -> None:
    """The data file is in no list of the manifest: an editable install finds it, and so must the bundle."""
    body = graph(
        "from pathlib import Path\nfrom mine.words import A", "A + Path(__file__).with_name('data.txt').read_text()"
    )
    path = write_project(
        tmp_path / "mine",
        {
            "pyproject.toml": PYPROJECT + HATCH + "[tool.hatch.build.targets.wheel]\ninclude = ['src/**/*.py']\n"
            "sources = ['src']\n",
            "src/mine/__init__.py": "",
            "src/mine/words.py": "A = 'from src '",
            "src/mine/data.txt": "and data",
            "src/mine/graph.py": body,
            "entry.py": "from mine.graph import builder",
        },
        graphs={"mine": "mine.graph:builder", "file": "./src/mine/graph.py:builder", "entry": "./entry.py:builder"},
    )
    made = bundle(path, build)
    assert [answer(made, name=name) for name in ("mine", "file", "entry")] == ["from src and data"] * 3
    assert not (made / "mine").exists()
    assert alone(made, "import importlib.metadata as m; print(m.version('mine'))").strip() == "1"


def test_packages_that_share_a_namespace_are_both_found(tmp_path: Path, build: Path) -> None:
    """Neither has an `__init__.py` in `acme`; one is imported from its folder, and the other's build makes a module."""
    made_by_build = "[tool.hatch.build.targets.wheel.force-include]\n'words.txt' = 'acme/words.py'\n"
    path = write_project(
        tmp_path / "mine",
        {
            "pyproject.toml": PYPROJECT + HATCH + "[tool.hatch.build.targets.wheel]\npackages = ['src/acme']\n",
            "src/acme/agent/graph.py": graph("from acme.words import A", "A"),
            "shared/pyproject.toml": PYPROJECT.replace("mine", "shared") + HATCH + made_by_build,
            "shared/words.txt": "A = 'of the other'",
        },
        dependencies=[".", "./shared"],
        graphs={"mine": "acme.agent.graph:builder"},
    )
    assert answer(bundle(path, build)) == "of the other"


def test_what_a_build_makes_is_in_the_bundle(tmp_path: Path, build: Path) -> None:
    manifest = PYPROJECT + HATCH
    path = write_project(
        tmp_path / "mine",
        {
            "pyproject.toml": manifest + "[tool.hatch.build.targets.wheel.force-include]\n'kept/a.py' = 'mine/a.py'\n",
            "mine/__init__.py": "",
            "kept/a.py": "A = 'made by the build'",
            "agent.py": graph("from mine.a import A", "A"),
        },
    )
    assert answer(bundle(path, build)) == "made by the build"


def test_poetry_and_a_package_that_comes_as_source(tmp_path: Path, build: Path) -> None:
    (tmp_path / "pure").mkdir()
    (tmp_path / "pure/pyproject.toml").write_text(PYPROJECT.replace("mine", "pure") + HATCH)
    (tmp_path / "pure/pure.py").write_text("def words():\n    return 'pure'\n")
    poetry = "[tool.poetry]\nname = 'mine'\nversion = '1'\ndescription = ''\nauthors = []\n"
    poetry += "packages = [{ include = 'agent.py' }]\n[tool.poetry.dependencies]\npython = '>=3.11'\n"
    poetry += f"pure = {{ path = '../{sdist(tmp_path / 'pure').name}' }}\n"
    poetry += "[build-system]\nrequires = ['poetry-core']\nbuild-backend = 'poetry.core.masonry.api'\n"
    path = write_project(
        tmp_path / "mine", {"pyproject.toml": poetry, "agent.py": graph("import pure", "pure.words()")}
    )
    assert answer(bundle(path, build)) == "pure"


def test_a_member_of_a_uv_workspace_with_the_member_that_it_needs(tmp_path: Path, build: Path) -> None:
    repository = tmp_path / "repo"
    member = "[project]\nname = '{0}'\nversion = '1'\nrequires-python = '>=3.11'\n{1}" + HATCH
    files = {
        "pyproject.toml": "[tool.uv.workspace]\nmembers = ['libs/*', 'apps/*']\n",
        "libs/shared/pyproject.toml": member.format("shared-words", "")
        + "[tool.hatch.build.targets.wheel]\npackages = ['src/shared']\n",
        "libs/shared/src/shared/__init__.py": "A = 'shared'",
        "apps/agent/pyproject.toml": member.format("the-agent", "dependencies = ['shared-words']\n")
        + "[tool.uv.sources]\nshared-words = { workspace = true }\n"
        + "[tool.hatch.build.targets.wheel]\npackages = ['the_agent']\n",
        "apps/agent/the_agent/__init__.py": graph("from shared import A", "A"),
        "apps/other/pyproject.toml": member.format("other", "dependencies = ['no-such-package-anywhere']\n"),
    }
    write_project(repository, files)
    (repository / "langgraph.json").unlink()
    path = write_project(
        repository / "apps/agent",
        {},
        source={"kind": "uv", "root": "../..", "package": "the-agent"},
        graphs={"mine": "the_agent:builder"},
    )
    made = bundle(path, build)
    assert answer(made, "project/apps/agent/langgraph.json") == "shared"
    assert not (made / "project/apps/other").exists()


def test_the_lock_of_graphjobs_gives_way_and_its_need_does_not(tmp_path: Path, build: Path) -> None:
    (locked,) = pins(uv.export(ROOT, "worker"))["orjson"]
    newest = version(locked).removeprefix("orjson==")
    body = graph("import orjson", "orjson.__version__")
    path = write_project(tmp_path / "mine", {"agent.py": body}, dependencies=[f"orjson<{newest}"])
    assert answer(bundle(path, build)) != newest
    path = write_project(tmp_path / "old", {"agent.py": ""}, dependencies=["langgraph==1.1.6"])
    with pytest.raises(
        GraphProjectError, match=r"^graphs: graphjobs needs langgraph.*, the project wants langgraph 1.1.6\.$"
    ):
        bundle(path, build)


def test_the_server_of_langgraph_is_left_out_and_what_it_needs_too(
    tmp_path: Path, build: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    wanted = requirement(tmp_path, "around", "langgraph-cli[inmem]>=0.4", "graphjobs")
    path = write_project(
        tmp_path / "mine", {"agent.py": graph("import around", "around.words()")}, dependencies=[wanted]
    )
    made = bundle(path, build)
    assert answer(made) == "around"
    assert "graphjobs: langgraph-cli is left out: graphjobs takes its place." in capsys.readouterr().out
    assert not list(made.glob("langgraph_cli*")) + list(made.glob("forbiddenfruit*"))
    assert (made / "graphjobs" / "worker").is_dir()


def test_what_a_users_package_has_is_kept_whole(tmp_path: Path, build: Path) -> None:
    files = {"lazy/__init__.py": "", "lazy/__init__.pyi": "", "lazy/tests/__init__.py": "A = 'kept'"}
    wanted = f"lazy @ {write_wheel(tmp_path, 'lazy', files).as_uri()}"
    body = graph("from lazy.tests import A", "A")
    path = write_project(tmp_path / "mine", {"agent.py": body}, dependencies=[wanted])
    made = bundle(path, build)
    assert answer(made) == "kept"
    assert (made / "lazy/__init__.pyi").is_file()
    assert not list((made / "langgraph").rglob("*.pyi")), "those that are locked here are trimmed"


def test_a_lock_is_written_when_asked_then_used_and_refused_once_it_is_stale(
    tmp_path: Path, build: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_project(
        tmp_path / "mine", {"agent.py": graph("import humanize", "'ok'"), "requirements.txt": "humanize>=4\n"}
    )
    bundle(path, build, write_lock=True)
    text = (path.parent / lock.NAME).read_text()
    assert "\nhumanize==" in text
    assert text.count("--hash=sha256:") > text.count("==")

    def never(*_: object, **__: object) -> None:
        raise AssertionError("with a lock nothing is resolved")

    monkeypatch.setattr(uv, "compile_pins", never)
    assert answer(bundle(path, build)) == "ok"
    (path.parent / lock.NAME).write_text(text.replace("--hash=sha256:", "--hash=sha256:00"))
    with pytest.raises(uv.UvError, match=r"(?i)hash"):
        bundle(path, tmp_path / "fresh")
    (path.parent / lock.NAME).write_text(text)
    (path.parent / "requirements.txt").write_text("humanize>=4.1\n")
    with pytest.raises(GraphProjectError, match="was made from other requirements"):
        bundle(path, build)


def test_a_package_of_our_own_name_is_refused(tmp_path: Path, build: Path) -> None:
    wanted = f"taken @ {write_wheel(tmp_path, 'taken', {'project/__init__.py': ''}).as_uri()}"
    path = write_project(tmp_path / "mine", {"agent.py": ""}, dependencies=[wanted])
    with pytest.raises(GraphProjectError, match="is named project, which is graphjobs' own"):
        bundle(path, build)


@pytest.mark.parametrize(
    ("name", "graph", "run"),
    [
        ("memory", "agent", "asyncio.run(source.ainvoke({'messages': [('user', 'hello')]}))['messages'][-1].content"),
        ("research", "research", "asyncio.run(source.ainvoke({'question': 'wind'}))['report']"),
        ("glossary", "glossary", "asyncio.run(opened())"),
    ],
)
def test_an_example_runs_from_its_bundle(build: Path, name: str, graph: str, run: str) -> None:
    made = bundle(ROOT / "examples" / name / "langgraph.json", build)
    code = (
        "import asyncio\n"
        "from graphjobs.worker.graph_loader import GraphLoader\n"
        f"source = GraphLoader('project/langgraph.json').source({graph!r})\n"
        "async def opened():\n"
        "    async with source() as graph:\n"
        "        return (await graph.ainvoke({'question': 'slot?'}))['answer']\n"
        f"print({run})"
    )
    expected = {"memory": "This is message 1", "research": "- wind: ", "glossary": "A slot: One item"}
    assert alone(made, code).startswith(expected[name])


def sdist(folder: Path) -> Path:
    """The source distribution of the package in `folder`, without any wheel beside it."""
    name = f"{folder.name}-1"
    path = folder.parent / f"{name}.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        for file in folder.iterdir():
            archive.add(file, f"{name}/{file.name}")
    return path
