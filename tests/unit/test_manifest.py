"""The manifest of functions is whole, is true of the code, and is the only place to add a route in."""

from __future__ import annotations

import ast
import re
from dataclasses import fields
from pathlib import Path

import pytest

from graphjobs.core.api_functions import API, ROUTES
from graphjobs.core.function_spec import FunctionSpec
from graphjobs.core.manifest import FUNCTIONS, METRICS
from graphjobs.core.settings import Settings, SettingsError
from graphjobs.observability import Metric

ROOT = Path(__file__).resolve().parents[2]
SETTINGS = {spec.name: spec for spec in fields(Settings)}
MAY_BE_EMPTY = {
    "admin_claim",
    "admin_value",
    "graph_digest",
    "model",
    "secrets",
    "webhook_hosts",
    "event_bus",
    "webhooks_url",
}
"""Settings whose empty default means something."""

OWN_PLACES = ("src/graphjobs/core/api_functions.py", "src/graphjobs/api/__init__.py")
"""Besides a function's own module and entry: the manifest, and the list of modules that each package begins with."""


def test_every_function_has_its_entry_and_no_entry_is_without_a_function() -> None:
    assert {path.parent.name for path in (ROOT / "functions").glob("*/handler.py")} == set(FUNCTIONS)


@pytest.mark.parametrize("spec", FUNCTIONS.values(), ids=lambda spec: spec.name)
def test_an_entry_leads_to_the_module_of_the_manifest(spec: FunctionSpec) -> None:
    entry = ast.parse((ROOT / "functions" / spec.name / "handler.py").read_text(encoding="utf-8"))
    loaded = [node.module for node in ast.walk(entry) if isinstance(node, ast.ImportFrom)]
    assert loaded == ["graphjobs.core.loading", spec.module]


@pytest.mark.parametrize("spec", FUNCTIONS.values(), ids=lambda spec: spec.name)
def test_what_a_function_needs_has_no_default_and_what_it_reads_has_one(spec: FunctionSpec) -> None:
    assert not set(spec.needs) & set(spec.reads)
    assert all(SETTINGS[name].default in ("", ()) for name in spec.needs)
    assert all(SETTINGS[name].default not in ("", ()) for name in set(spec.reads) - MAY_BE_EMPTY)


@pytest.mark.parametrize("spec", FUNCTIONS.values(), ids=lambda spec: spec.name)
def test_a_function_does_not_start_without_what_it_needs(spec: FunctionSpec) -> None:
    environ = {f"GRAPHJOBS_{name.upper()}": "any" for name in spec.needs}
    spec.settings(environ)
    for name in environ:
        with pytest.raises(SettingsError, match=name):
            spec.settings({key: value for key, value in environ.items() if key != name})


def test_every_metric_has_a_writer_and_every_writer_writes_one_that_exists() -> None:
    assert set(METRICS) == {metric.value for metric in Metric}
    for metric, writers in METRICS.items():
        assert writers == tuple(name for name, spec in FUNCTIONS.items() if metric in spec.metrics)


def test_no_two_functions_answer_the_same_route() -> None:
    routes = [(method, path) for method, path, _ in ROUTES]
    assert len(set(routes)) == len(routes) == sum(len(spec.routes) for spec in API)


@pytest.mark.parametrize("name", [spec.name for spec in API if spec.name != "create_job"])
def test_nothing_else_knows_a_function_of_the_api_by_name(name: str) -> None:
    """So adding one changes the manifest, its own files, its tests and docs/openapi.json, and nothing else."""
    own = {*OWN_PLACES, f"functions/{name}/handler.py", FUNCTIONS[name].module.replace(".", "/") + ".py"}
    mentions = re.compile(rf"[\"']{name}[\"']|graphjobs\.api\.{name}\b|graphjobs\.api import .*\b{name}\b")
    for folder in ("src", "functions", "infra", "deploy", "benchmarks"):
        for path in (ROOT / folder).rglob("*.py"):
            relative = path.relative_to(ROOT).as_posix()
            if relative.startswith(("src/graphjobs/cli/", "src/graphjobs/client/")):
                continue  # have verbs of their own, some by the same name
            if relative not in own and relative.removeprefix("src/") not in own:
                assert not mentions.search(path.read_text(encoding="utf-8")), relative
