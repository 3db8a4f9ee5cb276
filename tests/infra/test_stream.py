"""The stream function: an adapter in front of uvicorn, on a URL that streams."""

from __future__ import annotations

import os
import select
import stat
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from graphjobs.stream.app import create_app
from infra.installed import ROOT
from tests.infra.template import Template, arn_text

SCRIPT = ROOT / "functions" / "stream" / "run.sh"


def url(template: Template) -> dict[str, Any]:
    properties: dict[str, Any] = template.only("AWS::Lambda::Url")["Properties"]
    return properties


@pytest.mark.parametrize("which", ["template", "production", "elsewhere"])
def test_the_function_outlives_the_window_of_a_connection(which: str, request: pytest.FixtureRequest) -> None:
    found: Template = request.getfixturevalue(which)
    window = int(found.environment("stream")["GRAPHJOBS_STREAM_WINDOW_SECONDS"])
    assert found.function("stream")["Timeout"] >= window + 30


def test_the_url_streams_and_leaves_it_to_the_app_whom_to_let_in(template: Template) -> None:
    assert url(template)["InvokeMode"] == "RESPONSE_STREAM"
    assert url(template)["AuthType"] == "NONE"
    assert template.called(url(template)["TargetFunctionArn"]) == "stream"


@pytest.mark.parametrize(("which", "called"), [("template", "stream:live"), ("production", "stream:live")])
def test_everybody_may_call_the_function_by_its_url_and_only_so(
    which: str, called: str, request: pytest.FixtureRequest
) -> None:
    """AWS asks for both permissions since October 2025, on the alias if the URL is of one."""
    found: Template = request.getfixturevalue(which)
    open_to_all = [
        item["Properties"]
        for item in found.of_type("AWS::Lambda::Permission").values()
        if item["Properties"]["Principal"] == "*"
    ]
    assert {found.called(item["FunctionName"]) for item in open_to_all} == {called}
    conditions = {item["Action"]: item for item in open_to_all}
    assert conditions["lambda:InvokeFunctionUrl"]["FunctionUrlAuthType"] == "NONE"
    assert conditions["lambda:InvokeFunction"]["InvokedViaFunctionUrl"] is True


@pytest.mark.parametrize(
    ("which", "layer"),
    [
        ("template", "arn:<AWS::Partition>:lambda:<AWS::Region>:753240598075:layer:LambdaAdapterLayerArm64:30"),
        ("elsewhere", "arn:<AWS::Partition>:lambda:eu-west-1:753240598075:layer:LambdaAdapterLayerX86:20"),
    ],
)
def test_the_layer_is_of_the_functions_region_and_architecture(
    which: str, layer: str, request: pytest.FixtureRequest
) -> None:
    found: Template = request.getfixturevalue(which)
    (arn,) = found.function("stream")["Layers"]
    assert arn_text(arn) == layer
    assert not [name for name in found.functions() if name != "stream" and "Layers" in found.function(name)]


def test_the_adapter_wraps_the_script_and_finds_the_app(template: Template) -> None:
    environment = template.environment("stream")
    assert environment["AWS_LAMBDA_EXEC_WRAPPER"] == "/opt/bootstrap"
    assert environment["AWS_LWA_INVOKE_MODE"] == "response_stream"
    service: Any = SimpleNamespace(stream=None, logger=None)
    routes = [getattr(route, "path", "") for route in create_app(service).routes]
    assert environment["AWS_LWA_READINESS_CHECK_PATH"] in routes
    script = SCRIPT.read_text()
    assert template.function("stream")["Handler"] == SCRIPT.name
    assert f'--port "${{AWS_LWA_PORT:-{environment["AWS_LWA_PORT"]}}}"' in script
    assert "--no-access-log" in script, "an access log would print tickets"
    assert stat.S_IMODE(SCRIPT.stat().st_mode) == 0o755
    assert script.startswith("#!/bin/sh\n")


def test_what_the_app_prints_is_out_at_once(tmp_path: Path) -> None:
    """Metrics are printed: in a buffer they would wait in a frozen process, and be lost with it."""
    (tmp_path / "uvicorn").mkdir()
    (tmp_path / "uvicorn" / "__main__.py").write_text("import time\nprint('metrics')\ntime.sleep(60)\n")
    (tmp_path / "python").symlink_to(sys.executable)
    environ = {"PATH": f"{tmp_path}{os.pathsep}{os.defpath}", "LAMBDA_TASK_ROOT": str(tmp_path)}
    with subprocess.Popen([str(SCRIPT)], env=environ, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert select.select([process.stdout], [], [], 20)[0], "nothing was printed"
            assert process.stdout.readline() == b"metrics\n"
        finally:
            process.kill()


def test_cross_origin_answers_come_from_the_url_and_never_from_the_app_as_well(
    template: Template, elsewhere: Template
) -> None:
    assert url(template)["Cors"]["AllowOrigins"] == ["*"]
    allowed = set(url(template)["Cors"]["AllowHeaders"])
    assert {"authorization", "last-event-id", "cache-control"} <= allowed
    assert {"traceparent", "tracestate", "baggage", "sentry-trace", "x-request-id"} <= allowed
    assert len(allowed) <= 100, "the most that a function URL takes"
    assert url(template)["Cors"]["AllowMethods"] == ["GET"]
    assert "AllowCredentials" not in url(template)["Cors"]
    assert "Cors" not in url(elsewhere)
    for found in (template, elsewhere):
        assert "GRAPHJOBS_STREAM_CORS_ORIGINS" not in found.environment("stream")


@pytest.mark.parametrize("function", ["create_job", "stream_ticket"])
def test_clients_are_sent_to_the_url_or_to_the_configured_address(
    template: Template, elsewhere: Template, function: str
) -> None:
    made = template.environment(function)["GRAPHJOBS_STREAM_URL"]
    host = {"Fn::GetAtt": [template.logical_id("AWS::Lambda::Url", ""), "FunctionUrl"]}
    assert made == {"Fn::Join": ["", ["https://", {"Fn::Select": [2, {"Fn::Split": ["/", host]}]}]]}
    assert elsewhere.environment(function)["GRAPHJOBS_STREAM_URL"] == "https://stream.example.com"
