"""The stream behind an API Gateway: nothing public, whole answers in pieces, and who may ask."""

from __future__ import annotations

import json
from typing import Any

import pytest

from infra.config import ConfigError
from tests.infra.synthesis import build
from tests.infra.template import Template, arn_text

METHOD = "AWS::ApiGateway::Method"


def methods(template: Template) -> dict[str, dict[str, Any]]:
    """The properties of each method of the stream's path."""
    return {item["Properties"]["HttpMethod"]: item["Properties"] for item in template.of_type(METHOD).values()}


def test_there_is_no_function_url_and_nobody_in_the_world_may_call_a_function(fronted: Template) -> None:
    assert not fronted.of_type("AWS::Lambda::Url")
    permissions = [item["Properties"] for item in fronted.of_type("AWS::Lambda::Permission").values()]
    assert all(item["Principal"].endswith(".amazonaws.com") for item in permissions)
    stream = [item for item in permissions if fronted.called(item["FunctionName"]) == "stream:live"]
    assert len(stream) == 2
    for item in stream:
        assert arn_text(item["SourceArn"]).endswith(("/GET/stream/*", "/HEAD/stream/*"))
        assert "test-invoke-stage" not in arn_text(item["SourceArn"])


def test_an_answer_is_sent_on_as_it_is_made_for_as_long_as_the_function_may_run(fronted: Template) -> None:
    for method in ("GET", "HEAD"):
        integration = methods(fronted)[method]["Integration"]
        assert integration["Type"] == "AWS_PROXY" and integration["ResponseTransferMode"] == "STREAM"
        uri = integration["Uri"]["Fn::Join"][1]
        assert uri[-1] == "/response-streaming-invocations" and "2021-11-15" in uri[-3]
        assert fronted.called(uri[-2]) == "stream:live"
        assert integration["TimeoutInMillis"] == fronted.function("stream")["Timeout"] * 1000 == 870_000
    assert integration["TimeoutInMillis"] <= 900_000, "the longest that API Gateway takes"


def test_each_request_for_a_stream_is_authorized_and_no_answer_of_the_authorizer_is_kept(fronted: Template) -> None:
    """A cache would want to know where the credential is, and there are two places."""
    authorizer = fronted.logical_id("AWS::ApiGateway::Authorizer")
    found = methods(fronted)
    assert set(found) == {"GET", "HEAD", "OPTIONS"}
    for method in ("GET", "HEAD"):
        assert (found[method]["AuthorizationType"], found[method]["AuthorizerId"]) == ("CUSTOM", {"Ref": authorizer})
    properties = fronted.resources[authorizer]["Properties"]
    assert (properties["Type"], properties["AuthorizerResultTtlInSeconds"]) == ("REQUEST", 0)
    assert "IdentitySource" not in properties
    assert fronted.called(properties["AuthorizerUri"]["Fn::Join"][1][-2]) == "authorize_stream:live"
    assert found["OPTIONS"]["Integration"]["Type"] == "MOCK", "a preflight request costs no function"


def test_it_is_throttled_logged_and_behind_the_firewall(fronted: Template) -> None:
    stage = fronted.only("AWS::ApiGateway::Stage")["Properties"]
    (settings,) = stage["MethodSettings"]
    assert (settings["ThrottlingRateLimit"], settings["ThrottlingBurstLimit"]) == (7, 9)
    assert not settings["DataTraceEnabled"] and settings.get("LoggingLevel", "OFF") == "OFF"
    written = json.loads(stage["AccessLogSetting"]["Format"]).values()
    assert not [value for value in written if "querystring" in value.lower() or "identity" in value.lower()]
    acl = fronted.only("AWS::WAFv2::WebACLAssociation")["Properties"]
    assert acl["WebACLArn"].endswith("/webacl/all/11111111-2222-3333-4444-555555555555")
    assert arn_text(acl["ResourceArn"]).endswith(f"<{fronted.logical_id('AWS::ApiGateway::Stage')}>")


def test_refusals_of_the_gateway_look_like_those_of_the_app(fronted: Template) -> None:
    refusals = {
        item["Properties"]["ResponseType"]: item["Properties"]
        for item in fronted.of_type("AWS::ApiGateway::GatewayResponse").values()
    }
    statuses = {"UNAUTHORIZED": 401, "ACCESS_DENIED": 401, "MISSING_AUTHENTICATION_TOKEN": 404, "THROTTLED": 429}
    assert {kind: int(item["StatusCode"]) for kind, item in refusals.items()} == statuses
    for kind, item in refusals.items():
        headers = {name.rpartition(".")[2]: value for name, value in item["ResponseParameters"].items()}
        assert headers["content-type"] == "'application/problem+json'" and headers["cache-control"] == "'no-store'"
        assert headers["access-control-allow-origin"] == "'https://app.example.com'"
        assert ("retry-after" in headers) == (kind == "THROTTLED")
        for text in item["ResponseTemplates"].values():
            assert json.loads(text)["status"] == statuses[kind] and json.loads(text)["code"]


def test_cross_origin_answers_come_from_the_app_since_the_gateway_adds_none(fronted: Template) -> None:
    assert fronted.environment("stream")["GRAPHJOBS_STREAM_CORS_ORIGINS"] == "https://app.example.com"
    (answer,) = methods(fronted)["OPTIONS"]["Integration"]["IntegrationResponses"]
    headers = {name.rpartition(".")[2]: value for name, value in answer["ResponseParameters"].items()}
    assert headers["Access-Control-Allow-Origin"] == "'https://app.example.com'"
    allowed = set(headers["Access-Control-Allow-Headers"].strip("'").split(","))
    assert {"authorization", "last-event-id", "traceparent", "sentry-trace"} <= allowed


@pytest.mark.parametrize("function", ["create_job", "stream_ticket"])
def test_clients_are_sent_to_the_stage_and_the_app_sees_a_path_without_it(fronted: Template, function: str) -> None:
    url = arn_text(fronted.environment(function)["GRAPHJOBS_STREAM_URL"])
    stage = fronted.logical_id("AWS::ApiGateway::Stage")
    assert url.endswith(f"/<{stage}>") and not url.endswith("/") and ".execute-api." in url
    assert fronted.environment("stream")["AWS_LAMBDA_HTTP_IGNORE_STAGE_IN_PATH"] == "true"


@pytest.mark.parametrize(("alarm", "metric"), [("StreamErrors", "5XXError"), ("Refusals", "4XXError")])
def test_alarms_watch_the_gateway_in_place_of_the_url(fronted: Template, alarm: str, metric: str) -> None:
    made = fronted.only("AWS::CloudWatch::Alarm", f"Alarms{alarm}")["Properties"]
    stats = [item["MetricStat"]["Metric"] for item in made["Metrics"] if "MetricStat" in item]
    (found,) = [item for item in stats if item["Namespace"] == "AWS/ApiGateway" and item["MetricName"] == metric]
    name = fronted.only("AWS::ApiGateway::RestApi")["Properties"]["Name"]
    assert found["Dimensions"] == [{"Name": "ApiName", "Value": name}] and "gov" in name
    assert not [item for item in stats if item["MetricName"].startswith("Url")]


def test_a_firewall_is_refused_where_it_would_do_nothing() -> None:
    arn = "arn:aws:wafv2:eu-west-1:123456789012:regional/webacl/all/1"
    with pytest.raises(ConfigError, match="web_acl_arn"):
        build({"web_acl_arn": arn, "bundle": "none"})


def test_other_deployments_have_no_authorizer(template: Template) -> None:
    assert "authorize_stream" not in template.functions()
