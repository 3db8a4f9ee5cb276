"""What holds of every function: logs, tracing, platform, handlers that exist, variables that the code knows."""

from __future__ import annotations

import ast
from dataclasses import fields

import pytest

from graphjobs.core.settings import Settings
from infra.bundling import ENTRY
from infra.installed import ROOT
from tests.infra.conftest import Synth
from tests.infra.template import Template, construct

API = ("create_job", "job_status", "list_jobs", "cancel_job", "stream_ticket", "threads")
OURS = (*API, "stream", "worker", "reconcile")


def test_traces_are_taken_where_they_are_asked_for(template: Template, elsewhere: Template) -> None:
    for name in template.functions():
        assert "TracingConfig" not in template.function(name), name
        assert elsewhere.function(name)["TracingConfig"] == {"Mode": "Active"}, name


def test_every_function_logs_json_to_a_group_of_its_own(template: Template) -> None:
    for name in template.functions():
        made = template.function(name)
        assert made["LoggingConfig"]["LogFormat"] == "JSON", name
        assert made["LoggingConfig"]["LogGroup"] == {
            "Ref": template.logical_id("AWS::Logs::LogGroup", construct(name) + "Logs")
        }


def test_logs_are_kept_as_long_as_configured(template: Template, elsewhere: Template) -> None:
    for found, days in ((template, 30), (elsewhere, 90)):
        groups = found.of_type("AWS::Logs::LogGroup").values()
        assert {group["Properties"]["RetentionInDays"] for group in groups} == {days}


def test_platform_and_memory_are_those_of_the_configuration(template: Template, elsewhere: Template) -> None:
    for found, runtime, architecture in ((template, "python3.13", "arm64"), (elsewhere, "python3.12", "x86_64")):
        for name in found.functions():
            made = found.function(name)
            assert (made["Runtime"], made["Architectures"]) == (runtime, [architecture])
    assert (template.function("worker")["MemorySize"], elsewhere.function("worker")["MemorySize"]) == (512, 2048)
    assert (template.function("stream")["MemorySize"], template.function("create_job")["MemorySize"]) == (256, 512)
    assert (template.function("worker")["Timeout"], elsewhere.function("worker")["Timeout"]) == (900, 300)


@pytest.mark.parametrize("name", API)
def test_an_api_function_answers_before_the_api_gives_up(template: Template, name: str) -> None:
    assert template.function(name)["Timeout"] < 30


@pytest.mark.parametrize("name", OURS)
def test_the_handler_exists(template: Template, name: str) -> None:
    handler = template.function(name)["Handler"]
    if name == "stream":
        assert (ROOT / "functions" / "stream" / handler).is_file()
        return
    assert handler == f"{ENTRY}.handler"
    source = (ROOT / "functions" / name / "handler.py").read_text()
    imported = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ImportFrom)]
    assert "handler" in [alias.name for node in imported for alias in node.names]


@pytest.mark.parametrize("name", OURS)
def test_every_variable_is_one_that_the_code_reads(template: Template, name: str) -> None:
    known = {f"GRAPHJOBS_{spec.name.upper()}" for spec in fields(Settings)}
    foreign = {"POWERTOOLS_METRICS_NAMESPACE"} | (
        {"AWS_LAMBDA_EXEC_WRAPPER", "AWS_LWA_INVOKE_MODE", "AWS_LWA_PORT", "AWS_LWA_READINESS_CHECK_PATH"}
        if name == "stream"
        else set()
    )
    assert set(template.environment(name)) <= known | foreign


def test_those_who_let_an_administrator_in_know_who_that_is_and_only_where_there_are_some(
    template: Template, elsewhere: Template
) -> None:
    knowing = {"list_jobs", "job_status", "cancel_job", "stream_ticket", "threads", "stream"}
    for name in elsewhere.functions():
        told = {key: value for key, value in elsewhere.environment(name).items() if key.startswith("GRAPHJOBS_ADMIN")}
        named = {"GRAPHJOBS_ADMIN_CLAIM": "cognito:groups", "GRAPHJOBS_ADMIN_VALUE": "graphjobs-admins"}
        assert told == (named if name in knowing else {}), name
    assert not [name for name in template.functions() if "GRAPHJOBS_ADMIN_CLAIM" in template.environment(name)]


def test_the_settings_that_the_functions_read_are_those_of_the_configuration(elsewhere: Template) -> None:
    plain = {key: value for key, value in elsewhere.environment("worker").items() if isinstance(value, str)}
    settings = Settings.from_env(plain)
    assert (settings.lease_seconds, settings.heartbeat_seconds) == (20, 5)
    assert settings.max_timeout_seconds == 90_000
    assert settings.retention_seconds == 3 * 86_400
    assert plain["TAVILY_REGION"] == "eu"
    assert plain["GRAPHJOBS_CONFIG"] == "project/langgraph.json"
    assert elsewhere.environment("create_job")["GRAPHJOBS_GRAPHS"] == "chat,report"


def test_whoever_shares_a_setting_has_the_same_value(production: Template) -> None:
    seen: dict[str, object] = {}
    for name in OURS:
        for key, value in production.environment(name).items():
            assert seen.setdefault(key, value) == value, (name, key)
    assert production.environment("worker")["GRAPHJOBS_MODEL"] == "bedrock_converse:eu.maker.model-v1:0"


@pytest.mark.parametrize("which", ["template", "production", "elsewhere"])
def test_everything_that_calls_a_function_calls_its_published_version(
    which: str, request: pytest.FixtureRequest
) -> None:
    found: Template = request.getfixturevalue(which)
    integrations = found.of_type("AWS::ApiGatewayV2::Integration").values()
    called = {found.called(item["Properties"]["IntegrationUri"]) for item in integrations}
    assert called == {f"{name}:live" for name in API}
    mapping = found.only("AWS::Lambda::EventSourceMapping", "WorkerMapping")["Properties"]
    assert found.called(mapping["FunctionName"]) == "worker:live"
    url = found.only("AWS::Lambda::Url")["Properties"]
    assert (found.called(url["TargetFunctionArn"]), url["Qualifier"]) == ("stream", "live")
    (schedule,) = found.only("AWS::Events::Rule", "Reconcile")["Properties"]["Targets"]
    assert found.called(schedule["Arn"]) == "reconcile:live"
    for alias in found.of_type("AWS::Lambda::Alias").values():
        version = found.resources[alias["Properties"]["FunctionVersion"]["Fn::GetAtt"][0]]
        assert version["Type"] == "AWS::Lambda::Version"
    asked_for = {"publish_status", "deliver_webhook", "canary"} & set(found.functions())
    assert len(found.of_type("AWS::Lambda::Alias")) == len(OURS) + len(asked_for)


def test_snap_start_is_for_those_whom_somebody_waits_for(template: Template, production: Template) -> None:
    snapped = (*API, "stream", "worker")
    for name in OURS:
        snap_start = production.function(name).get("SnapStart", {"ApplyOn": "None"})
        assert snap_start["ApplyOn"] == ("PublishedVersions" if name in snapped else "None"), name
        assert template.function(name).get("SnapStart", {"ApplyOn": "None"})["ApplyOn"] == "None"


def test_versions_outlive_the_deployment_that_made_them(template: Template) -> None:
    """The way back: see infra/releases.py."""
    versions = template.of_type("AWS::Lambda::Version").values()
    assert len(versions) == len(OURS)
    assert {version["DeletionPolicy"] for version in versions} == {"Retain"}


def test_all_functions_of_a_deployment_carry_its_release(template: Template, synth: Synth) -> None:
    def releases(found: Template) -> set[str]:
        return {found.environment(name)["GRAPHJOBS_RELEASE"] for name in OURS}

    (release,) = releases(template)
    assert releases(synth(throttle_rate=101)) not in ({release}, set())
    assert "GRAPHJOBS_RELEASE" not in template.environment("empty_bucket")


def test_concurrency_is_reserved_only_where_it_is_configured_or_can_be_spared(
    template: Template, production: Template
) -> None:
    reserved = {name: production.function(name).get("ReservedConcurrentExecutions") for name in OURS}
    assert reserved == dict.fromkeys(OURS) | dict.fromkeys(API, 20) | {"stream": 200}
    assert not [name for name in OURS if "ReservedConcurrentExecutions" in template.function(name)]


def test_what_graphs_raise_is_logged_in_full_only_outside_production(template: Template, production: Template) -> None:
    assert template.environment("worker")["GRAPHJOBS_LOG_GRAPH_ERRORS"] == "full"
    assert production.environment("worker")["GRAPHJOBS_LOG_GRAPH_ERRORS"] == "type"
