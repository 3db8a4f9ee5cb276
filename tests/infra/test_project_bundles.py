"""The worker's bundle of a user's own project: its packages are there, and its graph runs from the bundle alone."""

from __future__ import annotations

import json
import sys
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
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
from tests.infra.alone import LANGGRAPH, Alone
from tests.support.projects import GRAPH, PYPROJECT, requirement, write_project, write_sdist, write_wheel

pytestmark = [pytest.mark.bundles, pytest.mark.timeout(300)]

HATCH = """
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"
"""

RUN = """
from graphjobs.worker.graph_loader import GraphLoader
loader = GraphLoader({path!r})
for source in map(loader.source, {names!r}):
    graph = source.compile() if hasattr(source, "compile") else source
    print(graph.invoke({{}})["text"])
"""


def graph(imports: str, text: str) -> str:
    return GRAPH.format(imports=imports, text=text)


def bundler(path: Path, build: Path, **options: bool) -> Bundler:
    return Bundler(Platform.of_host(), graph_project(path.parent, path.name), build=build, **options)


def bundle(path: Path, build: Path) -> Path:
    return bundler(path, build).bundle("worker").folder


def answers(alone: Alone, made: Path, *names: str, path: str = "project/langgraph.json") -> list[str]:
    """What each of these graphs says, from the bundle alone."""
    return alone(made, RUN.format(path=path, names=names), given=LANGGRAPH).splitlines()


def answer(alone: Alone, made: Path, path: str = "project/langgraph.json") -> str:
    """What the graph says, from the bundle alone."""
    (said,) = answers(alone, made, "mine", path=path)
    return said


@dataclass(frozen=True)
class Made:
    """The bundle of the project at `path`, what was said when it was made, and what its graphs answer."""

    path: Path
    folder: Path
    said: str
    answers: dict[str, str]


def made_of(path: Path, build: Path, alone: Alone) -> Made:
    """Its bundle, in a place of its own, made and asked once for all that tests look for in it."""
    with redirect_stdout(StringIO()) as said:
        folder = bundle(path, build).rename(path.parent.with_name("bundle"))
    names = tuple(json.loads(path.read_text())["graphs"])
    return Made(path, folder, said.getvalue(), dict(zip(names, answers(alone, folder, *names), strict=True)))


@pytest.fixture(scope="module")
def requiring(tmp_path_factory: pytest.TempPathFactory, build: Path, alone: Alone) -> Made:
    """Of a project that only names packages, in every way."""
    root = tmp_path_factory.mktemp("requiring")
    lazy = {"lazy/__init__.py": "", "lazy/__init__.pyi": "", "lazy/tests/__init__.py": "A = 'kept'"}
    (locked,) = pins(uv.export(ROOT, "worker"))["orjson"]
    path = write_project(
        root / "mine",
        {
            "agent.py": graph("import greeting, parting", "greeting.words() + parting.words()"),
            "pinned.py": graph("import orjson", "orjson.__version__"),
            "served.py": graph("import around", "around.words()"),
            "lazily.py": graph("from lazy.tests import A", "A"),
            "requirements.txt": requirement(root, "greeting") + "\n",
            "tools/requirements.txt": requirement(root, "parting") + "\n",
        },
        dependencies=[
            ".",
            "./tools",
            version(locked).replace("==", "<"),
            requirement(root, "around", "langgraph-cli[inmem]>=0.4", "graphjobs"),
            f"lazy @ {write_wheel(root, 'lazy', lazy).as_uri()}",
        ],
        graphs={name: f"./{name}.py:builder" for name in ("agent", "pinned", "served", "lazily")},
    )
    return made_of(path, build, alone)


def test_modules_beside_the_file_and_requirements_in_a_folder(requiring: Made) -> None:
    made = requiring.folder
    assert requiring.answers["agent"] == "greetingparting"
    lines: list[str] = []
    own = Packages([sys.executable, "-I", "-S"], made)
    check_graphs(made, graph_project(requiring.path.parent, requiring.path.name), own, {}, lines.append)
    assert lines == [], "with the bundle's packages alone it can be loaded"
    assert not (made / "starter").exists(), "the built-in graphs stay behind"
    assert len(list((made / "botocore" / "data").iterdir())) > 100, "its code may call any service"


def test_the_lock_of_graphjobs_gives_way(requiring: Made) -> None:
    (locked,) = pins(uv.export(ROOT, "worker"))["orjson"]
    assert requiring.answers["pinned"] and requiring.answers["pinned"] != version(locked).removeprefix("orjson==")


def test_what_graphjobs_needs_does_not(tmp_path: Path, build: Path) -> None:
    path = write_project(tmp_path / "old", {"agent.py": ""}, dependencies=["langgraph==1.1.6"])
    with pytest.raises(
        GraphProjectError, match=r"^graphs: graphjobs needs langgraph.*, the project wants langgraph 1.1.6\.$"
    ):
        bundle(path, build)


def test_the_server_of_langgraph_is_left_out_and_what_it_needs_too(requiring: Made) -> None:
    made = requiring.folder
    assert requiring.answers["served"] == "around"
    assert "graphjobs: langgraph-cli is left out: graphjobs takes its place." in requiring.said
    assert not list(made.glob("langgraph_cli*")) + list(made.glob("forbiddenfruit*"))
    assert (made / "graphjobs" / "worker").is_dir()


def test_what_a_users_package_has_is_kept_whole(requiring: Made) -> None:
    assert requiring.answers["lazily"] == "kept"
    assert (requiring.folder / "lazy/__init__.pyi").is_file()
    assert not list((requiring.folder / "langgraph").rglob("*.pyi")), "those that are locked here are trimmed"


@pytest.fixture(scope="module")
def packaged(tmp_path_factory: pytest.TempPathFactory, build: Path, alone: Alone) -> Made:
    """Of a project that is three packages."""
    src = "[tool.hatch.build.targets.wheel]\ninclude = ['src/**/*.py']\nsources = ['src']\n"
    body = graph(
        "from pathlib import Path\nfrom mine.words import A", "A + Path(__file__).with_name('data.txt').read_text()"
    )
    by_build = "[tool.hatch.build.targets.wheel.force-include]\n"
    path = write_project(
        tmp_path_factory.mktemp("packaged") / "mine",
        {
            "pyproject.toml": PYPROJECT + HATCH + src,
            "src/mine/__init__.py": "",
            "src/mine/words.py": "A = 'from src '",
            "src/mine/data.txt": "and data",
            "src/mine/graph.py": body,
            "entry.py": "from mine.graph import builder",
            "src/acme/agent/graph.py": graph("from acme.words import A", "A"),
            "shared/pyproject.toml": PYPROJECT.replace("mine", "shared")
            + HATCH
            + f"{by_build}'words.txt' = 'acme/words.py'\n",
            "shared/words.txt": "A = 'of the other'",
            "other/pyproject.toml": PYPROJECT.replace("mine", "other")
            + HATCH
            + f"{by_build}'kept/a.py' = 'other/a.py'\n",
            "other/other/__init__.py": "",
            "other/kept/a.py": "A = 'made by the build'",
            "other/agent.py": graph("from other.a import A", "A"),
        },
        dependencies=[".", "./shared", "./other"],
        graphs={
            "mine": "mine.graph:builder",
            "file": "./src/mine/graph.py:builder",
            "entry": "./entry.py:builder",
            "namespace": "acme.agent.graph:builder",
            "made": "./other/agent.py:builder",
        },
    )
    return made_of(path, build, alone)


def test_a_src_layout_with_data_beside_its_modules(packaged: Made, alone: Alone) -> None:
    """The data file is in no list of the manifest: an editable install finds it, and so must the bundle."""
    assert [packaged.answers[name] for name in ("mine", "file", "entry")] == ["from src and data"] * 3
    assert not (packaged.folder / "mine").exists()
    version = alone(packaged.folder, "import importlib.metadata as m; print(m.version('mine'))", given=LANGGRAPH)
    assert version.strip() == "1"


def test_packages_that_share_a_namespace_are_both_found(packaged: Made) -> None:
    """Neither has an `__init__.py` in `acme`; one is imported from its folder, and the other's build makes a module."""
    assert packaged.answers["namespace"] == "of the other"


def test_what_a_build_makes_is_in_the_bundle(packaged: Made) -> None:
    assert packaged.answers["made"] == "made by the build"


def test_poetry_and_a_package_that_comes_as_source(tmp_path: Path, build: Path, alone: Alone) -> None:
    (tmp_path / "pure").mkdir()
    (tmp_path / "pure/pyproject.toml").write_text(PYPROJECT.replace("mine", "pure") + HATCH)
    (tmp_path / "pure/pure.py").write_text("def words():\n    return 'pure'\n")
    poetry = "[tool.poetry]\nname = 'mine'\nversion = '1'\ndescription = ''\nauthors = []\n"
    poetry += "packages = [{ include = 'agent.py' }]\n[tool.poetry.dependencies]\npython = '>=3.11'\n"
    poetry += f"pure = {{ path = '../{write_sdist(tmp_path / 'pure').name}' }}\n"
    poetry += "[build-system]\nrequires = ['poetry-core']\nbuild-backend = 'poetry.core.masonry.api'\n"
    path = write_project(
        tmp_path / "mine", {"pyproject.toml": poetry, "agent.py": graph("import pure", "pure.words()")}
    )
    assert answer(alone, bundle(path, build)) == "pure"


def test_a_member_of_a_uv_workspace_with_the_member_that_it_needs(tmp_path: Path, build: Path, alone: Alone) -> None:
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
    assert answer(alone, made, "project/apps/agent/langgraph.json") == "shared"
    assert not (made / "project/apps/other").exists()


def test_a_lock_is_written_when_asked_then_used_and_refused_once_it_is_stale(
    tmp_path: Path, build: Path, alone: Alone, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write_project(
        tmp_path / "mine", {"agent.py": graph("import humanize", "'ok'"), "requirements.txt": "humanize>=4\n"}
    )
    assert bundler(path, build, write_lock=True).resolution.pins
    text = (path.parent / lock.NAME).read_text()
    assert "\nhumanize==" in text
    assert text.count("--hash=sha256:") > text.count("==")

    def never(*_: object, **__: object) -> None:
        raise AssertionError("with a lock nothing is resolved")

    monkeypatch.setattr(uv, "compile_pins", never)
    assert answer(alone, bundle(path, build)) == "ok"
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
def test_an_example_runs_from_its_bundle(build: Path, alone: Alone, name: str, graph: str, run: str) -> None:
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
    assert alone(made, code, given=LANGGRAPH).startswith(expected[name])
