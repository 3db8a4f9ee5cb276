"""What each function imports: a bundle holds only its own group of packages, and import time is start-up time."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

import pytest

import functions
import graphjobs

ROOT = Path(next(iter(functions.__path__))).parent
FUNCTIONS = sorted(path.parent.name for path in (ROOT / "functions").glob("*/__init__.py"))
API = ("cancel_job", "create_job", "job_status", "list_jobs", "not_found", "stream_ticket")

MODELS = {"langgraph", "langgraph_checkpoint_aws", "langchain", "langchain_core", "langchain_aws", "langsmith"}
SERVERS = {"starlette", "uvicorn", "httpx"}
TOKENS = {"jwt", "cryptography"}
ABSENT = {
    **{f"functions.{name}.handler": MODELS | SERVERS | TOKENS | {"moto"} for name in API},
    "functions.reconcile.handler": MODELS | SERVERS | TOKENS | {"moto"},
    "functions.stream.app": MODELS | {"moto", "httpx"},
    "functions.worker.handler": {"starlette", "uvicorn", "moto", "jwt", "langchain", "langchain_aws"},
}
OURS_BUT_NEVER_BUNDLED = {"client", "infra", "local", "tests", "benchmarks"}

NEEDS_NO_PACKAGE = "functions.not_found.handler"

# A process a module, each forked from one that has loaded what most of them share: that alone takes half a second.
LOADED = """
import importlib, json, os, sys
def report(module):
    if os.fork() == 0:
        importlib.import_module(module)
        sys.stdout.write(json.dumps([module, sorted({name.partition('.')[0] for name in sys.modules})]) + chr(10))
        sys.stdout.flush()
        os._exit(0)
    if os.wait()[1]:
        sys.exit(f"{module} cannot be imported")
report(sys.argv[1])
import aws_lambda_powertools, boto3
for module in sys.argv[2:]:
    report(module)
"""


@lru_cache
def loaded() -> dict[str, frozenset[str]]:
    """By function: the top-level names that are loaded in a fresh process that imports its module."""
    others = [module for module in ABSENT if module != NEEDS_NO_PACKAGE]
    command = [sys.executable, "-W", "error", "-c", LOADED, NEEDS_NO_PACKAGE, *others]
    environ = {name: value for name, value in os.environ.items() if not name.startswith(("GRAPHJOBS_", "COV_"))}
    run = subprocess.run(command, cwd=ROOT, env=environ, capture_output=True, text=True, timeout=100, check=False)
    assert run.returncode == 0, run.stderr
    return {module: frozenset(names) for module, names in map(json.loads, run.stdout.splitlines())}


def loaded_by(module: str) -> frozenset[str]:
    """The top-level names that `module` loads."""
    return loaded()[module]


def imported(path: Path) -> Iterator[str]:
    """Every module that a file names in an import, wherever in the file that is."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} has a relative import"
            module = node.module or ""
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def test_the_table_above_knows_every_function() -> None:
    named = {module.split(".")[1] for module in ABSENT}
    assert named == set(FUNCTIONS)


@pytest.mark.parametrize("module", ABSENT)
def test_a_function_loads_nothing_that_it_does_not_need(module: str) -> None:
    assert not loaded_by(module) & (ABSENT[module] | OURS_BUT_NEVER_BUNDLED)


def test_the_check_sees_what_is_loaded() -> None:
    """The stream does need these: were they not seen, the test above could not fail."""
    assert {"starlette", "jwt", "cryptography", "boto3", "graphjobs"} <= loaded_by("functions.stream.app")


def test_the_404_of_unknown_routes_needs_no_package_at_all() -> None:
    assert not loaded_by(NEEDS_NO_PACKAGE) & {"boto3", "botocore", "pydantic", "aws_lambda_powertools"}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_imports_no_other_function(name: str) -> None:
    for path in sorted((ROOT / "functions" / name).rglob("*.py")):
        for module in imported(path):
            parts = module.split(".")
            assert parts[0] not in OURS_BUT_NEVER_BUNDLED, f"{path}: {module}"
            assert parts[0] != "functions" or parts[1:2] == [name], f"{path}: {module}"


def test_what_the_functions_share_imports_none_of_them() -> None:
    forbidden = OURS_BUT_NEVER_BUNDLED | MODELS | {"functions", "graphs", "moto", "starlette"}
    paths = sorted(Path(next(iter(graphjobs.__path__))).rglob("*.py"))
    assert len(paths) > 20
    for path in paths:
        named = {module.partition(".")[0] for module in imported(path)}
        assert not named & forbidden, path


def test_only_the_stream_imports_a_web_framework_and_only_one_module_a_token_library() -> None:
    for path in sorted([*(ROOT / "functions").rglob("*.py"), *(ROOT / "graphjobs").rglob("*.py")]):
        named = {module.partition(".")[0] for module in imported(path)}
        assert "starlette" not in named or path.parent.name == "stream", path
        assert "jwt" not in named or path.name == "jwt_auth.py", path
