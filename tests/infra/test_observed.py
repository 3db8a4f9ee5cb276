"""Dashboards, alarms and saved queries ask for what the functions really write."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from graphjobs.core.manifest import FUNCTIONS, METRICS
from graphjobs.observability import ENDS, MILLISECONDS, Metric
from graphjobs.observability import metrics as make_metrics
from infra.installed import ROOT
from tests.infra.recorded import Recording
from tests.infra.template import Template

RARE = {
    ("JobsCancelled", "worker"),
    ("JobsCancelled", "reconcile"),
    ("FencedWrites", "worker"),
    ("StartFailures", "worker"),
}
"""Not in the scenario; that the code counts them is seen in its source."""


def written_everywhere() -> set[tuple[str, str]]:
    """(metric, service) of what the functions write that every deployment has."""
    pairs = {(name, service) for name, services in METRICS.items() for service in services}
    return {(name, service) for name, service in pairs if not FUNCTIONS[service].optional}


def asked(template: Template) -> set[tuple[str, str, str]]:
    """(namespace, metric, service) of each metric of ours on the dashboard."""
    body = template.only("AWS::CloudWatch::Dashboard")["Properties"]["DashboardBody"]["Fn::Join"][1]
    text = "".join(part if isinstance(part, str) else "X" for part in body)
    found = set()
    for widget in json.loads(text)["widgets"]:
        for metric in widget["properties"].get("metrics", []):
            if isinstance(metric[0], str) and metric[0].startswith("graphjobs/"):
                assert metric[2] == "service"
                found.add((metric[0], metric[1], metric[3]))
    return found


def test_the_dashboard_shows_every_metric_from_everybody_who_writes_it(template: Template) -> None:
    expected = {("graphjobs/dev", name, service) for name, service in written_everywhere()}
    assert asked(template) == expected


def test_every_metric_of_the_code_is_known_to_the_stack() -> None:
    assert set(METRICS) == {metric.value for metric in Metric}


def test_the_functions_write_each_metric_under_their_own_name(recording: Recording) -> None:
    written = recording.metrics()
    assert set(written) == written_everywhere() - RARE
    for (name, _), unit in written.items():
        assert unit == ("Milliseconds" if Metric(name) in MILLISECONDS else "Count")


@pytest.mark.parametrize(("name", "service"), sorted(RARE))
def test_a_rare_metric_is_counted_in_the_code_of_its_function(name: str, service: str) -> None:
    source = ROOT / "src" / "graphjobs"
    paths = source.joinpath(service).glob("*.py") if (source / service).is_dir() else [source / "api" / f"{service}.py"]
    sources = "".join(path.read_text() for path in paths)
    counted = f"Metric.{Metric(name).name}" in sources
    assert counted or (Metric(name) in ENDS.values() and ("ENDS[" in sources or "record_end(" in sources))


def test_metrics_go_to_the_namespace_of_the_stage(
    template: Template, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    namespace = template.environment("worker")["POWERTOOLS_METRICS_NAMESPACE"]
    monkeypatch.setenv("POWERTOOLS_METRICS_NAMESPACE", namespace)
    sink = make_metrics("worker")
    sink.add_metric(name="Attempts", unit="Count", value=1)
    sink.flush_metrics()
    (directive,) = json.loads(capsys.readouterr().out)["_aws"]["CloudWatchMetrics"]
    assert directive["Namespace"] == namespace


def queries(template: Template) -> dict[str, str]:
    found = template.of_type("AWS::Logs::QueryDefinition").values()
    return {
        item["Properties"]["Name"]["Fn::Join"][1][-1].strip("/"): item["Properties"]["QueryString"] for item in found
    }


def fields_of(query: str) -> set[str]:
    """The names in a query that are those of fields, not of its own results."""
    code = re.sub(r'"[^"]*"', "", query)
    own = set(re.findall(r"\bas (\w+)", code))
    words = set(re.findall(r"@?\b[a-z_]+\b(?!\()", code))
    syntax = {"fields", "filter", "sort", "limit", "stats", "asc", "desc", "by", "as", "in", "and", "or", "timestamp"}
    return {word for word in words if word not in syntax} - own


def test_the_saved_queries_are_those_that_operations_needs(template: Template) -> None:
    assert set(queries(template)) == {"everything-about-one-job", "slowest-jobs", "failures-by-code", "errors"}


def test_a_saved_query_asks_for_fields_that_the_functions_log(template: Template, recording: Recording) -> None:
    logged = {key for line in recording.logged() for key in line} | {"@timestamp"}
    for name, query in queries(template).items():
        assert fields_of(query) <= logged, name


def test_a_saved_query_looks_into_every_function(template: Template) -> None:
    for item in template.of_type("AWS::Logs::QueryDefinition").values():
        groups = {reference["Ref"] for reference in item["Properties"]["LogGroupNames"]}
        functions = {key for key in template.of_type("AWS::Logs::LogGroup") if key.startswith("Functions")}
        assert groups == {key for key in functions if "EmptyBucket" not in key}


def matching(recording: Recording, **wanted: Any) -> list[dict[str, Any]]:
    return [line for line in recording.logged() if all(line.get(key) == value for key, value in wanted.items())]


def test_failures_by_code_finds_each_failed_job_whoever_has_ended_it(recording: Recording) -> None:
    found = [line for line in matching(recording, status="failed") if "code" in line]
    assert sorted((line["service"], line["code"]) for line in found) == [
        ("reconcile", "timed_out"),
        ("worker", "graph_error"),
    ]
    assert all(line["job_id"].startswith("job-") for line in found)


def test_slowest_jobs_finds_beginning_and_end_of_each_run(recording: Recording) -> None:
    claimed = matching(recording, service="worker", message="claimed")
    finished = matching(recording, service="worker", message="finished")
    assert {line["job_id"] for line in finished} <= {line["job_id"] for line in claimed}
    assert len(finished) == 6
    assert {line["attempt"] for line in finished} == {1}


def test_lambda_takes_every_line_for_the_level_that_it_names(recording: Recording) -> None:
    # One without a level of Lambda's, or with a time that is not of RFC 3339, would be filed as INFO.
    for line in recording.logged():
        assert line["level"] in {"DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"}
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)", line["timestamp"])


def test_every_line_about_a_job_names_it(recording: Recording) -> None:
    for line in matching(recording, service="worker"):
        assert line["job_id"].startswith("job-"), line["message"]


AROUND_EVERY_LINE = {"job_id", "timestamp", "location", "function_request_id", "exception_name", "stack_trace"}
"""What the query asks for, and where in the code and in Lambda a line was written."""


def test_everything_about_one_job_shows_all_that_its_lines_say(template: Template, recording: Recording) -> None:
    shown = fields_of(queries(template)["everything-about-one-job"])
    said = {key for line in recording.logged() if "job_id" in line for key in line} - AROUND_EVERY_LINE
    assert {"left", "epoch", "attempt"} <= said
    assert said <= shown
