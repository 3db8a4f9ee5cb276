"""The real bundles, made for this machine: what is in each, that it suffices, and how large it is.

They differ from those for Lambda in the wheels only; `make synth` makes these.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from importlib.util import MAGIC_NUMBER, cache_from_source
from pathlib import Path

import pytest

from graphjobs.packages import uv
from graphjobs.packages.uv import Platform
from infra import bundling
from infra.bundling import GROUPS, LARGEST, LARGEST_OF_LAMBDA, MEGABYTE, Bundle, Bundler
from infra.graph_project import DEFAULT, graph_project
from infra.installed import ROOT, SERVICES
from infra.permissions import PERMISSIONS
from tests.infra.alone import LANGGRAPH, Alone

try:
    uv.command()
except uv.UvError:
    pytestmark = [pytest.mark.bundles, pytest.mark.skip(reason="uv was not found")]
else:
    pytestmark = [pytest.mark.bundles, pytest.mark.timeout(300)]

UNCHECKED_HASH = 0b01
"""The flags of a compiled module that is taken as it is (PEP 552)."""

STARTER_ZIPPED = 50
"""MB of the worker with the graphs that are deployed by default, as it is zipped fast; else it is a tenth smaller."""

Make = Callable[[str], Bundle]

LOADED = {
    "api": ({"pydantic", "aws_lambda_powertools"}, {"langgraph", "langchain_core", "starlette", "moto", "aws_cdk"}),
    "reconcile": ({"aws_lambda_powertools"}, {"langgraph", "pydantic", "starlette", "moto"}),
    "stream": ({"starlette", "jwt"}, {"langgraph", "langchain_core", "pydantic", "moto"}),
    "authorize_stream": ({"jwt"}, {"langgraph", "langchain_core", "pydantic", "moto"}),
    "worker": ({"langgraph"}, {"starlette", "moto", "aws_cdk", "starter"}),
}
"""Packages that a group's function, or the one of that name, has imported once it is imported; and packages that its
bundle does not have."""

CLIENTS = {
    "create_job": SERVICES["api"],
    "stream": SERVICES["stream"],
    "worker": [*SERVICES["worker"], "bedrock", "bedrock-runtime"],
    "reconcile": SERVICES["reconcile"],
}
"""Of one function per group: the services whose clients can be made in its bundle; two are of the worker's project."""


@pytest.fixture(scope="module")
def bundler(build: Path) -> Bundler:
    return Bundler(Platform.of_host(), graph_project(ROOT, DEFAULT), build=build)


@pytest.fixture(scope="module")
def bundle(bundler: Bundler) -> Make:
    """The bundle of a function, made once."""
    made: dict[str, Bundle] = {}

    def make(name: str) -> Bundle:
        if name not in made:
            made[name] = bundler.bundle(name)
        return made[name]

    return make


@pytest.mark.parametrize("name", GROUPS)
def test_a_bundle_imports_alone_and_brings_no_more_than_its_group(bundle: Make, alone: Alone, name: str) -> None:
    # What Lambda imports of the worker is what counts a start that fails; the rest follows.
    entry = "graphjobs_function, graphjobs.worker.handler" if name == "worker" else "graphjobs_function"
    clients = "".join(f"boto3.client({service!r}); " for service in CLIENTS.get(name, ()))
    code = f"import sys, {entry}\nprint(*set(sys.modules) - loaded)\nimport boto3; {clients}"
    imported = set(alone(bundle(name).folder, code, given=["boto3"]).split())
    has, has_not = LOADED[name] if name in LOADED else LOADED[GROUPS[name]]
    assert has <= imported
    assert not {package for package in has_not if (bundle(name).folder / package).exists()}


@pytest.mark.parametrize("name", GROUPS)
def test_a_bundle_is_no_larger_than_it_should_be(bundle: Make, name: str) -> None:
    made = bundle(name)
    files = [path for path in made.folder.rglob("*") if path.is_file()]
    assert made.size == sum(path.stat().st_size for path in files)
    assert made.zipped_fast <= {**LARGEST, "worker": STARTER_ZIPPED}[GROUPS[name]] * MEGABYTE
    assert made.size <= LARGEST_OF_LAMBDA


@pytest.mark.parametrize("name", GROUPS)
def test_a_bundle_has_its_own_function_and_no_other(bundle: Make, name: str) -> None:
    folder = bundle(name).folder
    assert (folder / "graphjobs_function.py").read_bytes() == (ROOT / "functions" / name / "handler.py").read_bytes()
    ours = {"src", "functions", "local", "client", "infra", "tests", "benchmarks", "docs", "examples", "project"}
    assert {path.name for path in folder.iterdir()} & ours == ({"project"} if name == "worker" else set())


@pytest.mark.parametrize("name", GROUPS)
def test_a_bundle_has_the_parts_of_the_package_that_its_function_needs(bundle: Make, name: str) -> None:
    parts = {path.stem for path in (bundle(name).folder / "graphjobs").iterdir()} - {"__init__", "__pycache__"}
    shared = {"core", "aws", "observability"}
    own = {"worker": {"worker"}, "stream": {"stream", "auth", "http"}, "reconcile": {"reconcile"}}
    own |= {name: {"notify", "auth", "http"} for name in ("publish_status", "deliver_webhook")}
    own |= {"authorize_stream": {"stream", "auth", "http"}, "canary": {"canary", "client"}}
    assert parts == shared | own.get(name, {"api", "auth", "http"})


@pytest.mark.parametrize("name", GROUPS)
def test_every_module_of_a_bundle_is_compiled_for_the_python_that_runs_it(bundle: Make, name: str) -> None:
    folder = bundle(name).folder
    sources = set(folder.rglob("*.py"))
    for source in sources:
        compiled = Path(cache_from_source(str(source)))
        if not compiled.exists():
            with pytest.raises(SyntaxError):
                compile(source.read_bytes(), source, "exec")
            continue
        head = compiled.read_bytes()[:8]
        assert head[:4] == MAGIC_NUMBER, source
        assert int.from_bytes(head[4:], "little") == UNCHECKED_HASH, source
    assert folder / "graphjobs_function.py" in sources


@pytest.mark.parametrize("name", CLIENTS)
def test_the_api_models_of_other_services_are_left_out(bundle: Make, name: str) -> None:
    data = bundle(name).folder / "botocore" / "data"
    assert {path.name for path in data.iterdir() if path.is_dir()} == set(CLIENTS[name])


@pytest.mark.parametrize("name", GROUPS)
def test_a_bundle_has_the_api_models_of_all_that_its_role_allows(bundle: Make, name: str) -> None:
    data = bundle(name).folder / "botocore" / "data"
    allowed = {action.partition(":")[0] for actions in PERMISSIONS[name].values() for action in actions}
    assert allowed <= {path.name for path in data.iterdir()}


def test_the_worker_runs_the_built_in_graphs_from_its_bundle(bundle: Make, alone: Alone) -> None:
    folder = bundle("worker").folder
    example = ROOT / "examples" / "starter"
    deployed = json.loads((folder / "project/langgraph.json").read_text())
    assert deployed["graphs"] == json.loads((example / "langgraph.json").read_text())["graphs"]
    assert deployed["dependencies"] == ["./."]
    assert list(folder.glob("graphjobs_starter-*.dist-info")), "its metadata is installed, its modules are in project/"
    knowledge = sorted(path.relative_to(example) for path in example.rglob("*.md"))
    assert knowledge
    assert all((folder / "project" / path).is_file() for path in knowledge)
    answer = alone(
        folder,
        "import asyncio\n"
        "from graphjobs.worker.graph_loader import GraphLoader\n"
        "loader = GraphLoader('project/langgraph.json')\n"
        "graph = loader.source('chat')\n"
        "print(*loader.names, len(str(asyncio.run(graph.ainvoke({'query': 'refund policy'})))))",
        given=LANGGRAPH,
    )
    *names, length = answer.split()
    assert names == ["chat", "report"]
    assert int(length) > 50


def test_the_stream_starts_from_a_script_that_may_be_run(bundle: Make) -> None:
    folder = bundle("stream").folder
    assert (folder / "run.sh").stat().st_mode & 0o777 == 0o755
    assert (folder / "uvicorn" / "__main__.py").is_file()


def test_the_same_inputs_make_the_same_bundle(bundler: Bundler, bundle: Make) -> None:
    def state(made: Bundle) -> dict[str, tuple[int, bytes, float]]:
        files = [path for path in made.folder.rglob("*") if path.is_file()]
        stats = {str(path.relative_to(made.folder)): path.stat() for path in files}
        return {name: (stat.st_mode, (made.folder / name).read_bytes(), stat.st_mtime) for name, stat in stats.items()}

    first = state(bundle("reconcile"))
    assert state(bundler.bundle("reconcile")) == first
    assert len({mtime for _, _, mtime in first.values()}) == 1


def test_a_bundle_that_has_grown_too_large_is_refused(
    bundler: Bundler, bundle: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = bundle("worker")
    monkeypatch.setitem(bundling.LARGEST, "reconcile", 0)
    with pytest.raises(bundling.BundleTooLarge, match=r"reconcile .* at most 0 MB zipped"):
        bundler.bundle("reconcile")
    monkeypatch.setattr(bundler, "_worker_limit", 10)
    with pytest.raises(bundling.BundleTooLarge, match=r"Lambda takes 250 MB as a zip .* worker_package=image"):
        bundler.check(worker)


def test_what_is_installed_is_what_the_lock_file_pins() -> None:
    requirements = uv.export(ROOT, "stream")
    pinned = [line for line in requirements.splitlines() if line and line[0].isalnum()]
    assert pinned
    assert all("==" in line for line in pinned)
    assert requirements.count("--hash=sha256:") >= len(pinned)
