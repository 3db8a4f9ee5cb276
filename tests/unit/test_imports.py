"""What each function imports: a bundle holds only its own group of packages, and import time is start-up time."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import graphjobs
from graphjobs.core.manifest import FUNCTIONS

ROOT = Path(__file__).parents[2]
SOURCE = Path(next(iter(graphjobs.__path__)))

MODELS = {"langgraph", "langgraph_checkpoint_aws", "langchain", "langchain_core", "langchain_aws", "langsmith"}
SERVERS = {"starlette", "uvicorn", "httpx"}
TOKENS = {"jwt", "cryptography"}
ABSENT = {
    **{spec.module: MODELS | SERVERS | TOKENS | {"moto"} for spec in FUNCTIONS.values() if "api" in spec.module},
    "graphjobs.notify.publish": MODELS | SERVERS | TOKENS | {"moto", "pydantic"},
    "graphjobs.notify.deliver": MODELS | SERVERS | TOKENS | {"moto", "pydantic"},
    "graphjobs.canary.handler": MODELS | SERVERS | TOKENS | {"moto", "pydantic"},
    "graphjobs.stream.authorizer": MODELS | SERVERS | {"moto", "pydantic"},
    "graphjobs.reconcile.handler": MODELS | SERVERS | TOKENS | {"moto"},
    "graphjobs.stream.app": MODELS | {"moto", "httpx"},
    # It must work whatever becomes of LangGraph and the project.
    "graphjobs.worker.start": MODELS | SERVERS | TOKENS | {"moto"},
}
LATER = {"graphjobs.worker.handler": {"starlette", "uvicorn", "moto", "jwt", "langchain", "langchain_aws"}}
"""What a function imports once it runs, and what that must not load."""

OURS_BUT_NEVER_BUNDLED = {"infra", "tests", "benchmarks", "compat", "deploy"}

MAY_IMPORT: dict[str, set[str]] = {
    "core": set(),
    "client": {"core"},
    "aws": {"core"},
    "auth": {"core", "aws"},
    "http": {"core", "aws", "auth"},
    "api": {"core", "aws", "auth", "http", "observability"},
    "stream": {"core", "aws", "auth", "http", "observability"},
    "worker": {"core", "aws", "observability"},
    "reconcile": {"core", "aws", "observability"},
    "canary": {"core", "client", "aws", "observability"},
    "notify": {"core", "aws", "auth", "http", "observability"},
    "local": {
        "processes",
        "observability",
        "core",
        "aws",
        "auth",
        "http",
        "api",
        "stream",
        "worker",
        "reconcile",
        "packages",
    },
    "packages": {"core"},
    "cli": {"core", "client", "packages", "processes"},
    "admin": {"core", "client", "cli", "aws", "reconcile", "local"},
    "testing": {"core", "aws", "local", "worker"},
}
"""Which other parts of the package each part may import; `cli` reaches `local`
and `admin` by name, when it is asked for."""

# A process a module, each forked from one that has loaded what most of them share: that alone takes half a second.
# Those that may load pydantic come last, and share that too.
LOADED = """
import gc, importlib, json, os, sys
gc.disable()
def share(*modules):
    for module in modules:
        importlib.import_module(module)
    gc.freeze()
def report(module):
    if os.fork() == 0:
        importlib.import_module(module)
        sys.stdout.write(json.dumps([module, sorted({name.partition('.')[0] for name in sys.modules})]) + chr(10))
        sys.stdout.flush()
        os._exit(0)
    if os.wait()[1]:
        sys.exit(f"{module} cannot be imported")
without, others = map(json.loads, sys.argv[1:])
share("aws_lambda_powertools", "boto3")
for module in without:
    report(module)
share("aws_lambda_powertools.event_handler.openapi.models", "pydantic")
for module in others:
    report(module)
"""


@cache
def loaded() -> dict[str, frozenset[str]]:
    """By function: the top-level names that are loaded in a fresh process that imports its module."""
    tables = {**ABSENT, **LATER}
    without = [module for module, absent in tables.items() if "pydantic" in absent]
    others = [module for module in tables if module not in without]
    command = [sys.executable, "-W", "error", "-c", LOADED, json.dumps(without), json.dumps(others)]
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("GRAPHJOBS_", "COV_"))}
    run = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=100, check=False)
    assert run.returncode == 0, run.stderr
    return {module: frozenset(names) for module, names in map(json.loads, run.stdout.splitlines())}


def loaded_by(module: str) -> frozenset[str]:
    """The top-level names that `module` loads."""
    return loaded()[module]


@cache
def imported(path: Path) -> frozenset[str]:
    """Every module that a file names in an import, wherever in the file that is."""
    return frozenset(_imported(path))


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            module = node.module or ""
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def test_the_table_above_knows_every_function() -> None:
    assert {spec.module for spec in FUNCTIONS.values()} == set(ABSENT)


@pytest.mark.parametrize("module", [*ABSENT, *LATER])
def test_a_function_loads_nothing_that_it_does_not_need(module: str) -> None:
    assert not loaded_by(module) & ({**ABSENT, **LATER}[module] | OURS_BUT_NEVER_BUNDLED)


def test_the_check_sees_what_is_loaded() -> None:
    """The stream does need these: were they not seen, the test above could not fail."""
    assert {"starlette", "jwt", "cryptography", "boto3", "graphjobs"} <= loaded_by("graphjobs.stream.app")


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_entry_is_nothing_but_the_name_of_what_lambda_calls(name: str) -> None:
    path = ROOT / "functions" / name / "handler.py"
    assert len(path.read_text(encoding="utf-8").splitlines()) <= 15
    assert {module.partition(".")[0] for module in imported(path)} == {"graphjobs"}


def parts_imported(part: str) -> set[str]:
    """The other parts of the package that the modules of `part` import."""
    paths = sorted((SOURCE / part).rglob("*.py"))
    assert len(paths) > 1
    named = {module.split(".")[1] for path in paths for module in imported(path) if module.startswith("graphjobs.")}
    return named - {part}


@pytest.mark.parametrize("part", MAY_IMPORT)
def test_dependencies_point_one_way(part: str) -> None:
    assert parts_imported(part) <= MAY_IMPORT[part]


def test_the_table_of_parts_is_complete_and_has_no_circle() -> None:
    assert set(MAY_IMPORT) == {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    order: list[str] = ["observability", "processes"]
    while not set(MAY_IMPORT) <= set(order):
        free = [part for part in MAY_IMPORT if part not in order and MAY_IMPORT[part] <= set(order)]
        assert free, "a circle"
        order += free


def test_nothing_of_the_package_imports_what_is_not_in_it() -> None:
    for path in sorted(SOURCE.rglob("*.py")):
        named = {module.partition(".")[0] for module in imported(path)}
        assert not named & {"functions", "infra", "tests", "benchmarks", "compat", "deploy", "starter"}, path


def test_only_the_worker_imports_langgraph_and_only_the_stream_a_web_framework() -> None:
    for path in sorted(SOURCE.rglob("*.py")):
        part = path.relative_to(SOURCE).parts[0]
        named = {module.partition(".")[0] for module in imported(path)}
        assert part == "worker" or path == SOURCE / "testing" / "saver.py" or not named & MODELS, path
        assert part in ("stream", "local") or "starlette" not in named, path
        assert part in ("local", "testing") or "moto" not in named, path
        assert part == "local" or "jwt" not in named or path.name == "jwt_auth.py", path


@pytest.mark.parametrize(
    "package", [path.parent for path in sorted(SOURCE.glob("*/__init__.py"))], ids=lambda p: p.name
)
def test_a_package_says_what_each_of_its_modules_holds(package: Path) -> None:
    text = ast.get_docstring(ast.parse((package / "__init__.py").read_text(encoding="utf-8"))) or ""
    described = re.findall(r"^\* `(\w+)`: \S", text, re.MULTILINE)
    assert described == sorted(path.stem for path in package.glob("*.py") if path.name != "__init__.py")
